//! After some failures in a row, ask no more for a while.

// ANCHOR: breaker
use std::sync::Mutex;

use tokio::time::{Duration, Instant};

impl Breaker {
    /// Calls, or returns `None` at once while it is open.
    async fn call<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, E>> {
        if !self.lets_through() {
            return None;
        }
        let ended = call.await;
        let mut state = self.state.lock().expect("no panic");
        if ended.is_ok() {
            *state = State::default(); // The peer is back.
        } else {
            state.failures += 1;
            if state.failures >= self.limit {
                state.open_until = Some(Instant::now() + self.pause);
            }
        }
        Some(ended)
    }

    fn lets_through(&self) -> bool {
        let mut state = self.state.lock().expect("no panic");
        let now = Instant::now();
        match &mut state.open_until {
            None => true,
            Some(until) if now < *until => false,
            Some(until) => {
                // One call is the trial. The others go on waiting.
                *until = now + self.pause;
                true
            }
        }
    }
}
// ANCHOR_END: breaker

/// Stands before a peer, and spares it calls while it is down.
struct Breaker {
    /// So many failures in a row open it.
    limit: u32,
    /// For so long. Then one call is let through.
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

/// A peer that is down for the first ten seconds. A call takes half a
/// second to fail.
async fn peer(start: Instant) -> Result<(), ()> {
    tokio::time::sleep(Duration::from_millis(500)).await;
    match start.elapsed() < Duration::from_secs(10) {
        true => Err(()),
        false => Ok(()),
    }
}

/// Calls once a second, for fifteen seconds: failed, spared, answered.
async fn run() -> (u32, u32, u32) {
    let breaker = Breaker {
        limit: 3,
        pause: Duration::from_secs(4),
        state: Mutex::default(),
    };
    let start = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let (mut failed, mut spared, mut answered) = (0, 0, 0);
    for _ in 0..15 {
        ticks.tick().await;
        match breaker.call(peer(start)).await {
            Some(Ok(())) => answered += 1,
            Some(Err(())) => failed += 1,
            None => spared += 1,
        }
    }
    (failed, spared, answered)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (failed, spared, answered) = run().await;
    println!("failed:   {failed}");
    println!("spared:   {spared}");
    println!("answered: {answered}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_down_is_asked_now_and_then() {
        let (failed, spared, answered) = run().await;
        assert_eq!(failed + spared + answered, 15);
        assert_eq!(failed, 3 + 1);
        assert!(answered > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_trial_at_a_time() {
        let breaker = Breaker {
            limit: 1,
            pause: Duration::from_secs(4),
            state: Mutex::default(),
        };
        let fail = async { Err::<(), ()>(()) };
        assert_eq!(breaker.call(fail).await, Some(Err(())));
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(breaker.lets_through());
        assert!(!breaker.lets_through());
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_trial_is_followed_by_another_pause() {
        let pause = Duration::from_secs(4);
        let breaker =
            Breaker { limit: 1, pause, state: Mutex::default() };
        let fail = async { Err::<(), ()>(()) };
        assert_eq!(breaker.call(fail).await, Some(Err(())));
        tokio::time::sleep(pause).await;
        let hangs =
            breaker.call(std::future::pending::<Result<(), ()>>());
        let second = Duration::from_secs(1);
        assert!(tokio::time::timeout(second, hangs).await.is_err());
        let answer = async { Ok::<(), ()>(()) };
        assert_eq!(breaker.call(answer).await, None);
        tokio::time::sleep(pause).await;
        let answer = async { Ok::<(), ()>(()) };
        assert_eq!(breaker.call(answer).await, Some(Ok(())));
    }
}
