//! What this listing shows, in one line: its caption.

use tokio::time::{Duration, Instant, sleep};

// ANCHOR: pattern
/// What it does, and what is lost when its future is dropped.
async fn settle(invoice: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    invoice
}
// ANCHOR_END: pattern

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let invoice = settle(7).await;
    println!(
        "{:>4} ms  invoice {invoice} settled",
        start.elapsed().as_millis()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takes_a_tenth_of_a_second() {
        let start = Instant::now();
        assert_eq!(settle(7).await, 7);
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_run_it_as_well() {
        assert_eq!(settle(7).await, 7);
    }
}
