//! Wait until a value is set; a late caller gets it immediately.

// ANCHOR: ready
use std::sync::Arc;

use tokio::{
    sync::{SetOnce, SetOnceError},
    time::{Duration, error::Elapsed, sleep, timeout},
};

/// The port of the server, as soon as there is one.
type Port = Arc<SetOnce<u16>>;

/// Starts the server. Fails if it was started before.
async fn start(port: Port) -> Result<(), SetOnceError<u16>> {
    sleep(Duration::from_millis(300)).await;
    port.set(8080)
}

/// Waits for the port. The timeout is necessary: if the task that
/// starts the server fails, the port is never set, and this would
/// wait forever.
async fn call(name: &str, port: &SetOnce<u16>) -> Result<u16, Elapsed> {
    let limit = Duration::from_secs(10);
    let port = *timeout(limit, port.wait()).await?;
    println!("{name} calls port {port}");
    Ok(port)
}
// ANCHOR_END: ready

async fn run() -> Result<[u16; 3], Elapsed> {
    let port = Port::default();
    let (early, other, started) = tokio::join!(
        call("early", &port),
        call("just as early", &port),
        start(Arc::clone(&port))
    );
    if started.is_err() {
        println!("it was started before");
    }
    Ok([early?, other?, call("late", &port).await?])
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Elapsed> {
    run().await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_start_is_missed_by_nobody() {
        assert_eq!(run().await, Ok([8080; 3]));
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_second_start_is_refused() {
        let port = Port::default();
        assert!(start(Arc::clone(&port)).await.is_ok());
        let again = start(Arc::clone(&port)).await;
        assert!(again.is_err());
        assert_eq!(port.get(), Some(&8080));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_ends_the_wait() {
        let port = Port::default();
        let calls = (0..17).map(|_| call("client", &port));
        let calls = futures::future::join_all(calls);
        let called = within(HOUR, calls).await;
        assert!(called.iter().all(Result::is_err));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_start_ends_the_wait() {
        let port = Port::default();
        let starting = tokio::spawn(start(Arc::clone(&port)));
        starting.abort();
        assert!(within(HOUR, call("client", &port)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_port_for_others() {
        at_every_poll(async |cancel| {
            let port = Port::default();
            let (_, other, started) = tokio::join!(
                cancel.run(call("client", &port)),
                call("other", &port),
                start(Arc::clone(&port))
            );
            assert_eq!(other, Ok(8080));
            assert!(started.is_ok());
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_set_it_once_and_all_see_it() {
        for _ in 0..200 {
            let port = Port::default();
            let mut tasks = tokio::task::JoinSet::new();
            for number in 1..=4 {
                let port = Arc::clone(&port);
                tasks.spawn(async move {
                    let is_set = port.set(number).is_ok();
                    (is_set, *port.wait().await)
                });
            }
            let seen = tasks.join_all().await;
            assert_eq!(seen.iter().filter(|it| it.0).count(), 1);
            assert!(seen.iter().all(|it| it.1 == seen[0].1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_start_right_before_the_limit_counts() {
        let port = Port::default();
        let set = async {
            sleep(Duration::from_millis(9_999)).await;
            port.set(8080)
        };
        let (set, called) = tokio::join!(set, call("client", &port));
        assert!(set.is_ok());
        assert_eq!(called, Ok(8080));
    }
}
