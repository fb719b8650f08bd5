//! Each client picks random pauses, so their retries are spread out.

// ANCHOR: ask
use tokio::time::{Duration, sleep};

/// Asks four times, with pauses of up to 100, 200, and 400 ms. Returns
/// whether the server answered.
async fn ask(server: &Server, client: u64) -> bool {
    // A seed, so that every run prints the same. Without a seed,
    // each process draws its own numbers.
    let mut random = fastrand::Rng::with_seed(client);
    let mut pause = Duration::from_millis(100);
    for pauses in (0..4).rev() {
        if server.answers() {
            return true;
        }
        if pauses == 0 {
            break;
        }
        sleep(pause.mul_f64(random.f64())).await;
        pause *= 2;
    }
    false
}
// ANCHOR_END: ask

use std::{cell::RefCell, collections::BTreeMap};

use futures::future::join_all;
use tokio::time::Instant;

/// A server that is down for a while, and counts the calls in each
/// millisecond.
struct Server {
    start: Instant,
    down_for: Duration,
    asked: RefCell<BTreeMap<u128, u32>>,
}

impl Server {
    fn new(down_for: Duration) -> Self {
        let (start, asked) = (Instant::now(), RefCell::default());
        Self { start, down_for, asked }
    }

    fn answers(&self) -> bool {
        let at = self.start.elapsed().as_millis();
        *self.asked.borrow_mut().entry(at).or_default() += 1;
        self.start.elapsed() >= self.down_for
    }
}

/// The most requests in any millisecond after the first, in which the
/// server went down.
async fn worst(clients: u64) -> u32 {
    let server = Server::new(Duration::MAX);
    join_all((0..clients).map(|client| ask(&server, client))).await;
    let asked = server.asked.into_inner();
    asked.into_iter().skip(1).map(|(_, count)| count).max().unwrap_or(0)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let worst = worst(100).await;
    println!("100 clients, at most {worst} in one millisecond");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_is_spread_over_time() {
        assert!(worst(100).await < 10);
        assert!(worst(1000).await < 50);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_one_client_and_none() {
        assert_eq!(worst(0).await, 0);
        // Its pauses may be shorter than a millisecond.
        assert!(worst(1).await <= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_tried_four_times_without_a_pause_at_the_end() {
        let start = Instant::now();
        let server = Server::new(Duration::MAX);
        assert!(!ask(&server, 7).await, "it is reported");
        let asked = server.asked.into_inner();
        assert_eq!(asked.values().sum::<u32>(), 4);
        let last = asked.keys().max().copied();
        assert_eq!(last, Some(start.elapsed().as_millis()));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_for_a_moment_ends_with_an_answer() {
        for (down_for, tries) in [(0, 1), (1, 2)] {
            let server = Server::new(Duration::from_millis(down_for));
            assert!(ask(&server, 7).await);
            assert_eq!(server.asked.borrow().len(), tries);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_tries() {
        hazards::at_every_poll(async |cancel| {
            let server = Server::new(Duration::MAX);
            cancel.run(ask(&server, 7)).await;
            let asked = server.asked.borrow().len();
            sleep(hazards::HOUR).await;
            assert_eq!(server.asked.borrow().len(), asked);
        })
        .await;
    }
}
