//! One deadline for a request, passed down to every call it makes.

// ANCHOR: deadline
use tokio::time::{Duration, Instant, timeout_at};

/// When the caller stops waiting. Passed down, it's never extended.
#[derive(Clone, Copy)]
struct Deadline(Instant);

/// The step that was dropped, or not started.
#[derive(Debug, PartialEq)]
struct TooLate(&'static str);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Deadline {
    /// A day at most: the sum must not overflow.
    fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit.min(DAY))
    }

    /// This deadline, or `limit` from now if that is earlier.
    fn at_most(self, limit: Duration) -> Self {
        Self(self.0.min(Self::after(limit).0))
    }

    /// The time that is left: send it to another service in a header.
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    async fn run<Step: Future>(
        self,
        step: &'static str,
        future: Step,
    ) -> Result<Step::Output, TooLate> {
        // Don't start a step that would be too late.
        if self.left().is_zero() {
            return Err(TooLate(step));
        }
        timeout_at(self.0, future).await.map_err(|_| TooLate(step))
    }
}
// ANCHOR_END: deadline

// ANCHOR: handler
/// Asks the stock first, and then the bank.
async fn order(stock_ms: u64, bank_ms: u64) -> Result<(), TooLate> {
    let deadline = Deadline::after(Duration::from_millis(300));
    // The stock may take 200 ms of it, so that something is left for
    // the bank.
    let stock = deadline.at_most(Duration::from_millis(200));
    stock.run("stock", call(stock_ms)).await?;
    println!(
        "  for the bank, {} ms are left",
        deadline.left().as_millis()
    );
    deadline.run("bank", call(bank_ms)).await
}
// ANCHOR_END: handler

/// A service that answers after this many milliseconds.
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
    async fn slow_steps_have_what_is_left() {
        assert_eq!(order(50, 100).await, Ok(()));
        assert_eq!(order(250, 100).await, Err(TooLate("stock")));
        assert_eq!(order(150, 200).await, Err(TooLate("bank")));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_step_ends_at_the_deadline() {
        let start = Instant::now();
        assert_eq!(order(50, 9999).await, Err(TooLate("bank")));
        assert_eq!(start.elapsed(), Duration::from_millis(300));
        let start = Instant::now();
        assert_eq!(order(9999, 1).await, Err(TooLate("stock")));
        assert_eq!(start.elapsed(), Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_time_at_all_starts_nothing() {
        let passed = Deadline::after(Duration::ZERO);
        let mut is_started = false;
        let step = async { is_started = true };
        let late = passed.run("call", step).await;
        assert_eq!(late, Err(TooLate("call")));
        assert!(!is_started);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_all_the_time_in_the_world() {
        let far = Deadline::after(Duration::MAX);
        assert_eq!(far.run("call", call(1)).await, Ok(()));
        let near = far.at_most(Duration::from_millis(1));
        assert_eq!(near.at_most(Duration::MAX).0, near.0);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_less_than_a_millisecond_is_left() {
        let deadline = Deadline::after(Duration::from_micros(10));
        assert_eq!(deadline.run("call", async {}).await, Ok(()));
        let late = deadline.run("call", call(5)).await;
        assert_eq!(late, Err(TooLate("call")));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_step() {
        hazards::at_every_poll(async |cancel| {
            let step = std::sync::Arc::new(());
            let held = std::sync::Arc::clone(&step);
            let work = async move {
                call(5).await;
                drop(held);
            };
            let deadline = Deadline::after(DAY);
            cancel.run(deadline.run("call", work)).await;
            assert_eq!(std::sync::Arc::strong_count(&step), 1);
        })
        .await;
    }
}
