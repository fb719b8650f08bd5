//! Fails: canceled_calls_do_not_postpone_a_batch, a_failed_batch_is_written_without_delay
//! The batch is kept, but each call starts its delay anew.

use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub struct Batcher<T> {
    items: mpsc::Receiver<T>,
    size: usize,
    delay: Duration,
    batch: Vec<T>,
}

impl<T> Batcher<T> {
    pub fn new(items: mpsc::Receiver<T>, size: usize, delay: Duration) -> Self {
        Self {
            items,
            size,
            delay,
            batch: Vec::new(),
        }
    }

    pub async fn run(
        &mut self,
        mut write: impl AsyncFnMut(&[T]) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            if self.batch.is_empty() {
                match self.items.recv().await {
                    Some(item) => self.batch.push(item),
                    None => return Ok(()),
                }
            }
            let deadline = Instant::now() + self.delay;
            while self.batch.len() < self.size {
                tokio::select! {
                    biased;
                    item = self.items.recv() => match item {
                        Some(item) => self.batch.push(item),
                        None => break,
                    },
                    () = sleep_until(deadline) => break,
                }
            }
            write(&self.batch).await?;
            self.batch.clear();
        }
    }
}
