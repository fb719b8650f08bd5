//! The first failure ends all copies, and is told when they ended.

use std::{error::Error, fmt, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: copy_all
/// Copies all tables, or none: at the first failure, the others are
/// aborted, and this returns when each of them has ended.
///
/// # Errors
///
/// What the first one that failed says.
async fn copy_all() -> Result<(), Box<dyn Error>> {
    let mut copies = JoinSet::new();
    copies.spawn(copy("orders", 900));
    copies.spawn(copy("users", 100));
    while let Some(joined) = copies.join_next().await {
        let outcome = joined.map_err(Box::<dyn Error>::from);
        if let Err(error) = outcome.and_then(|copy| Ok(copy?)) {
            copies.shutdown().await;
            return Err(error);
        }
    }
    Ok(())
}
// ANCHOR_END: copy_all

/// Copies a table, and tells when it is done; `users` has a fault.
async fn copy(table: &'static str, millis: u64) -> Result<(), Fault> {
    sleep(Duration::from_millis(millis)).await;
    match table {
        "users" => Err(Fault(table)),
        _ => {
            println!("{millis:>4} ms  {table} is copied");
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

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    if let Err(error) = copy_all().await {
        let took = start.elapsed().as_millis();
        println!("{took:>4} ms  {error}");
    }
    sleep(Duration::from_secs(3600)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_ends_all() {
        let start = Instant::now();
        assert!(copy_all().await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        let metrics = tokio::runtime::Handle::current().metrics();
        assert_eq!(metrics.num_alive_tasks(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_have_ended_on_many_threads() {
        assert!(copy_all().await.is_err());
        let metrics = tokio::runtime::Handle::current().metrics();
        // A task is counted until its memory is given back.
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
