//! Wrong: all clients wait equally long and retry at the same moment.

// ANCHOR: wrong
use tokio::time::{Duration, sleep};

/// Asks four times, with pauses of 100, 200, and 400 ms. Returns whether
/// the server answered.
async fn ask(server: &Server, _client: u64) -> bool {
    let mut pause = Duration::from_millis(100);
    for pauses in (0..4).rev() {
        if server.answers() {
            return true;
        }
        if pauses == 0 {
            break;
        }
        // Wrong: they failed together, and all wait equally long.
        sleep(pause).await;
        pause *= 2;
    }
    false
}
// ANCHOR_END: wrong

use std::{cell::RefCell, collections::BTreeMap};

use futures::future::join_all;
use tokio::time::Instant;

/// A server that is down, and counts the calls in each millisecond.
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

/// The most requests in any millisecond after the first, in which the
/// server went down.
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
    async fn overload_is_spread_over_time() {
        // It is not: all of them come back together.
        assert_eq!(worst(100).await, 100);
    }
}
