//! Wrong: the first error ends the loop, and aborts all other imports.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

// ANCHOR: wrong
/// Wrong: at the first `Err` the pattern doesn't match, so the loop
/// ends, and the set is dropped with all of its running tasks. The
/// caller gets a partial list that looks complete.
async fn import_all(archive: Arc<Archive>, rows: Vec<Row>) -> Vec<u32> {
    let mut tasks = JoinSet::new();
    for row in rows {
        tasks.spawn(import(Arc::clone(&archive), row));
    }

    let mut imported = Vec::new();
    while let Some(Ok(Ok(number))) = tasks.join_next().await {
        imported.push(number);
    }
    imported
}
// ANCHOR_END: wrong

/// A line of a file of invoices: a number, and an amount as text.
struct Row {
    number: u32,
    amount: &'static str,
}

/// Where invoices go. It counts the imports that started and ended.
#[derive(Default)]
struct Archive {
    started: AtomicUsize,
    ended: AtomicUsize,
}

/// Imports an invoice. Row 1 takes 100 ms, row 2 takes 200 ms.
///
/// Panics when the amount is negative.
async fn import(
    archive: Arc<Archive>,
    row: Row,
) -> Result<u32, std::num::ParseIntError> {
    archive.started.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_millis(100 * u64::from(row.number))).await;
    archive.ended.fetch_add(1, Ordering::Relaxed);
    let cents: i64 = row.amount.parse()?;
    assert!(cents >= 0, "a credit note is not an invoice");
    Ok(row.number)
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
    let archive = Arc::new(Archive::default());
    let imported = import_all(Arc::clone(&archive), rows()).await;
    println!("imported: {imported:?}");

    // Do they finish later? No: they are aborted.
    sleep(Duration::from_secs(3600)).await;
    let started = archive.started.load(Ordering::Relaxed);
    let ended = archive.ended.load(Ordering::Relaxed);
    println!("imports started: {started}, ended: {ended}");
    println!(
        "The first error ended the loop: {} imports were aborted,",
        started - ended
    );
    println!("and no failure was reported.");
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_leaves_the_others_alone() {
        let archive = Arc::new(Archive::default());
        let start = Instant::now();
        let imported = import_all(Arc::clone(&archive), rows()).await;
        assert_eq!(start.elapsed(), Duration::from_millis(200));
        assert_eq!(imported, [1]);
        sleep(Duration::from_secs(3600)).await;
        // The mistake: only the first and the second, which failed.
        assert_eq!(archive.started.load(Ordering::Relaxed), 5);
        assert_eq!(archive.ended.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_loss_is_the_same_on_many_threads() {
        let archive = Arc::new(Archive::default());
        // It fails immediately; the others take a day.
        let mut rows: Vec<_> = (1..=4)
            .map(|day| Row { number: day * 864_000, amount: "1" })
            .collect();
        rows.push(Row { number: 0, amount: "" });
        let work = import_all(Arc::clone(&archive), rows);
        let imported = timeout(Duration::from_secs(10), work)
            .await
            .expect("nobody waits for the other four");
        assert!(imported.is_empty());
        assert!(archive.ended.load(Ordering::Relaxed) <= 1);
    }
}
