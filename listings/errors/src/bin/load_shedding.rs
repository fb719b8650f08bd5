//! More comes in than can be done: whom to refuse, and when?

// ANCHOR: handle
use tokio::{
    sync::Semaphore,
    time::{Duration, sleep, timeout},
};

/// A service that does ten requests at a time, 100 ms each.
struct Service {
    places: Semaphore,
    /// For how long a request may wait for a place.
    patience: Duration,
}

impl Service {
    /// Refuses what could not be done before the caller gives up.
    async fn handle(&self) -> Result<(), Overloaded> {
        let place = timeout(self.patience, self.places.acquire()).await;
        let _place = place
            .map_err(|_elapsed| Overloaded)?
            .expect("it is never closed");
        sleep(Duration::from_millis(100)).await;
        Ok(())
    }
}
// ANCHOR_END: handle

use futures::future::join_all;

#[derive(Debug)]
struct Overloaded;

/// Callers give up after a second.
const CALLER: Duration = Duration::from_secs(1);

/// 150 requests a second for ten seconds, where 100 can be done: how
/// many were useful, refused, and given up by their callers?
async fn run(patience: Duration) -> (usize, usize, usize) {
    let service = Service { places: Semaphore::new(10), patience };
    let requests = (0..1500_u64).map(async |number| {
        sleep(Duration::from_micros(number * 6_667)).await;
        timeout(CALLER, service.handle()).await
    });
    let (mut useful, mut refused, mut given_up) = (0, 0, 0);
    for ended in join_all(requests).await {
        match ended {
            Ok(Ok(())) => useful += 1,
            Ok(Err(Overloaded)) => refused += 1,
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_early_does_not_wait_in_vain() {
        let (_, refused, given_up) = run(CALLER * 60).await;
        assert_eq!(refused, 0);
        assert!(given_up > 300, "{given_up}");
        let patience = Duration::from_millis(200);
        let (useful, refused, given_up) = run(patience).await;
        assert_eq!(given_up, 0);
        assert_eq!(useful + refused, 1500);
    }
}
