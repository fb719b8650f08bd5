//! What was measured: a table of ratios, drawn from a record that the benchmark of that name left.
//!
//! `benches/NAME.rs` does the work, `NAME.toml` beside it says what its parts are called and
//! what is claimed of them, and `benches/records/NAME.toml` holds what came out, on which machine.

use crate::problem::Problem;
use crate::project::Project;
use crate::uses;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

/// What a page needs to know of a benchmark: written by its author.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is compared, in a line.
    pub caption: String,
    /// What one time is the time of: `future`, `call`.
    pub per: String,
    /// How many of them a run of the benchmark does.
    pub each: u32,
    /// What the rows differ in, as the heading of their column.
    pub rows_are: String,
    /// The rows, in the order of the page.
    #[serde(rename = "row")]
    pub rows: Vec<Part>,
    /// The ways that are compared, in the order of the page. The first one is what the others are compared
    /// with.
    #[serde(rename = "way")]
    pub ways: Vec<Part>,
    /// What the prose may rely on.
    #[serde(default, rename = "claim")]
    pub claims: Vec<Claim>,
}

/// A row or a way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in the benchmark.
    pub id: String,
    /// Its name on the page, as Markdown.
    pub name: String,
}

/// That one way is so many times as quick as another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The quicker way, by its id.
    pub quicker: String,
    /// The slower one.
    pub slower: String,
    /// The row, by its id; needed where there are several.
    pub row: Option<String>,
    /// How many times as long the slower one takes, at least.
    pub times: f64,
    /// It comes from work on several cores. A record must bear it out; a machine that shares its cores with
    /// others need not.
    #[serde(default)]
    pub needs_idle_cores: bool,
}

/// What came out: written by `cargo run --package measure`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The benchmark as it was then: see [`fingerprint`].
    pub source: String,
    /// When, as year, month and day.
    pub date: String,
    /// The processor, the number of its cores, the system.
    pub machine: String,
    /// The compiler's version.
    pub rust: String,
    /// The versions of the crates that were measured.
    pub crates: BTreeMap<String, String>,
    /// How many times everything was measured, one after the other.
    pub rounds: u32,
    /// What each took.
    #[serde(rename = "time")]
    pub times: Vec<Time>,
}

/// What one way took in one row, in nanoseconds for each future or call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Time {
    /// The row's id.
    pub row: String,
    /// The way's id.
    pub way: String,
    /// The round in the middle.
    pub median: f64,
    /// The quickest round.
    pub least: f64,
    /// The slowest round.
    pub most: f64,
}

impl Record {
    /// What a way took in a row.
    pub fn time(&self, row: &str, way: &str) -> Option<&Time> {
        self.times
            .iter()
            .find(|time| time.row == row && time.way == way)
    }
}

/// The benchmark's program.
pub fn source_file(name: &str) -> String {
    format!("benches/{name}.rs")
}

/// What is told of it.
pub fn spec_file(name: &str) -> String {
    format!("benches/{name}.toml")
}

/// What came out.
pub fn record_file(name: &str) -> String {
    format!("benches/records/{name}.toml")
}

/// All benchmarks, by name.
pub fn names(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.root().join("benches"));
    let files = entries.into_iter().flatten().flatten();
    let mut names: Vec<_> = files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|file| file != "Cargo.toml")
        .filter_map(|file| Some(file.strip_suffix(".toml")?.to_owned()))
        .collect();
    names.sort();
    names
}

/// A short name for a text, which another text has not: for seeing that a benchmark was edited.
pub fn fingerprint(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}

/// What is told of a benchmark.
///
/// # Errors
///
/// There is no such benchmark, or its file is not what it should be.
pub fn spec(project: &Project, name: &str) -> Result<Spec, Problem> {
    let file = spec_file(name);
    if !project.has(&file) {
        let known = names(project);
        let near = crate::expand::nearest(name, known.iter().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(Problem::of(
            file,
            format!("there is no benchmark `{name}`{hint}"),
        ));
    }
    parse(project, &file)
}

/// What came out of a benchmark.
///
/// # Errors
///
/// It was not measured yet, or its record is not what it should be.
pub fn record(project: &Project, name: &str) -> Result<Record, Problem> {
    let file = record_file(name);
    if !project.has(&file) {
        return Err(Problem::of(
            &file,
            format!(
                "nothing was measured yet; `{}` does it",
                measure_command(name)
            ),
        ));
    }
    parse(project, &file)
}

fn parse<T: DeserializeOwned>(project: &Project, file: &str) -> Result<T, Problem> {
    let text = project.read(file)?;
    toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        Problem::at(file, line, error.message().to_owned())
    })
}

/// The command that measures a benchmark again.
pub fn measure_command(name: &str) -> String {
    format!("cargo run --package measure -- {name}")
}

/// The figure with what was measured.
///
/// # Errors
///
/// There is no such benchmark, or its record does not fit it; the message says what to do.
pub fn figure(project: &Project, name: &str) -> Result<String, String> {
    let spec = spec(project, name).map_err(|problem| problem.to_string())?;
    let record = record(project, name).map_err(|problem| problem.to_string())?;
    let table = match spec.rows.as_slice() {
        [row] => one_row(&spec, row, &record),
        _ => many_rows(&spec, &record),
    }
    .ok_or_else(|| {
        format!(
            "{} lacks a time of what {} names; `{}` measures it",
            record_file(name),
            spec_file(name),
            measure_command(name)
        )
    })?;
    let crates: Vec<_> = record
        .crates
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    Ok(format!(
        "<figure class=\"measured\" id=\"measured-{name}\">\n<figcaption><a class=\"caption\" \
         href=\"#measured-{name}\">{caption}</a> <span class=\"where\"><code>{file}</code> \
         <code class=\"command\">cargo bench --package benches --bench {name}</code></span></figcaption>\n\n{table}\n\
         {claims}<p class=\"machine\">Measured on {date}: {machine}; Rust {rust}, {crates}. Each ratio is that of the \
         middle one of {rounds} rounds. Yours will differ: measure on your machine.</p>\n</figure>\n",
        caption = crate::expand::inline_code(&spec.caption),
        file = source_file(name),
        claims = demanded(&spec),
        date = record.date,
        machine = record.machine,
        rust = record.rust,
        crates = crates.join(", "),
        rounds = record.rounds,
    ))
}

/// What the claims say, for readers.
fn demanded(spec: &Spec) -> String {
    let named = |parts: &[Part], id: &str| {
        let part = parts.iter().find(|part| part.id == id);
        part.map_or(id.to_owned(), |part| crate::expand::inline_code(&part.name))
    };
    let claims: Vec<_> = spec
        .claims
        .iter()
        .map(|claim| {
            let row = claim.row.as_ref().map_or(String::new(), |row| {
                format!(" ({})", named(&spec.rows, row))
            });
            format!(
                "{} at least {} times as long as {}{row}{}",
                named(&spec.ways, &claim.slower),
                claim.times,
                named(&spec.ways, &claim.quicker),
                if claim.needs_idle_cores {
                    ", where the cores are idle"
                } else {
                    ""
                }
            )
        })
        .collect();
    if claims.is_empty() {
        return String::new();
    }
    format!(
        "<p class=\"claims\">A check demands that these take: {}.</p>\n",
        claims.join("; ")
    )
}

/// A table in which the ways are the rows.
fn one_row(spec: &Spec, row: &Part, record: &Record) -> Option<String> {
    let base = record.time(&row.id, &spec.ways.first()?.id)?.median;
    let times: Option<Vec<_>> = spec
        .ways
        .iter()
        .map(|way| Some((way, record.time(&row.id, &way.id)?)))
        .collect();
    let times = times?;
    let most = times
        .iter()
        .map(|(_, time)| time.median)
        .fold(0.0, f64::max);
    let mut table = format!(
        "| {} | Ratio | Time for {} | Rounds |\n|---|---|---|---|\n",
        spec.rows_are,
        one(&spec.per)
    );
    for (way, time) in times {
        let _ = writeln!(
            table,
            "| {} | {} {} | {} | {} to {} |",
            way.name,
            ratio(time.median / base),
            bar(time.median / most),
            duration(time.median),
            duration(time.least),
            duration(time.most),
        );
    }
    Some(table)
}

/// One of something, with its article.
fn one(thing: &str) -> String {
    let article = if thing.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {thing}")
}

/// A length, as a part of the longest: a bar that every reader of the table can do without.
fn bar(part: f64) -> String {
    format!(
        "<svg class=\"bar\" width=\"100\" height=\"10\" aria-hidden=\"true\"><rect width=\"{:.1}\" height=\"10\"/></svg>",
        (100.0 * part).max(0.5)
    )
}

/// A table of ratios: a row for each row, a column for each way, and the time of the first way.
fn many_rows(spec: &Spec, record: &Record) -> Option<String> {
    let (first, others) = spec.ways.split_first()?;
    let mut table = format!("| {} | {} |", spec.rows_are, first.name);
    for way in others {
        let _ = write!(table, " {} |", way.name);
    }
    table.push_str("\n|---|--:|");
    table.push_str(&"--:|".repeat(others.len()));
    table.push('\n');
    for row in &spec.rows {
        let base = record.time(&row.id, &first.id)?.median;
        let _ = write!(table, "| {} | {} |", row.name, duration(base));
        for way in others {
            let time = record.time(&row.id, &way.id)?.median / base;
            let _ = write!(table, " {} |", ratio(time));
        }
        table.push('\n');
    }
    let _ = write!(
        table,
        "\nThe column of {} is the time for {}; the others are that many times as long.\n",
        first.name,
        one(&spec.per)
    );
    Some(table)
}

/// A ratio with two digits that mean something.
fn ratio(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 0.095 => format!("{ratio:.3}"),
        ratio if ratio < 9.95 => format!("{ratio:.1}"),
        ratio => format!("{ratio:.0}"),
    }
}

/// A time, from nanoseconds.
fn duration(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ns if ns < 995.0 => (ns, "ns"),
        ns if ns < 995_000.0 => (ns / 1e3, "µs"),
        ns => (ns / 1e6, "ms"),
    };
    match value {
        value if value < 9.95 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// Everything that is wrong with the benchmarks: one that no page shows, one that was edited since it was
/// measured, a record of something else, and a claim that does not hold.
pub fn problems(project: &Project) -> Vec<Problem> {
    let used = uses::all(project);
    let mut problems = Vec::new();
    for name in names(project) {
        if !used
            .iter()
            .any(|it| it.directive == "measured" && it.argument == name)
        {
            problems.push(Problem::of(
                spec_file(&name),
                format!("no page shows it; add {{{{#measured {name}}}}} to one"),
            ));
        }
        match (spec(project, &name), record(project, &name)) {
            (Ok(spec), Ok(record)) => {
                problems.extend(stale(project, &name, &spec, &record));
                let broken = claims_without_room(project, &name, &spec, &record, ROOM);
                problems.extend(broken.into_iter().map(|(_, problem)| problem));
            }
            (spec, record) => problems.extend(spec.err().into_iter().chain(record.err())),
        }
    }
    problems
}

/// What a record has that its benchmark has not, and the other way round.
fn stale(project: &Project, name: &str, spec: &Spec, record: &Record) -> Vec<Problem> {
    let mut problems = Vec::new();
    let again = format!("measure again: `{}`", measure_command(name));
    let text = record_file(name);
    match project.read(&source_file(name)) {
        Ok(source) if fingerprint(&source) == record.source => {}
        Ok(_) => problems.push(Problem::at(
            &text,
            line_of(project, &text, "source = "),
            format!("{} was edited since; {again}", source_file(name)),
        )),
        Err(problem) => problems.push(problem),
    }
    for row in &spec.rows {
        for way in &spec.ways {
            if record.time(&row.id, &way.id).is_none() {
                let file = spec_file(name);
                let line = line_of(project, &file, &format!("id = \"{}\"", way.id));
                problems.push(Problem::at(
                    file,
                    line,
                    format!("`{}` was not measured for `{}`; {again}", way.id, row.id),
                ));
            }
        }
    }
    let is_named = |parts: &[Part], id: &str| parts.iter().any(|part| part.id == id);
    for time in &record.times {
        if !is_named(&spec.rows, &time.row) || !is_named(&spec.ways, &time.way) {
            problems.push(Problem::at(
                &text,
                line_of(project, &text, &format!("way = \"{}\"", time.way)),
                format!(
                    "`{}` of `{}` is not named in {}; {again}",
                    time.way,
                    time.row,
                    spec_file(name)
                ),
            ));
        }
    }
    problems
}

/// By how much the record in the repository must exceed what is claimed: other machines are busier, and
/// have to bear the claim out as well.
const ROOM: f64 = 1.4;

/// The claims that a record does not bear out, each with what is wrong.
pub fn broken_claims<'a>(
    project: &Project,
    name: &str,
    spec: &'a Spec,
    record: &Record,
) -> Vec<(&'a Claim, Problem)> {
    claims_without_room(project, name, spec, record, 1.0)
}

/// The claims that a record does not exceed by a factor, each with what is wrong.
fn claims_without_room<'a>(
    project: &Project,
    name: &str,
    spec: &'a Spec,
    record: &Record,
    room: f64,
) -> Vec<(&'a Claim, Problem)> {
    let file = spec_file(name);
    let mut problems = Vec::new();
    let mut nth = 0;
    for claim in &spec.claims {
        nth += 1;
        let line = nth_line_of(project, &file, "[[claim]]", nth);
        let row = match (&claim.row, spec.rows.as_slice()) {
            (Some(row), _) => row.as_str(),
            (None, [only]) => only.id.as_str(),
            (None, _) => {
                let problem = Problem::at(&file, line, "does not say for which `row`");
                problems.push((claim, problem));
                continue;
            }
        };
        let times = (
            record.time(row, &claim.quicker),
            record.time(row, &claim.slower),
        );
        let (Some(quicker), Some(slower)) = times else {
            let problem = Problem::at(
                &file,
                line,
                format!(
                    "`{}` or `{}` was not measured for `{row}`",
                    claim.quicker, claim.slower
                ),
            );
            problems.push((claim, problem));
            continue;
        };
        // What else the machine does only adds to a time: the quickest rounds are the ones to compare.
        let times = slower.least / quicker.least;
        if times < claim.times * room {
            let mut text = format!(
                "`{}` is claimed to take {} times as long as `{}` for `{row}`, at least; it took {times:.2}",
                claim.slower, claim.times, claim.quicker,
            );
            if times >= claim.times {
                text += &format!(
                    ", and must exceed the claim {room} times, to hold on a busier machine: claim less"
                );
            }
            problems.push((claim, Problem::at(&file, line, text)));
        }
    }
    problems
}

fn line_of(project: &Project, file: &str, text: &str) -> usize {
    nth_line_of(project, file, text, 1)
}

/// The line of a file with the nth place of a text; the first one where there is none.
fn nth_line_of(project: &Project, file: &str, text: &str, nth: usize) -> usize {
    let content = project.read(file).unwrap_or_default();
    let mut places = content.lines().enumerate();
    let found = places
        .by_ref()
        .filter(|(_, line)| line.contains(text))
        .nth(nth - 1);
    found.map_or(1, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    const SPEC: &str = "caption = \"Two ways.\"\nper = \"call\"\neach = 10\nrows_are = \"Way\"\n\n\
        [[row]]\nid = \"all\"\nname = \"all\"\n\n[[way]]\nid = \"slow\"\nname = \"`slow`\"\n\n\
        [[way]]\nid = \"quick\"\nname = \"`quick`\"\n\n[[claim]]\nquicker = \"quick\"\nslower = \"slow\"\ntimes = 2.0\n";

    /// A book with one benchmark, which was measured.
    fn book(spec: &str, quick: f64) -> (Scratch, Project) {
        let book = Scratch::sound();
        let source = "fn main() {}\n";
        book.write("benches/ways.rs", source);
        book.write("benches/ways.toml", spec);
        let time = |way: &str, median: f64| {
            format!(
                "\n[[time]]\nrow = \"all\"\nway = \"{way}\"\nmedian = {median:?}\nleast = {median:?}\nmost = {median:?}\n"
            )
        };
        book.write(
            "benches/records/ways.toml",
            format!(
                "source = \"{}\"\ndate = \"2026-11-23\"\nmachine = \"2 cores\"\nrust = \"1.95.0\"\nrounds = 3\n\
                 [crates]\ntokio = \"1.54.1\"\n{}{}",
                fingerprint(source),
                time("slow", 300.0),
                time("quick", quick)
            ),
        );
        book.write("src/page.md", "# Page\n\n{{#measured ways}}\n");
        let project = Project::open(book.root()).expect("a book");
        (book, project)
    }

    fn told(project: &Project) -> Vec<String> {
        problems(project).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_record_is_a_table_of_ratios_with_its_machine() {
        let (_book, project) = book(SPEC, 100.0);
        let figure = figure(&project, "ways").expect("it was measured");
        assert!(figure.contains("| `slow` | 1.0 <svg"), "{figure}");
        assert!(figure.contains("| `quick` | 0.3 <svg"), "{figure}");
        assert!(figure.contains("| 100 ns | 100 ns to 100 ns |"), "{figure}");
        assert!(
            figure.contains("2 cores; Rust 1.95.0, tokio 1.54.1"),
            "{figure}"
        );
        assert!(
            figure.contains(
                "these take: <code>slow</code> at least 2 times as long as <code>quick</code>."
            ),
            "{figure}"
        );
        assert_eq!(told(&project), Vec::<String>::new());
    }

    #[test]
    fn several_rows_are_compared_with_the_first_way() {
        let spec = SPEC.replace(
            "[[way]]\nid = \"slow\"",
            "[[row]]\nid = \"more\"\nname = \"more\"\n\n[[way]]\nid = \"slow\"",
        );
        let (book, project) = book(&spec, 100.0);
        let problem = figure(&project, "ways").expect_err("a row was not measured");
        assert!(
            problem.starts_with("benches/records/ways.toml lacks a time"),
            "{problem}"
        );
        let record = book.read("benches/records/ways.toml");
        let more = record[record.find("[[time]]").expect("times")..].replace("\"all\"", "\"more\"");
        book.write("benches/records/ways.toml", format!("{record}\n{more}"));
        let figure = figure(&project, "ways").expect("all was measured");
        assert!(figure.contains("| more | 300 ns | 0.3 |"), "{figure}");
    }

    #[test]
    fn a_benchmark_that_was_edited_must_be_measured_again() {
        let (book, project) = book(SPEC, 100.0);
        book.write("benches/ways.rs", "fn main() { other() }\n");
        assert_eq!(
            told(&project),
            [
                "benches/records/ways.toml:1: benches/ways.rs was edited since; measure again: \
              `cargo run --package measure -- ways`"
            ]
        );
        let (_book, windows) = self::book(SPEC, 100.0);
        _book.write("benches/ways.rs", "fn main() {}\r\n");
        assert_eq!(told(&windows), Vec::<String>::new());
    }

    #[test]
    fn a_claim_that_does_not_hold_is_told_with_its_line() {
        let (_book, project) = book(SPEC, 200.0);
        assert_eq!(
            told(&project),
            [
                "benches/ways.toml:18: `slow` is claimed to take 2 times as long as `quick` for `all`, at \
              least; it took 1.50"
            ]
        );
        let (_book, project) = self::book(SPEC, 125.0);
        assert_eq!(
            told(&project),
            [
                "benches/ways.toml:18: `slow` is claimed to take 2 times as long as `quick` for `all`, at \
              least; it took 2.40, and must exceed the claim 1.4 times, to hold on a busier machine: claim less"
            ]
        );
        let (_book, project) =
            self::book(&SPEC.replace("slower = \"slow\"", "slower = \"slo\""), 1.0);
        assert!(told(&project)[0].contains("was not measured for `all`"));
    }

    #[test]
    fn what_was_not_measured_and_what_is_not_named_is_told() {
        let (_book, project) = book(&SPEC.replace("id = \"quick\"", "id = \"fast\""), 100.0);
        let told = told(&project);
        assert!(
            told[0].starts_with("benches/ways.toml:15: `fast` was not measured for `all`"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("benches/records/ways.toml:18: `quick` of `all` is not named"),
            "{told:?}"
        );
    }

    #[test]
    fn a_benchmark_without_a_page_or_a_record_is_told() {
        let (book, project) = book(SPEC, 100.0);
        book.write("src/page.md", "# Page\n");
        book.remove("benches/records/ways.toml");
        let told = told(&project);
        assert!(
            told[0].starts_with("benches/ways.toml: no page shows it"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("benches/records/ways.toml: nothing was measured yet"),
            "{told:?}"
        );
        let misspelt = figure(&project, "way").expect_err("there is none of that name");
        assert!(misspelt.ends_with("did you mean `ways`?"), "{misspelt}");
        book.write("benches/ways.toml", format!("{SPEC}\nnoise = 1\n"));
        let wrong = spec(&project, "ways").expect_err("an unknown key");
        assert_eq!(wrong.line, Some(23), "{wrong}");
    }

    #[test]
    fn times_and_ratios_have_two_digits() {
        assert_eq!(duration(1.04), "1.0 ns");
        assert_eq!(duration(12_345.0), "12 µs");
        assert_eq!(duration(3_400_000.0), "3.4 ms");
        assert_eq!(ratio(0.0312), "0.031");
        assert_eq!(ratio(0.52), "0.5");
        assert_eq!(ratio(123.4), "123");
    }
}
