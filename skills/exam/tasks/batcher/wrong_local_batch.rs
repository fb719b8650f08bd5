//! Fails: canceled_calls_lose_nothing, canceled_calls_do_not_postpone_a_batch, a_failed_batch_is_written_without_delay
//! The batch is a local variable, and is dropped with a canceled `run`.

use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub struct Batcher<T> {
    items: mpsc::Receiver<T>,
    size: usize,
    delay: Duration,
}

impl<T> Batcher<T> {
    pub fn new(items: mpsc::Receiver<T>, size: usize, delay: Duration) -> Self {
        Self { items, size, delay }
    }

    pub async fn run(
        &mut self,
        mut write: impl AsyncFnMut(&[T]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut batch = Vec::with_capacity(self.size);
        while let Some(first) = self.items.recv().await {
            batch.push(first);
            let deadline = Instant::now() + self.delay;
            while batch.len() < self.size {
                match timeout_at(deadline, self.items.recv()).await {
                    Ok(Some(item)) => batch.push(item),
                    Ok(None) | Err(_) => break,
                }
            }
            write(&batch).await?;
            batch.clear();
        }
        Ok(())
    }
}
