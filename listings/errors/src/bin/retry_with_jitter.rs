//! Each waits for a time of its own, and they come back one by one.

// ANCHOR: ask
use tokio::time::{Duration, sleep};

/// Asks four times, with pauses of up to 100, 200 and 400 ms.
async fn ask(server: &Server, client: u64) {
    // Seeded, so that this prints the same each time.
    let mut random = fastrand::Rng::with_seed(client);
    let mut pause = Duration::from_millis(100);
    for _ in 0..4 {
        if server.answers() {
            return;
        }
        sleep(pause.mul_f64(random.f64())).await;
        pause *= 2;
    }
}
// ANCHOR_END: ask

use std::{cell::RefCell, collections::BTreeMap};

use futures::future::join_all;
use tokio::time::Instant;

/// A server that is down, and counts who asks in each millisecond.
struct Server {
    start: Instant,
    asked: RefCell<BTreeMap<u128, u32>>,
}

impl Server {
    fn answers(&self) -> bool {
        let at = self.start.elapsed().as_millis();
        *self.asked.borrow_mut().entry(at).or_default() += 1;
        false
    }
}

/// The most requests in a millisecond after the first one, in which
/// the server went down.
async fn worst(clients: u64) -> u32 {
    let server =
        Server { start: Instant::now(), asked: RefCell::default() };
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
    async fn few_of_them_meet() {
        assert!(worst(100).await < 10);
    }
}
