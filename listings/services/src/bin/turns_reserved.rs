//! What the fix does, in one line: its caption.

use tokio::time::{Duration, Instant, sleep};

async fn settle(invoice: u32) -> u32 {
    sleep(Duration::from_millis(100)).await;
    invoice
}

// ANCHOR: pattern
/// Settles two invoices. Neither one waits for the other.
async fn settle_both() -> [u32; 2] {
    let (first, second) = tokio::join!(settle(7), settle(8));
    [first, second]
}
// ANCHOR_END: pattern

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let invoices = settle_both().await;
    println!(
        "{:>4} ms  invoices {invoices:?} settled",
        start.elapsed().as_millis()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takes_as_long_as_one() {
        let start = Instant::now();
        assert_eq!(settle_both().await, [7, 8]);
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }
}
