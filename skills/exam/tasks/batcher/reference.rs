//! All that a canceled or failed `run` must not forget is in `self`: the batch, and when it's due.

use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub struct Batcher<T> {
    items: mpsc::Receiver<T>,
    size: usize,
    delay: Duration,
    /// What isn't written yet.
    batch: Vec<T>,
    due: Instant,
}

impl<T> Batcher<T> {
    pub fn new(items: mpsc::Receiver<T>, size: usize, delay: Duration) -> Self {
        Self {
            items,
            size,
            delay,
            batch: Vec::new(),
            due: Instant::now(),
        }
    }

    pub async fn run(
        &mut self,
        mut write: impl AsyncFnMut(&[T]) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            if self.batch.is_empty() {
                let Some(first) = self.items.recv().await else {
                    return Ok(());
                };
                self.batch.push(first);
                self.due = Instant::now() + self.delay;
            }
            let fill = async {
                while self.batch.len() < self.size
                    && let Some(item) = self.items.recv().await
                {
                    self.batch.push(item);
                }
            };
            // On a timeout, the batch is what is there.
            _ = timeout_at(self.due, fill).await;
            write(&self.batch).await?;
            self.batch.clear();
        }
    }
}
