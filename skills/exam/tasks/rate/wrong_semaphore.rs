//! Fails: idle_time_saves_one_burst
//! A waiter that gives up returns its tokens to a bucket that has been refilled in the meantime.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::interval;

#[derive(Debug)]
pub struct TooMany;

pub struct Rate {
    tokens: Arc<Semaphore>,
    burst: u32,
    refill: JoinHandle<()>,
}

impl Drop for Rate {
    fn drop(&mut self) {
        self.refill.abort();
    }
}

impl Rate {
    pub fn new(per_second: u32, burst: u32) -> Self {
        let tokens = Arc::new(Semaphore::new(burst as usize));
        let bucket = tokens.clone();
        let refill = tokio::spawn(async move {
            let mut ticks = interval(Duration::from_secs(1) / per_second);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                if bucket.available_permits() < burst as usize {
                    bucket.add_permits(1);
                }
            }
        });
        Self {
            tokens,
            burst,
            refill,
        }
    }

    pub async fn acquire(&self, n: u32) -> Result<(), TooMany> {
        if n > self.burst {
            return Err(TooMany);
        }
        let permits = self
            .tokens
            .acquire_many(n)
            .await
            .expect("it's never closed");
        permits.forget();
        Ok(())
    }
}
