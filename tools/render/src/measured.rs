//! What was measured, as a table of ratios.

use model::Project;
use model::html::inline_code;
use model::measured::{
    Part, Record, Spec, measure_command, record, record_file, source_file, spec, spec_file,
};
use std::fmt::Write as _;

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
         {claims}<p class=\"machine\">Measured on {date}: {machine}; Rust {rust}, {crates}. Each figure is the \
         median of {rounds} rounds. Yours will differ, so measure on your own machine.</p>\n</figure>\n",
        caption = inline_code(&spec.caption),
        file = source_file(name),
        claims = claims(&spec),
        date = record.date,
        machine = record.machine,
        rust = record.rust,
        crates = crates.join(", "),
        rounds = record.rounds,
    ))
}

/// The claims, for readers.
fn claims(spec: &Spec) -> String {
    let named = |parts: &[Part], id: &str| {
        let part = parts.iter().find(|part| part.id == id);
        part.map_or(id.to_owned(), |part| inline_code(&part.name))
    };
    let claims: Vec<_> = spec
        .claims
        .iter()
        .map(|claim| {
            let row = claim.row.as_ref().map_or(String::new(), |row| {
                format!(" ({})", named(&spec.rows, row))
            });
            format!(
                "{} to {}, {}{row}{}",
                named(&spec.ways, &claim.slower),
                named(&spec.ways, &claim.quicker),
                claim.times,
                if claim.needs_idle_cores {
                    " if the cores are idle"
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
        "<p class=\"claims\">A test checks these minimum ratios: {}.</p>\n",
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
        "| {} | Ratio | Time for {} | Range |\n|---|---|---|---|\n",
        spec.rows_are,
        one(&spec.per)
    );
    for (way, time) in times {
        let _ = writeln!(
            table,
            "| {} | {} {} | {} | {} to {} |",
            way.name,
            ratio(time.median / base),
            bar(time.median / most, 100),
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

/// A length as a part of the longest one, `width` pixels wide. The number beside it is the text of this picture.
fn bar(part: f64, width: u32) -> String {
    format!(
        "<svg class=\"bar\" width=\"{width}\" height=\"10\" aria-hidden=\"true\"><rect width=\"{:.1}\" height=\"10\"/></svg>",
        (f64::from(width) * part).max(0.5)
    )
}

/// A table of ratios: a row for each row, a column for each way, and the time of the first way.
fn many_rows(spec: &Spec, record: &Record) -> Option<String> {
    let (first, others) = spec.ways.split_first()?;
    let mut table = format!("| {} | {} |", spec.rows_are, first.name);
    for way in others {
        let _ = write!(table, " {} |", way.name);
    }
    table.push_str("\n|---|---|");
    table.push_str(&"---|".repeat(others.len()));
    table.push('\n');
    for row in &spec.rows {
        let times: Option<Vec<_>> = spec
            .ways
            .iter()
            .map(|way| Some(record.time(&row.id, &way.id)?.median))
            .collect();
        let times = times?;
        let most = times.iter().copied().fold(0.0, f64::max);
        let _ = write!(table, "| {} |", row.name);
        for (number, time) in times.iter().enumerate() {
            let text = match number {
                0 => duration(*time),
                _ => format!("{}×", ratio(time / times[0])),
            };
            let _ = write!(table, " {text} {} |", bar(time / most, 60));
        }
        table.push('\n');
    }
    let _ = write!(
        table,
        "\nThe first column with numbers, {}, is the time for {}; the others are multiples of it.\n",
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::measured::Time;
    use std::collections::BTreeMap;

    fn parts(ids: &[&str]) -> Vec<Part> {
        let part = |id: &&str| Part {
            id: id.to_string(),
            name: format!("`{id}`"),
        };
        ids.iter().map(part).collect()
    }

    fn record(times: &[(&str, &str, f64)]) -> Record {
        let time = |&(row, way, median): &(&str, &str, f64)| Time {
            row: row.to_owned(),
            way: way.to_owned(),
            median,
            least: median,
            most: median,
        };
        Record {
            source: String::new(),
            date: String::new(),
            machine: String::new(),
            rust: String::new(),
            crates: BTreeMap::new(),
            rounds: 3,
            times: times.iter().map(time).collect(),
        }
    }

    fn spec(rows: &[&str]) -> Spec {
        Spec {
            caption: String::new(),
            per: "call".to_owned(),
            each: 1,
            rows_are: "Way".to_owned(),
            rows: parts(rows),
            ways: parts(&["slow", "quick"]),
            claims: Vec::new(),
        }
    }

    #[test]
    fn one_row_is_a_table_of_the_ways_with_their_ratios() {
        let spec = spec(&["all"]);
        let record = record(&[("all", "slow", 300.0), ("all", "quick", 100.0)]);
        let table = one_row(&spec, &spec.rows[0], &record).expect("all was measured");
        assert!(table.contains("| `slow` | 1.0 <svg"), "{table}");
        assert!(table.contains("| `quick` | 0.3 <svg"), "{table}");
        assert!(table.contains("| 100 ns | 100 ns to 100 ns |"), "{table}");
    }

    #[test]
    fn several_rows_are_compared_with_the_first_way() {
        let spec = spec(&["all", "more"]);
        let mut times = vec![
            ("all", "slow", 200.0),
            ("all", "quick", 100.0),
            ("more", "slow", 300.0),
        ];
        assert_eq!(many_rows(&spec, &record(&times)), None);
        times.push(("more", "quick", 100.0));
        let table = many_rows(&spec, &record(&times)).expect("all was measured");
        assert!(table.contains("| `more` | 300 ns <svg"), "{table}");
        assert!(table.contains("| 0.3× <svg"), "{table}");
        assert!(table.contains("<rect width=\"20.0\""), "{table}");
    }

    #[test]
    fn times_and_ratios_have_two_digits() {
        for (nanoseconds, text) in [
            (1.04, "1.0 ns"),
            (12_345.0, "12 µs"),
            (3_400_000.0, "3.4 ms"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
        for (value, text) in [(0.0312, "0.031"), (0.52, "0.5"), (123.4, "123")] {
            assert_eq!(ratio(value), text);
        }
    }
}
