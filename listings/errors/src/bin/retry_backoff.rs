//! Thirty lines of retrying: with a backoff, jitter and an end.

// ANCHOR: retry
use tokio::time::{Duration, sleep};

struct Retry {
    /// How many times in all.
    tries: u32,
    /// The pause after the first try. It doubles after each.
    first_pause: Duration,
    /// No pause is longer.
    longest_pause: Duration,
}

impl Retry {
    /// Calls until it succeeds, fails for good, or the tries are used
    /// up. Returns the last error then.
    async fn run<T, E>(
        &self,
        random: &mut fastrand::Rng,
        mut call: impl AsyncFnMut() -> Result<T, E>,
        is_worth_it: impl Fn(&E) -> bool,
    ) -> Result<T, E> {
        let mut pause = self.first_pause;
        for _ in 1..self.tries {
            match call().await {
                Err(error) if is_worth_it(&error) => {
                    // Anything from nothing to the whole pause, so
                    // that clients which failed together come apart.
                    sleep(pause.mul_f64(random.f64())).await;
                    pause = (pause * 2).min(self.longest_pause);
                }
                ended => return ended,
            }
        }
        call().await
    }
}
// ANCHOR_END: retry

use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Refused {
    Busy,
    Forbidden,
}

const RETRY: Retry = Retry {
    tries: 5,
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(1),
};

/// A server that refuses so many times. Returns the tries it took.
async fn run(times: u32, refuses: Refused) -> Result<u32, Refused> {
    let mut tries = 0;
    let call = async || {
        tries += 1;
        if tries <= times { Err(refuses) } else { Ok(tries) }
    };
    // A seed, so that this prints the same each time. In a service, it
    // is made without one, and each process has its own.
    let mut random = fastrand::Rng::with_seed(7);
    let worth_it = |refused: &Refused| *refused == Refused::Busy;
    RETRY.run(&mut random, call, worth_it).await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (times, refuses) in [
        (0, Refused::Busy),
        (3, Refused::Busy),
        (9, Refused::Busy),
        (1, Refused::Forbidden),
    ] {
        let start = Instant::now();
        let outcome = run(times, refuses).await;
        let took = start.elapsed().as_millis();
        println!(
            "{refuses:?} {times} times: {outcome:?} after {took} ms"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_success_at_the_last_try_or_for_good() {
        assert_eq!(run(0, Refused::Busy).await, Ok(1));
        assert_eq!(run(4, Refused::Busy).await, Ok(5));
        assert_eq!(run(5, Refused::Busy).await, Err(Refused::Busy));
        let start = Instant::now();
        let forbidden = run(1, Refused::Forbidden).await;
        assert_eq!(forbidden, Err(Refused::Forbidden));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
