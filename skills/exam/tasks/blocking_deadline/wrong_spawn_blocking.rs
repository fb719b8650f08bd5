//! Fails: a_hanging_call_keeps_no_runtime
//! `#[tokio::main]` drops the runtime, which waits until each closure on its blocking pool has returned.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

#[derive(Debug, PartialEq)]
pub enum Failure {
    TimedOut,
    Panicked(String),
}

pub struct Calls {
    permits: Arc<Semaphore>,
}

impl Calls {
    pub fn new(limit: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limit)),
        }
    }

    pub async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let call = async {
            let permit = self.permits.clone().acquire_owned().await.unwrap();
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                f()
            })
            .await
        };
        match timeout(patience, call).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => {
                let panic = error.into_panic();
                let message = match panic.downcast::<String>() {
                    Ok(text) => *text,
                    Err(panic) => panic
                        .downcast_ref::<&str>()
                        .map_or_else(|| "unknown".to_owned(), |text| text.to_string()),
                };
                Err(Failure::Panicked(message))
            }
        }
    }
}
