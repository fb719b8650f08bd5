//! One deadline for a request, handed down to each call it makes.

// ANCHOR: deadline
use tokio::time::{Duration, Instant, timeout_at};

/// When the caller stops waiting. It is handed down, and never
/// extended: a step may be shorter, and not longer.
#[derive(Clone, Copy)]
struct Deadline(Instant);

#[derive(Debug, PartialEq)]
struct TooLate(&'static str);

impl Deadline {
    fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// At most so long, and never longer than the caller waits.
    fn at_most(self, limit: Duration) -> Self {
        Self(self.0.min(Instant::now() + limit))
    }

    /// What is left of it: to tell another service, in a header.
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    async fn run<Step: Future>(
        self,
        step: &'static str,
        future: Step,
    ) -> Result<Step::Output, TooLate> {
        // What cannot be done in time is not begun.
        if self.left().is_zero() {
            return Err(TooLate(step));
        }
        timeout_at(self.0, future).await.map_err(|_| TooLate(step))
    }
}
// ANCHOR_END: deadline

// ANCHOR: handler
/// A request: the stock is asked first, and then the bank.
async fn order(stock_ms: u64, bank_ms: u64) -> Result<(), TooLate> {
    let deadline = Deadline::after(Duration::from_millis(300));
    // The stock is to answer within 200 ms, so that the rest is
    // enough for the bank.
    let stock = deadline.at_most(Duration::from_millis(200));
    stock.run("stock", call(stock_ms)).await?;
    println!(
        "  for the bank, {} ms are left",
        deadline.left().as_millis()
    );
    deadline.run("bank", call(bank_ms)).await
}
// ANCHOR_END: handler

/// A service that answers after so many milliseconds.
async fn call(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (stock_ms, bank_ms) in [(50, 100), (250, 100), (150, 200)] {
        println!("stock {stock_ms} ms, bank {bank_ms} ms");
        println!("  {:?}", order(stock_ms, bank_ms).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_step_has_what_is_left() {
        assert_eq!(order(50, 100).await, Ok(()));
        assert_eq!(order(250, 100).await, Err(TooLate("stock")));
        assert_eq!(order(150, 200).await, Err(TooLate("bank")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_late_is_not_begun() {
        let passed = Deadline::after(Duration::ZERO);
        let mut is_begun = false;
        let step = async { is_begun = true };
        assert_eq!(
            passed.run("call", step).await,
            Err(TooLate("call"))
        );
        assert!(!is_begun);
    }
}
