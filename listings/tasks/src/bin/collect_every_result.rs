//! Account for every import: done, failed and panicked.

// ANCHOR: import_all
use std::num::ParseIntError;

use tokio_util::task::JoinMap;

/// What became of each line. Every line is in one of the lists.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    imported: Vec<u32>,
    failed: Vec<(u32, ParseIntError)>,
    panicked: Vec<u32>,
}

/// Imports all rows at once. One that fails leaves the others alone.
///
/// Dropping this future aborts the imports that are still running.
async fn import_all(rows: Vec<Row>) -> Outcome {
    let mut tasks = JoinMap::new();
    // The line, not the invoice: a key that comes twice would abort
    // the task that has it already.
    for (line, row) in (1..).zip(rows) {
        tasks.spawn(line, import(row));
    }

    let mut outcome = Outcome::default();
    while let Some((line, joined)) = tasks.join_next().await {
        match joined {
            Ok(Ok(())) => outcome.imported.push(line),
            Ok(Err(error)) => outcome.failed.push((line, error)),
            Err(_panic) => outcome.panicked.push(line),
        }
    }
    outcome
}
// ANCHOR_END: import_all

use std::time::Duration;

use tokio::time::sleep;

/// A line of a file of invoices: a number, and an amount as text.
struct Row {
    number: u32,
    amount: &'static str,
}

/// Imports an invoice, the first in 100 ms, each other a bit later.
///
/// Panics when the amount is negative.
async fn import(row: Row) -> Result<(), ParseIntError> {
    sleep(Duration::from_millis(100 * u64::from(row.number))).await;
    let cents: i64 = row.amount.parse()?;
    assert!(cents >= 0, "a credit note is not an invoice");
    Ok(())
}

fn rows() -> Vec<Row> {
    let row = |number, amount| Row { number, amount };
    vec![
        row(1, "1250"),
        row(2, "12,50"),
        row(3, "9900"),
        row(4, "-500"),
        row(5, ""),
    ]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let outcome = import_all(rows()).await;
    println!("imported: {:?}", outcome.imported);
    for (line, error) in outcome.failed {
        println!("failed:   [{line}] {error}");
    }
    println!("panicked: {:?}", outcome.panicked);
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_line_is_accounted_for() {
        let start = Instant::now();
        let outcome = import_all(rows()).await;
        assert_eq!(start.elapsed(), Duration::from_millis(500));
        assert_eq!(outcome.imported, [1, 3]);
        let failed: Vec<_> = outcome
            .failed
            .iter()
            .map(|(line, error)| (*line, error.to_string()))
            .collect();
        assert_eq!(
            failed,
            [
                (2, "invalid digit found in string".to_owned()),
                (
                    5,
                    "cannot parse integer from empty string".to_owned()
                ),
            ]
        );
        assert_eq!(outcome.panicked, [4]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_invoice_that_comes_twice_is_imported_twice() {
        let rows = vec![
            Row { number: 1, amount: "1250" },
            Row { number: 1, amount: "1250" },
        ];
        let outcome = import_all(rows).await;
        assert_eq!(outcome.imported, [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_lost_on_many_threads() {
        let amounts = ["1250", "12,50", "-500"];
        let rows = amounts
            .iter()
            .cycle()
            .take(30)
            .map(|amount| Row { number: 0, amount })
            .collect();
        let outcome = import_all(rows).await;
        assert_eq!(outcome.imported.len(), 10);
        assert_eq!(outcome.failed.len(), 10);
        assert_eq!(outcome.panicked.len(), 10);
    }
}
