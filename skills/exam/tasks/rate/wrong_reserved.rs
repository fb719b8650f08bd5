//! Fails: a_canceled_waiter_gives_back_its_place
//! Each caller reserves its moment. A canceled one gives its tokens back, but those behind it keep their moments.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
pub struct TooMany;

pub struct Rate {
    period: Duration,
    burst: u32,
    full_at: Mutex<Instant>,
}

struct Refund<'a> {
    rate: &'a Rate,
    n: u32,
}

impl Drop for Refund<'_> {
    fn drop(&mut self) {
        *self.rate.full_at.lock().unwrap() -= self.rate.period * self.n;
    }
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
        let at = {
            let mut full_at = self.full_at.lock().unwrap();
            *full_at = (*full_at).max(Instant::now()) + self.period * n;
            *full_at - self.period * self.burst
        };
        let refund = Refund { rate: self, n };
        sleep_until(at).await;
        std::mem::forget(refund);
        Ok(())
    }
}
