//! More requests arrive than can be served: which ones to reject, and when?

// ANCHOR: handle
use tokio::{
    sync::Semaphore,
    time::{Duration, sleep, timeout},
};

/// Serves ten requests at a time.
struct Service {
    places: Semaphore,
    /// How long a request may wait for a permit.
    patience: Duration,
    /// How long it may hold the permit.
    limit: Duration,
}

impl Service {
    /// Rejects requests that can't start before the caller gives up.
    /// Both limits together must be shorter than the caller's timeout.
    /// Dropping the call returns its permit.
    async fn handle<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Refused> {
        let place = timeout(self.patience, self.places.acquire()).await;
        let _place = place
            .map_err(|_elapsed| Refused::Overloaded)?
            .map_err(|_closed| Refused::Stopping)?;
        let done = timeout(self.limit, work).await;
        done.map_err(|_elapsed| Refused::TooLate)
    }
}

#[derive(Debug, PartialEq)]
enum Refused {
    /// It wasn't started, so the caller may try elsewhere.
    Overloaded,
    /// The semaphore is closed: the service is shutting down.
    Stopping,
    /// It was started, and timed out.
    TooLate,
}
// ANCHOR_END: handle

use futures::future::join_all;

/// Callers give up after a second.
const CALLER: Duration = Duration::from_secs(1);

fn service(patience: Duration) -> Service {
    let limit = Duration::from_millis(500);
    Service { places: Semaphore::new(10), patience, limit }
}

/// 150 requests a second for ten seconds, where 100 can be done: how
/// many were useful, refused, and given up by their callers?
async fn run(patience: Duration) -> (usize, usize, usize) {
    let service = service(patience);
    let requests = (0..1500_u64).map(async |number| {
        sleep(Duration::from_micros(number * 6_667)).await;
        let work = async { sleep(Duration::from_millis(100)).await };
        timeout(CALLER, service.handle(work)).await
    });
    let (mut useful, mut refused, mut given_up) = (0, 0, 0);
    for ended in join_all(requests).await {
        match ended {
            Ok(Ok(())) => useful += 1,
            Ok(Err(_)) => refused += 1,
            Err(_elapsed) => given_up += 1,
        }
    }
    (useful, refused, given_up)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for patience_ms in [60_000, 200] {
        let patience = Duration::from_millis(patience_ms);
        let (useful, refused, given_up) = run(patience).await;
        println!(
            "patience {patience_ms:>5} ms: useful {useful}, refused {refused}, given up {given_up}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_before_the_callers_give_up() {
        let (_, refused, given_up) = run(CALLER * 60).await;
        assert_eq!(refused, 0);
        assert!(given_up > 300, "{given_up}");
        let (useful, refused, given_up) = run(PATIENCE).await;
        assert_eq!(given_up, 0);
        assert_eq!(useful + refused, 1500);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_all_gives_the_places_back() {
        let service = service(PATIENCE);
        let silent = (0..21).map(|_| service.handle(pending::<()>()));
        let silent = join_all(silent).await;
        let late =
            silent.iter().filter(|it| **it == Err(Refused::TooLate));
        assert_eq!(late.count(), 10);
        assert_eq!(service.places.available_permits(), 10);
        assert_eq!(service.handle(async { 7 }).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_work_ends_within_both_limits() {
        let service = service(PATIENCE);
        let slow =
            (0..30).map(|_| service.handle(sleep(hazards::HOUR)));
        let limit = Duration::from_millis(701);
        hazards::within(limit, join_all(slow)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_place_back() {
        hazards::at_every_poll(async |cancel| {
            let service = service(PATIENCE);
            let work = sleep(Duration::from_millis(10));
            cancel.run(service.handle(work)).await;
            assert_eq!(service.places.available_permits(), 10);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_in_the_queue_leaves_the_queue() {
        let service = service(PATIENCE);
        let busy = service.places.acquire_many(10).await;
        hazards::at_every_poll(async |cancel| {
            let refused = cancel.run(service.handle(async {})).await;
            assert!(refused.is_none_or(|it| it.is_err()));
        })
        .await;
        drop(busy);
        assert_eq!(service.handle(async {}).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_gives_the_place_back() {
        let service = Arc::new(service(PATIENCE));
        for _ in 0..20 {
            let service = Arc::clone(&service);
            let work = async { panic!("no such order") };
            let task = tokio::spawn(async move {
                service.handle::<()>(work).await
            });
            assert!(task.await.is_err_and(|error| error.is_panic()));
        }
        assert_eq!(service.places.available_permits(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_what_waits_and_finishes_what_runs() {
        let service = service(PATIENCE);
        let work = sleep(Duration::from_millis(100));
        let runs = service.handle(work);
        let stops = async {
            sleep(Duration::from_millis(50)).await;
            service.places.close();
            service.handle(async {}).await
        };
        let ended = tokio::join!(runs, stops);
        assert_eq!(ended, (Ok(()), Err(Refused::Stopping)));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_patience_and_no_place() {
        let service = service(Duration::ZERO);
        assert_eq!(service.handle(async { 7 }).await, Ok(7));
        let _all = service.places.acquire_many(10).await;
        let refused = service.handle(async { 7 }).await;
        assert_eq!(refused, Err(Refused::Overloaded));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_place() {
        let service = Arc::new(service(PATIENCE));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..500 {
            let service = Arc::clone(&service);
            let work = tokio::task::yield_now();
            tasks.spawn(async move { service.handle(work).await });
        }
        assert!(tasks.join_all().await.iter().all(Result::is_ok));
        assert_eq!(service.places.available_permits(), 10);
    }
}
