//! Wrong: the standard library's clock ignores the paused clock.

// ANCHOR: wrong
use std::time::{Duration, Instant};

/// An exchange rate: when it was fetched.
struct Rate {
    fetched: Instant,
}

impl Rate {
    fn is_fresh(&self) -> bool {
        self.fetched.elapsed() < Duration::from_secs(60)
    }
}
// ANCHOR_END: wrong

use tokio::time::sleep;

async fn is_fresh_after(wait: Duration) -> bool {
    let rate = Rate { fetched: Instant::now() };
    sleep(wait).await;
    rate.is_fresh()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let hour = Duration::from_secs(3600);
    println!("fresh after an hour: {}", is_fresh_after(hour).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_paused_and_an_hour_later() {
        assert!(is_fresh_after(Duration::from_secs(3600)).await);
    }
}
