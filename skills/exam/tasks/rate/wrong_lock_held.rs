//! Fails: an_unpolled_waiter_holds_up_nobody
//! The lock makes a fair queue, but whoever holds it must be polled.

use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
pub struct TooMany;

pub struct Rate {
    period: Duration,
    burst: u32,
    full_at: Mutex<Instant>,
}

impl Rate {
    pub fn new(per_second: u32, burst: u32) -> Self {
        let period = Duration::from_secs(1) / per_second;
        Self {
            period,
            burst,
            full_at: Mutex::new(Instant::now()),
        }
    }

    pub async fn acquire(&self, n: u32) -> Result<(), TooMany> {
        if n > self.burst {
            return Err(TooMany);
        }
        let mut full_at = self.full_at.lock().await;
        let next = (*full_at).max(Instant::now()) + self.period * n;
        sleep_until(next - self.period * self.burst).await;
        *full_at = next;
        Ok(())
    }
}
