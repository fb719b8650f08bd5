//! A slow peer gets a share of the service, and not all of it.

// ANCHOR: bulkhead
use tokio::{
    sync::Semaphore,
    time::{Duration, sleep},
};

/// So many requests may wait for one peer. The others are told at
/// once, so that what needs another peer goes on.
struct Peer {
    takes: Duration,
    places: Semaphore,
}

impl Peer {
    async fn ask(&self) -> Result<(), Busy> {
        let place = self.places.try_acquire();
        let _place = place.map_err(|_| Busy)?;
        sleep(self.takes).await;
        Ok(())
    }
}
// ANCHOR_END: bulkhead

use futures::future::join_all;
use tokio::time::Instant;

#[derive(Debug)]
struct Busy;

struct Service {
    /// All requests that are under way.
    workers: Semaphore,
    maps: Peer,
    prices: Peer,
}

impl Service {
    /// `places` for each peer, of sixteen workers in all.
    fn new(places: usize) -> Self {
        let peer = |ms| Peer {
            takes: Duration::from_millis(ms),
            places: Semaphore::new(places),
        };
        Self {
            workers: Semaphore::new(16),
            maps: peer(30_000), // It hangs, almost.
            prices: peer(10),
        }
    }

    async fn handle(&self, peer: &Peer) -> Result<(), Busy> {
        let worker = self.workers.acquire().await;
        let _worker = worker.expect("it is never closed");
        peer.ask().await
    }
}

/// Twenty requests need maps, and then twenty need prices. When has
/// the last of the prices been told?
async fn run(places: usize) -> Duration {
    let service = Service::new(places);
    let start = Instant::now();
    let maps = (0..20).map(|_| service.handle(&service.maps));
    let prices = (0..20).map(|_| service.handle(&service.prices));
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_with_a_share_the_prices_go_on() {
        assert!(run(100).await >= Duration::from_secs(30));
        assert!(run(8).await < Duration::from_secs(1));
    }
}
