//! A pool that returns an error if no connection is free within two seconds.

use deadpool::{
    Runtime,
    managed::{
        BuildError, Manager, Metrics, Object, Pool, RecycleResult,
    },
};
use tokio::time::{Duration, timeout};

// ANCHOR: limits
fn open() -> Result<Pool<Orders>, BuildError> {
    Pool::builder(Orders)
        .max_size(2)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(Duration::from_secs(2)))
        .create_timeout(Some(Duration::from_secs(5)))
        .recycle_timeout(Some(Duration::from_secs(1)))
        .build()
}
// ANCHOR_END: limits

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
    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_a_request_behind_two_reports()
    -> Result<(), BuildError> {
        let start = Instant::now();
        let answer = request().await?.expect("within an hour");
        assert!(answer.starts_with("Timeout"), "{answer}");
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_costs_no_place() {
        at_every_poll(async |cancel| {
            let pool = open().expect("it has a runtime");
            let held = [pool.get().await.ok(), pool.get().await.ok()];
            let release = async { drop(held) };
            let get = cancel.run(async { drop(pool.get().await) });
            tokio::join!(biased; get, release);
            let two =
                async { tokio::try_join!(pool.get(), pool.get()) };
            assert!(within(HOUR, two).await.is_ok());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_the_request() {
        let pool = open().expect("it has a runtime");
        let held = (pool.get().await, pool.get().await);
        let close = async { pool.close() };
        let (request, ()) = tokio::join!(biased; pool.get(), close);
        assert!(request.is_err_and(|error| {
            error.to_string().contains("closed")
        }));
        drop(held);
    }
}
