//! Account for every import: imported, failed, or panicked.

// ANCHOR: import_all
use std::{num::ParseIntError, time::Duration};

use tokio::{task::JoinError, time::timeout};
use tokio_util::task::JoinMap;

/// The outcome of each line. Every line is in one of the lists.
#[derive(Debug, Default)]
struct Outcome {
    imported: Vec<u32>,
    failed: Vec<(u32, ParseIntError)>,
    panicked: Vec<(u32, JoinError)>,
    /// Dropped after `LIMIT`, so it may have been imported.
    too_slow: Vec<u32>,
}

/// Imports all rows, `MOST` at a time. If one fails, the others
/// continue. Dropping this future aborts the imports that are running.
async fn import_all(rows: Vec<Row>) -> Outcome {
    let mut tasks = JoinMap::new();
    // The key is the line, not the invoice number: a duplicate key
    // would abort the task that already has it.
    let mut rows = (1..).zip(rows);
    let mut outcome = Outcome::default();
    loop {
        for (line, row) in rows.by_ref().take(MOST - tasks.len()) {
            tasks.spawn(line, timeout(LIMIT, import(row)));
        }
        match tasks.join_next().await {
            Some((line, Ok(Ok(Ok(()))))) => outcome.imported.push(line),
            Some((line, Ok(Ok(Err(error))))) => {
                outcome.failed.push((line, error));
            }
            Some((line, Ok(Err(_)))) => outcome.too_slow.push(line),
            Some((line, Err(error))) => {
                outcome.panicked.push((line, error));
            }
            None => return outcome,
        }
    }
}
// ANCHOR_END: import_all

use tokio::time::sleep;

const MOST: usize = 10;
const LIMIT: Duration = Duration::from_secs(10);

/// A line of a file of invoices: a number, and an amount as text.
struct Row {
    number: u32,
    amount: &'static str,
}

/// Imports an invoice. Row 1 takes 100 ms, row 2 takes 200 ms.
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
    for (line, error) in outcome.panicked {
        println!("panicked: [{line}] {}", error.is_panic());
    }
    println!("too slow: {:?}", outcome.too_slow);
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };
    use tokio::time::Instant;

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    fn lines<T>(list: &[(u32, T)]) -> Vec<u32> {
        list.iter().map(|(line, _)| *line).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_leaves_the_others_alone() {
        let start = Instant::now();
        let outcome = import_all(rows()).await;
        assert_eq!(start.elapsed(), Duration::from_millis(500));
        assert_eq!(outcome.imported, [1, 3]);
        assert_eq!(lines(&outcome.failed), [2, 5]);
        let why = outcome.failed[0].1.to_string();
        assert_eq!(why, "invalid digit found in string");
        let why = outcome.failed[1].1.to_string();
        assert_eq!(why, "cannot parse integer from empty string");
        assert_eq!(lines(&outcome.panicked), [4]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_line() {
        for panics in some_panic(10) {
            let rows = (0..10).map(|place| {
                let is_bad = panics.contains(&place);
                let amount = if is_bad { "-500" } else { "1250" };
                Row { number: place as u32, amount }
            });
            let outcome =
                within(HOUR, import_all(rows.collect())).await;
            assert_eq!(outcome.imported.len(), 10 - panics.len());
            for (line, error) in &outcome.panicked {
                assert!(panics.contains(&(*line as usize - 1)));
                assert!(error.to_string().contains("a credit note"));
            }
        }
    }

    /// More rows that hang than there are places.
    #[tokio::test(start_paused = true)]
    async fn silence_of_some_imports_costs_only_those() {
        let rows = (1..=25).map(|line| {
            let number = if line <= 15 { u32::MAX } else { 0 };
            Row { number, amount: "1250" }
        });
        let outcome = within(HOUR, import_all(rows.collect())).await;
        assert_eq!(outcome.too_slow.len(), 15);
        assert_eq!(outcome.imported.len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_imports_ten_at_a_time() {
        let row = |_| Row { number: 10, amount: "1250" };
        let start = Instant::now();
        let rows = (0..21).map(row).collect();
        let outcome = within(HOUR, import_all(rows)).await;
        assert_eq!(outcome.imported.len(), 21);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn again_an_invoice_that_comes_twice_is_imported_twice() {
        let rows = vec![
            Row { number: 1, amount: "1250" },
            Row { number: 1, amount: "1250" },
        ];
        let outcome = import_all(rows).await;
        assert_eq!(outcome.imported, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_import_running() {
        at_every_poll(async |cancel| {
            cancel.run(import_all(rows())).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_row() {
        let outcome = within(HOUR, import_all(Vec::new())).await;
        assert!(outcome.imported.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_nothing() {
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
