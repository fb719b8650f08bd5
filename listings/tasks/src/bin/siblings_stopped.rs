//! The first failure aborts the other copies, and is then returned.

use std::{error::Error, fmt, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::JoinMap;

// ANCHOR: copy_all
/// Copies all tables concurrently. At the first failure, the other
/// copies are aborted. Tables that were copied before that stay
/// copied. When this returns, no copy is running anymore, except in
/// a blocking closure.
///
/// Dropping this future aborts the copies, without waiting.
///
/// # Errors
///
/// The first copy that failed, panicked, or took longer than `LIMIT`,
/// with its table.
async fn copy_all(
    tables: Vec<Table>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut copies = JoinMap::new();
    for (place, &table) in tables.iter().enumerate() {
        copies.spawn(place, timeout(LIMIT, copy(table)));
    }
    while let Some((place, joined)) = copies.join_next().await {
        let name = tables[place].name;
        let error: Box<dyn Error + Send + Sync> = match joined {
            Ok(Ok(Ok(()))) => continue,
            Ok(Ok(Err(fault))) => fault.into(),
            Ok(Err(elapsed)) => format!("{name}: {elapsed}").into(),
            Err(panicked) => format!("{name}: {panicked}").into(),
        };
        copies.shutdown().await;
        return Err(error);
    }
    Ok(())
}
// ANCHOR_END: copy_all

const LIMIT: Duration = Duration::from_secs(600);

/// A table, and how long copying it takes.
#[derive(Clone, Copy)]
struct Table {
    name: &'static str,
    takes: Duration,
}

/// Copies a table. `users` has a fault, and `carts` causes a panic.
async fn copy(table: Table) -> Result<(), Fault> {
    sleep(table.takes).await;
    match table.name {
        "users" => Err(Fault(table.name)),
        "carts" => panic!("a cart without an owner"),
        name => {
            let took = table.takes.as_millis();
            println!("{took:>4} ms  {name} is copied");
            Ok(())
        }
    }
}

#[derive(Debug)]
struct Fault(&'static str);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: a row cannot be read", self.0)
    }
}

impl std::error::Error for Fault {}

fn table(name: &'static str, millis: u64) -> Table {
    Table { name, takes: Duration::from_millis(millis) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let tables = vec![table("orders", 900), table("users", 100)];
    if let Err(error) = copy_all(tables).await {
        let took = start.elapsed().as_millis();
        println!("{took:>4} ms  {error}");
    }
    sleep(Duration::from_secs(3600)).await;
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::runtime::Handle;

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_stops_the_others() {
        let start = Instant::now();
        let tables = vec![table("orders", 900), table("users", 100)];
        assert!(copy_all(tables).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
        // The last one fails: the first stays copied.
        let tables = vec![table("orders", 50), table("users", 100)];
        let error = copy_all(tables).await.expect_err("users fail");
        assert_eq!(error.to_string(), "users: a row cannot be read");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_stops_the_others_and_has_its_table() {
        let tables = vec![table("orders", 900), table("carts", 100)];
        let error = copy_all(tables).await.expect_err("carts panic");
        let error = error.to_string();
        assert!(error.starts_with("carts: "), "{error}");
        assert!(error.contains("a cart without an owner"), "{error}");
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_copy_running() {
        at_every_poll(async |cancel| {
            let tables = vec![table("orders", 10), table("users", 20)];
            cancel.run(copy_all(tables)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_does_not_hold_a_failure_back() {
        let mut tables = vec![table("orders", u64::MAX >> 20); 20];
        tables.push(table("users", 100));
        let work = within(Duration::from_secs(1), copy_all(tables));
        assert!(work.await.is_err());
        // And a copy that is silent is a failure.
        let silent = copy_all(vec![table("orders", u64::MAX >> 20)]);
        let error = within(HOUR, silent).await;
        let error = error.expect_err("it's silent").to_string();
        assert_eq!(error, "orders: deadline has elapsed");
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_table_and_one_table_twice() {
        assert!(copy_all(Vec::new()).await.is_ok());
        let twice = vec![table("orders", 10), table("orders", 20)];
        let start = Instant::now();
        assert!(copy_all(twice).await.is_ok());
        assert_eq!(start.elapsed(), Duration::from_millis(20));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_no_copy_runs_after_the_failure() {
        let tables = vec![table("orders", 900), table("users", 1)];
        // Spawned, so its future is `Send`.
        let outcome = tokio::spawn(copy_all(tables)).await;
        assert!(outcome.expect("no panic").is_err());
        let metrics = Handle::current().metrics();
        // A task is counted until its memory is given back.
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
