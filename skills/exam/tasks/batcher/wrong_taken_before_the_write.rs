//! Fails: canceled_calls_lose_nothing, a_failed_batch_is_written_without_delay
//! `mem::take` empties the batch before it's written: a `write` that fails or is canceled loses it.

use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub struct Batcher<T> {
    items: mpsc::Receiver<T>,
    size: usize,
    delay: Duration,
    batch: Vec<T>,
    due: Option<Instant>,
}

impl<T> Batcher<T> {
    pub fn new(items: mpsc::Receiver<T>, size: usize, delay: Duration) -> Self {
        Self {
            items,
            size,
            delay,
            batch: Vec::new(),
            due: None,
        }
    }

    pub async fn run(
        &mut self,
        mut write: impl AsyncFnMut(&[T]) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let mut open = true;
            while open && self.batch.len() < self.size {
                let item = match self.due {
                    None => Ok(self.items.recv().await),
                    Some(due) => timeout_at(due, self.items.recv()).await,
                };
                match item {
                    Ok(Some(item)) => {
                        self.batch.push(item);
                        self.due.get_or_insert_with(|| Instant::now() + self.delay);
                    }
                    Ok(None) => open = false,
                    Err(_) => break,
                }
            }
            if self.batch.is_empty() {
                return Ok(());
            }
            self.due = None;
            let batch = std::mem::take(&mut self.batch);
            write(&batch).await?;
        }
    }
}
