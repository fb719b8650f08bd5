//! The same with a library: backon.

// ANCHOR: backon
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

/// Reads the price. Five tries, from 100 ms to a second between them.
async fn price(server: &Server) -> Result<u32, Refused> {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(4) // after the first
        .with_jitter();
    (|| server.ask())
        .retry(pauses)
        .sleep(tokio::time::sleep)
        .when(|refused| *refused != Refused::Forbidden)
        // Told when to come back? `None` is the end of the tries.
        .adjust(|refused, pause| match refused {
            Refused::BusyFor(told) => pause.map(|_| *told),
            _ => pause,
        })
        .notify(|refused, _pause| println!("  {refused:?}, once more"))
        .await
}
// ANCHOR_END: backon

use std::cell::Cell;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Refused {
    Busy,
    BusyFor(Duration),
    Forbidden,
}

/// Refuses so many times, and answers then.
struct Server {
    times: Cell<u32>,
    refuses: Refused,
}

impl Server {
    fn new(times: u32, refuses: Refused) -> Self {
        Self { times: times.into(), refuses }
    }

    async fn ask(&self) -> Result<u32, Refused> {
        match self.times.get() {
            0 => Ok(42),
            left => {
                self.times.set(left - 1);
                Err(self.refuses)
            }
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (times, refuses) in [
        (2, Refused::Busy),
        (9, Refused::Busy),
        (1, Refused::BusyFor(Duration::from_secs(2))),
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
    async fn it_tries_five_times_and_only_where_it_is_worth_it() {
        let busy = Server::new(4, Refused::Busy);
        assert_eq!(price(&busy).await, Ok(42));
        let busy = Server::new(5, Refused::Busy);
        assert_eq!(price(&busy).await, Err(Refused::Busy));
        let forbidden = Server::new(1, Refused::Forbidden);
        assert_eq!(price(&forbidden).await, Err(Refused::Forbidden));
        assert_eq!(forbidden.times.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_comes_back_when_it_is_told_and_not_for_ever() {
        let told = Refused::BusyFor(Duration::from_secs(2));
        let start = tokio::time::Instant::now();
        assert_eq!(price(&Server::new(3, told)).await, Ok(42));
        assert_eq!(start.elapsed(), Duration::from_secs(6));
        assert_eq!(price(&Server::new(5, told)).await, Err(told));
    }
}
