//! Wrong: one error arrives late, and the other leaves a copy running.

use std::{error::Error, fmt, time::Duration};

use tokio::time::{Instant, sleep};

// ANCHOR: wrong
/// Wrong: `try_join!` looks for an `Err` from the *handles*, but a task
/// that returns `Err` is a handle that returns `Ok(Err(..))`. So it
/// waits for both tasks.
async fn copy_all() -> Result<(), Box<dyn Error>> {
    let orders = tokio::spawn(copy("orders", 900));
    let users = tokio::spawn(copy("users", 100));
    let (orders, users) = tokio::try_join!(orders, users)?;
    orders?;
    users?;
    Ok(())
}

/// Also wrong: this fails early, but the other task keeps running.
async fn copy_in_turn() -> Result<(), Box<dyn Error>> {
    let users = tokio::spawn(copy("users", 100));
    let _orders = tokio::spawn(copy("orders", 900));
    users.await??;
    Ok(())
}
// ANCHOR_END: wrong

/// Copies a table; `users` has a fault.
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
    let start = Instant::now();
    if let Err(error) = copy_in_turn().await {
        let took = start.elapsed().as_millis();
        println!("{took:>4} ms  {error}");
    }
    sleep(Duration::from_secs(3600)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_failure_comes_when_all_are_done() {
        let start = Instant::now();
        assert!(copy_all().await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(900));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_stops_the_others() {
        let start = Instant::now();
        assert!(copy_in_turn().await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(100));
        let metrics = tokio::runtime::Handle::current().metrics();
        // The mistake: the other copy is still running.
        assert_eq!(metrics.num_alive_tasks(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_fail_on_many_threads() {
        assert!(copy_all().await.is_err());
        assert!(copy_in_turn().await.is_err());
    }
}
