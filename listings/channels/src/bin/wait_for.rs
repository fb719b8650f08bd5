//! Wait until the state is what you need, without a loop.

// ANCHOR: wait
use tokio::{
    sync::watch,
    time::{Duration, sleep, timeout},
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Starting,
    Migrating { done: u32 },
    Ready,
}

#[derive(Debug, PartialEq)]
enum NotReady {
    /// It ended before it was ready.
    Ended,
    /// It is in this state after the time that was given.
    StillIn(State),
}

/// Waits until the store is ready. Looks at the state of now, too.
async fn until_ready(
    store: &watch::Receiver<State>,
    limit: Duration,
) -> Result<(), NotReady> {
    let mut store = store.clone();
    let is_ready = |state: &State| *state == State::Ready;
    let waited = async {
        // Drops the guard that `wait_for` returns.
        store.wait_for(is_ready).await.map(drop)
    };
    match timeout(limit, waited).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(NotReady::Ended),
        Err(_elapsed) => Err(NotReady::StillIn(*store.borrow())),
    }
}
// ANCHOR_END: wait

async fn start_up(state: watch::Sender<State>) {
    for done in 0..5 {
        state.send_replace(State::Migrating { done });
        sleep(Duration::from_secs(1)).await;
    }
    state.send_replace(State::Ready);
    sleep(Duration::from_secs(60)).await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (state, store) = watch::channel(State::Starting);
    tokio::spawn(start_up(state));
    for seconds in [2, 10] {
        let limit = Duration::from_secs(seconds);
        let ready = until_ready(&store, limit).await;
        println!("after {seconds} s at most: {ready:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_state_that_is_there_already_counts() {
        let (_state, store) = watch::channel(State::Ready);
        let ready = until_ready(&store, Duration::ZERO).await;
        assert_eq!(ready, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_learns_of_the_state_and_of_the_end() {
        let (state, store) = watch::channel(State::Starting);
        let second = Duration::from_secs(1);
        let ready = until_ready(&store, second).await;
        assert_eq!(ready, Err(NotReady::StillIn(State::Starting)));
        drop(state);
        let ready = until_ready(&store, second).await;
        assert_eq!(ready, Err(NotReady::Ended));
    }
}
