//! Retries with a library: backon.

// ANCHOR: backon
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::time::{Instant, sleep, timeout};

/// The timeout for all tries and pauses together.
const TOTAL: Duration = Duration::from_secs(10);

/// Reads the price with up to five tries of at most a second each. The
/// pauses start at 100 ms and double. backon's jitter at most doubles a
/// pause, so the longest pause is shorter than 1.6 s.
async fn price(server: &Server) -> Result<u32, Refused> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(4) // after the first
        .with_jitter();
    let ask = || async {
        let answer = timeout(Duration::from_secs(1), server.ask());
        answer.await.unwrap_or(Err(Refused::Silent))
    };
    let start = Instant::now();
    let tries = ask
        .retry(pauses)
        .sleep(sleep)
        .when(|refused| *refused != Refused::Forbidden)
        // If the server asks for a wait, add it to the backoff's
        // pause, so that the jitter stays. If too little time is left,
        // `None` stops the retries, and the caller gets the error.
        .adjust(|refused, pause| {
            let pause = match refused {
                Refused::BusyFor(wait) => pause?.saturating_add(*wait),
                _ => pause?,
            };
            (pause < TOTAL.saturating_sub(start.elapsed()))
                .then_some(pause)
        })
        .notify(|refused, _pause| println!("  {refused:?}, retrying"));
    timeout(TOTAL, tries).await.unwrap_or(Err(Refused::Silent))
}
// ANCHOR_END: backon

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Refused {
    Busy,
    BusyFor(Duration),
    Forbidden,
    Silent,
}

/// Refuses `left` requests, and then answers.
struct Server {
    left: AtomicU32,
    refuses: Mutex<Refused>,
}

impl Server {
    fn new(times: u32, refuses: Refused) -> Self {
        Self { left: times.into(), refuses: refuses.into() }
    }

    async fn ask(&self) -> Result<u32, Refused> {
        let order = Ordering::Relaxed;
        let left = self
            .left
            .fetch_update(order, order, |left| left.checked_sub(1));
        let refuses = *self.refuses.lock().expect("no panic");
        match (left, refuses) {
            (Err(_none), _) => Ok(42),
            (Ok(_), Refused::Silent) => std::future::pending().await,
            (Ok(_), refuses) => Err(refuses),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (times, refuses) in [
        (2, Refused::Busy),
        (9, Refused::Busy),
        (1, Refused::Silent),
        (1, Refused::BusyFor(Duration::from_secs(2))),
        (1, Refused::BusyFor(Duration::from_secs(3600))),
        (1, Refused::Forbidden),
    ] {
        println!("{refuses:?} {times} times");
        println!("  {:?}", price(&Server::new(times, refuses)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_is_retried_four_times_if_it_may_pass() {
        let busy = Server::new(4, Refused::Busy);
        assert_eq!(price(&busy).await, Ok(42));
        let busy = Server::new(5, Refused::Busy);
        assert_eq!(price(&busy).await, Err(Refused::Busy));
        let forbidden = Server::new(9, Refused::Forbidden);
        assert_eq!(price(&forbidden).await, Err(Refused::Forbidden));
        assert_eq!(forbidden.left.load(Ordering::Relaxed), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_pauses_are_as_long_as_the_comment_says() {
        for _ in 0..100 {
            let start = Instant::now();
            let busy = Server::new(5, Refused::Busy);
            assert_eq!(price(&busy).await, Err(Refused::Busy));
            // 100, 200, 400, and 800 ms, and up to as much again.
            assert!(start.elapsed() >= Duration::from_millis(1500));
            assert!(start.elapsed() < Duration::from_millis(3010));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_servers_say_when_and_are_not_asked_before() {
        let two = Duration::from_secs(2);
        let start = Instant::now();
        let busy = Server::new(3, Refused::BusyFor(two));
        assert_eq!(price(&busy).await, Ok(42));
        assert!(start.elapsed() > two * 3);
        let hour = Refused::BusyFor(Duration::from_secs(3600));
        let start = Instant::now();
        assert_eq!(price(&Server::new(1, hour)).await, Err(hour));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_bounded_and_retried() {
        let silent = Server::new(1, Refused::Silent);
        assert_eq!(price(&silent).await, Ok(42));
        let silent = Server::new(99, Refused::Silent);
        let ended = price(&silent);
        let limit = Duration::from_secs(5 + 4);
        let ended = hazards::within(limit, ended).await;
        assert_eq!(ended, Err(Refused::Silent));
        // The last try starts late, so it has less than a second.
        let wait = TOTAL - Duration::from_millis(500);
        let server = Server::new(99, Refused::BusyFor(wait));
        let falls_silent = async {
            sleep(wait / 2).await;
            *server.refuses.lock().expect("no panic") = Refused::Silent;
        };
        let limit = TOTAL + Duration::from_millis(100);
        let ended = hazards::within(limit, price(&server));
        let (ended, ()) = tokio::join!(ended, falls_silent);
        assert_eq!(ended, Err(Refused::Silent));
    }

    /// The caller gets the server's error before the timeout.
    #[tokio::test(start_paused = true)]
    async fn slow_servers_are_left_alone_if_too_little_time_is_left() {
        let three = Refused::BusyFor(Duration::from_secs(3));
        let busy = Server::new(99, three);
        assert_eq!(
            hazards::within(TOTAL, price(&busy)).await,
            Err(three)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_spread_over_time() {
        use std::collections::BTreeMap;
        let start = Instant::now();
        let ended = Mutex::new(BTreeMap::<u128, u32>::new());
        let clients = (0..100).map(async |_| {
            let asked = price(&Server::new(1, Refused::Busy)).await;
            assert_eq!(asked, Ok(42));
            let at = start.elapsed().as_millis();
            let mut ended = ended.lock().expect("no panic");
            *ended.entry(at).or_default() += 1;
        });
        futures::future::join_all(clients).await;
        // A hundred second tries are spread over as many milliseconds.
        let ended = ended.into_inner().expect("no panic");
        assert!(ended.values().all(|count| *count < 20), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_tries() {
        hazards::at_every_poll(async |cancel| {
            let busy = Server::new(3, Refused::Busy);
            let ended = cancel.run(price(&busy)).await;
            let left = busy.left.load(Ordering::Relaxed);
            tokio::time::sleep(hazards::HOUR).await;
            assert_eq!(busy.left.load(Ordering::Relaxed), left);
            assert!(ended.is_none_or(|ended| ended == Ok(42)));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_it() {
        let asked = tokio::spawn(async {
            price(&Server::new(1, Refused::Busy)).await
        });
        assert_eq!(asked.await.expect("no panic"), Ok(42));
    }
}
