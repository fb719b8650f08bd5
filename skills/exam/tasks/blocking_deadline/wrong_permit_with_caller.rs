//! Fails: the_time_is_limited, abandoned_calls_keep_their_places, canceled_callers_keep_their_places
//! The permit is the caller's, who gives it back when its time is over, although the call still blocks its thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

#[derive(Debug, PartialEq)]
pub enum Failure {
    TimedOut,
    Panicked(String),
}

pub struct Calls {
    permits: Semaphore,
}

fn message(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => text.to_string(),
            Err(_) => "unknown".to_owned(),
        },
    }
}

impl Calls {
    pub fn new(limit: usize) -> Self {
        Self {
            permits: Semaphore::new(limit),
        }
    }

    pub async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let call = async {
            let _permit = self.permits.acquire().await.unwrap();
            let (sender, receiver) = oneshot::channel();
            std::thread::spawn(move || {
                let _ = sender.send(catch_unwind(AssertUnwindSafe(f)));
            });
            receiver.await.unwrap()
        };
        match timeout(patience, call).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(output) => output.map_err(|panic| Failure::Panicked(message(panic))),
        }
    }
}
