//! A plain thread, because a runtime that's dropped waits for `spawn_blocking`; the permit moves into the thread, until `f` returns.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

#[derive(Debug, PartialEq)]
pub enum Failure {
    TimedOut,
    /// With the message of the panic.
    Panicked(String),
}

pub struct Calls {
    places: Arc<Semaphore>,
}

impl Calls {
    pub fn new(limit: usize) -> Self {
        let places = Arc::new(Semaphore::new(limit));
        Self { places }
    }

    pub async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let called = async {
            let place = self.places.clone().acquire_owned().await;
            let place = place.expect("it's never closed");
            let (sender, output) = oneshot::channel();
            std::thread::spawn(move || {
                let output = catch_unwind(AssertUnwindSafe(f));
                drop(place);
                // Nobody waits anymore if the time was over.
                _ = sender.send(output);
            });
            output.await.expect("the thread always sends")
        };
        let called = timeout(patience, called).await;
        let output = called.map_err(|_| Failure::TimedOut)?;
        output.map_err(|panic| Failure::Panicked(message(&*panic)))
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
