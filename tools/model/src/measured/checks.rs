//! What must hold between benchmarks, their records, and the pages.

use super::*;
use crate::uses;

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
                let broken = claims_below(project, &name, &spec, &record, SAFETY_FACTOR);
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
        Ok(source) if checksum(&source) == record.source => {}
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
const SAFETY_FACTOR: f64 = 1.4;

/// The claims that a record does not bear out, each with what is wrong.
pub fn broken_claims<'a>(
    project: &Project,
    name: &str,
    spec: &'a Spec,
    record: &Record,
) -> Vec<(&'a Claim, Problem)> {
    claims_below(project, name, spec, record, 1.0)
}

/// The claims that a record does not exceed by a factor, each with what is wrong.
fn claims_below<'a>(
    project: &Project,
    name: &str,
    spec: &'a Spec,
    record: &Record,
    factor: f64,
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
        if times < claim.times * factor {
            let mut text = format!(
                "`{}` is claimed to take {} times as long as `{}` for `{row}`, at least; it took {times:.2}",
                claim.slower, claim.times, claim.quicker,
            );
            if times >= claim.times {
                text += &format!(
                    ", and must exceed the claim {factor} times, to hold on a busier machine: claim less"
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
            with_checksum(&format!(
                "source = \"{}\"\ndate = \"2026-11-23\"\nmachine = \"2 cores\"\nrust = \"1.95.0\"\nrounds = 3\n\
                 [crates]\ntokio = \"1.54.1\"\n{}{}",
                checksum(source),
                time("slow", 300.0),
                time("quick", quick)
            )),
        );
        book.write("src/page.md", "# Page\n\n{{#measured ways}}\n");
        let project = Project::open(book.root()).expect("a book");
        (book, project)
    }

    fn messages(project: &Project) -> Vec<String> {
        problems(project).iter().map(ToString::to_string).collect()
    }

    /// What is wrong with a book whose benchmark has this spec and took so long, after a change.
    fn problems_after(spec: &str, quick: f64, change: impl FnOnce(&Scratch)) -> String {
        let (book, project) = book(spec, quick);
        change(&book);
        messages(&project).join("\n")
    }

    const RECORD: &str = "benches/records/ways.toml";

    #[test]
    fn what_was_measured_has_no_problems_with_either_kind_of_line_ends() {
        assert_eq!(problems_after(SPEC, 100.0, |_| ()), "");
        let windows = |book: &Scratch| {
            book.write("benches/ways.rs", "fn main() {}\r\n");
            book.write(RECORD, book.read(RECORD).replace('\n', "\r\n"));
        };
        assert_eq!(problems_after(SPEC, 100.0, windows), "");
    }

    #[test]
    fn a_benchmark_that_was_edited_must_be_measured_again() {
        let edit = |book: &Scratch| book.write("benches/ways.rs", "fn other() {}\n");
        assert_eq!(
            problems_after(SPEC, 100.0, edit),
            "benches/records/ways.toml:2: benches/ways.rs was edited since; measure again: \
             `cargo run --package measure -- ways`"
        );
    }

    #[test]
    fn a_record_that_was_edited_is_refused_at_its_checksum() {
        let differs = ":1: the checksum does not match the data below, so a number was edited";
        for (from, to, problem) in [
            ("median = 100.0", "median = 90.0", differs),
            ("2026-11-23", "2026-11-24", differs),
            (CHECKSUM, "# ", ": has no checksum"),
        ] {
            let edit = |book: &Scratch| {
                let record = book.read(RECORD);
                assert!(record.contains(from), "{record}");
                book.write(RECORD, record.replacen(from, to, 1));
            };
            assert_eq!(
                problems_after(SPEC, 100.0, edit),
                format!(
                    "{RECORD}{problem}; only `cargo run --package measure -- ways` writes this file: restore it, \
                     or measure again"
                )
            );
        }
    }

    #[test]
    fn a_claim_that_does_not_hold_is_reported_at_its_line() {
        let claim = "benches/ways.toml:18: `slow` is claimed to take 2 times as long as `quick` for `all`, at \
                     least; it took ";
        assert_eq!(problems_after(SPEC, 200.0, |_| ()), format!("{claim}1.50"));
        assert_eq!(
            problems_after(SPEC, 125.0, |_| ()),
            format!(
                "{claim}2.40, and must exceed the claim 1.4 times, to hold on a busier machine: claim less"
            )
        );
        let misspelt = SPEC.replace("slower = \"slow\"", "slower = \"slo\"");
        assert_eq!(
            problems_after(&misspelt, 1.0, |_| ()),
            "benches/ways.toml:18: `quick` or `slo` was not measured for `all`"
        );
    }

    #[test]
    fn times_and_names_that_do_not_belong_together_are_reported() {
        let again = "measure again: `cargo run --package measure -- ways`";
        let renamed = SPEC.replace("id = \"quick\"", "id = \"fast\"");
        assert_eq!(
            problems_after(&renamed, 100.0, |_| ()),
            format!(
                "benches/ways.toml:15: `fast` was not measured for `all`; {again}\n\
                 benches/records/ways.toml:19: `quick` of `all` is not named in benches/ways.toml; {again}"
            )
        );
    }

    #[test]
    fn a_benchmark_without_a_page_or_a_record_is_reported() {
        let remove = |book: &Scratch| {
            book.write("src/page.md", "# Page\n");
            book.remove(RECORD);
        };
        assert_eq!(
            problems_after(SPEC, 100.0, remove),
            "benches/ways.toml: no page shows it; add {{#measured ways}} to one\n\
             benches/records/ways.toml: nothing was measured yet; `cargo run --package measure -- ways` does it"
        );
        let unknown = problems_after(&format!("{SPEC}\nnoise = 1\n"), 100.0, |_| ());
        assert!(
            unknown.starts_with("benches/ways.toml:23: unknown field `noise`"),
            "{unknown}"
        );
    }
}
