//! Wrong: a pool without timeouts, and every connection is in use.

use deadpool::{
    Runtime,
    managed::{
        BuildError, Manager, Metrics, Object, Pool, RecycleResult,
    },
};
use tokio::time::{Duration, timeout};

// ANCHOR: wrong
fn open() -> Result<Pool<Orders>, BuildError> {
    // Wrong: by default, deadpool has no timeouts.
    Pool::builder(Orders).max_size(2).runtime(Runtime::Tokio1).build()
}
// ANCHOR_END: wrong

struct Orders;

struct Session;

impl Manager for Orders {
    type Type = Session;
    type Error = std::io::Error;

    async fn create(&self) -> std::io::Result<Session> {
        Ok(Session)
    }

    async fn recycle(
        &self,
        _session: &mut Session,
        _metrics: &Metrics,
    ) -> RecycleResult<std::io::Error> {
        Ok(())
    }
}

/// Two reports keep their sessions. What does a request get?
async fn request() -> Result<Option<String>, BuildError> {
    let pool = open()?;
    let _reports: [Option<Object<Orders>>; 2] =
        [pool.get().await.ok(), pool.get().await.ok()];
    let hour = Duration::from_secs(3600);
    Ok(match timeout(hour, pool.get()).await {
        Ok(Ok(_session)) => Some("it has a session".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => None,
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), BuildError> {
    match request().await? {
        Some(answer) => println!("the request: {answer}"),
        None => println!("the request waited for an hour"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_a_request_behind_two_reports()
    -> Result<(), BuildError> {
        assert_eq!(request().await?, None);
        Ok(())
    }
}
