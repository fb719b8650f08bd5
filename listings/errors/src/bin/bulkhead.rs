//! Limit how many workers one slow peer can use.

// ANCHOR: bulkhead
use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

/// Limits how many requests may wait for one peer.
struct Peer {
    places: Semaphore,
    /// The timeout, so that a silent peer's permits are released.
    limit: Duration,
}

impl Peer {
    /// Calls the peer if a permit is free; otherwise refuses
    /// immediately, so that the caller's worker is free for requests
    /// that need another peer. Dropping the call returns its permit.
    async fn ask<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, Refused> {
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| Refused::Busy)?;
        let answer = timeout(self.limit, call).await;
        answer.map_err(|_elapsed| Refused::TooLate)
    }
}

#[derive(Debug, PartialEq)]
enum Refused {
    /// All permits of this peer are in use: the call wasn't made.
    Busy,
    /// No answer in time. You don't know whether the peer acted.
    TooLate,
}
// ANCHOR_END: bulkhead

use futures::future::join_all;
use tokio::time::{Instant, sleep};

struct Service {
    /// All requests in progress.
    workers: Semaphore,
    maps: Peer,
    prices: Peer,
}

impl Service {
    /// `places` for each peer, of sixteen workers in all.
    fn new(places: usize) -> Self {
        let limit = Duration::from_secs(30);
        let peer = || Peer { places: Semaphore::new(places), limit };
        Self {
            workers: Semaphore::new(16),
            maps: peer(),
            prices: peer(),
        }
    }

    async fn handle(
        &self,
        peer: &Peer,
        call: impl Future<Output = ()>,
    ) -> Result<(), Refused> {
        let worker = self.workers.acquire().await;
        let _worker = worker.expect("it is never closed");
        peer.ask(call).await
    }
}

/// Twenty requests need maps, from a peer that hangs, and twenty need
/// prices. When has the last of the prices been answered?
async fn run(places: usize) -> Duration {
    let service = Service::new(places);
    let start = Instant::now();
    let maps = (0..20)
        .map(|_| service.handle(&service.maps, std::future::pending()));
    let prices = (0..20).map(|_| {
        let price = sleep(Duration::from_millis(10));
        service.handle(&service.prices, price)
    });
    let prices = async {
        join_all(prices).await;
        start.elapsed()
    };
    let (_maps, took) = tokio::join!(join_all(maps), prices);
    took
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for places in [100, 8] {
        let took = run(places).await.as_millis();
        println!(
            "{places:>3} places for each peer: prices after {took} ms"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn peer(places: usize) -> Peer {
        let limit = Duration::from_secs(1);
        Peer { places: Semaphore::new(places), limit }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_peer_leaves_the_others() {
        assert!(run(100).await >= Duration::from_secs(30));
        assert!(run(8).await < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_gives_the_places_back() {
        let peer = peer(2);
        let hang = || peer.ask(std::future::pending::<()>());
        let ended = tokio::join!(hang(), hang());
        let late = Err(Refused::TooLate);
        assert_eq!(ended, (late, Err(Refused::TooLate)));
        assert_eq!(peer.places.available_permits(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_immediately() {
        let peer = peer(2);
        let slow = || peer.ask(sleep(Duration::from_millis(10)));
        let ended = join_all((0..5).map(|_| slow())).await;
        let refused = |it: &&_| **it == Err(Refused::Busy);
        assert_eq!(ended.iter().filter(refused).count(), 3);
        assert_eq!(slow().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_calls_hold_no_place_for_longer_than_the_limit() {
        let peer = peer(1);
        let slow = peer.ask(sleep(hazards::HOUR));
        let limit = Duration::from_millis(1001);
        let ended = hazards::within(limit, slow).await;
        assert_eq!(ended, Err(Refused::TooLate));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_place_back() {
        hazards::at_every_poll(async |cancel| {
            let peer = peer(1);
            let call = sleep(Duration::from_millis(10));
            cancel.run(peer.ask(call)).await;
            assert_eq!(peer.places.available_permits(), 1);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_gives_the_place_back() {
        let peer = Arc::new(peer(1));
        let asking = Arc::clone(&peer);
        let asked = tokio::spawn(async move {
            asking.ask(async { panic!("no map") }).await
        });
        assert!(asked.await.is_err_and(|error| error.is_panic()));
        assert_eq!(peer.places.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_place_refuses_all() {
        assert_eq!(peer(0).ask(async {}).await, Err(Refused::Busy));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_never_share_a_place() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let peer = Arc::new(peer(3));
        let inside = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let peer = Arc::clone(&peer);
            let inside = Arc::clone(&inside);
            tasks.spawn(async move {
                peer.ask(async {
                    let before = inside.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    before
                })
                .await
            });
        }
        for asked in tasks.join_all().await {
            assert!(asked.is_err() || asked.is_ok_and(|it| it < 3));
        }
        assert_eq!(peer.places.available_permits(), 3);
    }
}
