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
    /// The sender was dropped while the store was in this state.
    EndedIn(State),
    /// The store is still in this state after the timeout.
    StillIn(State),
}

/// Waits until the store is ready. Returns immediately if it is.
async fn until_ready(
    store: &watch::Receiver<State>,
    limit: Duration,
) -> Result<(), NotReady> {
    let mut store = store.clone();
    let is_ready = |state: &State| *state == State::Ready;
    let waited = async {
        store.wait_for(is_ready).await.map(drop) // The guard.
    };
    let waited = timeout(limit, waited).await;
    // Read once: another thread may change the state in between.
    let state = *store.borrow();
    match waited {
        _ if state == State::Ready => Ok(()),
        Ok(Ok(())) => Ok(()), // It was, a moment ago.
        Ok(Err(_)) => Err(NotReady::EndedIn(state)),
        Err(_elapsed) => Err(NotReady::StillIn(state)),
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
        println!("within {seconds:>2} s: {ready:?}");
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_a_state_that_is_there_already_counts() {
        let (_state, store) = watch::channel(State::Ready);
        let ready = until_ready(&store, Duration::ZERO).await;
        assert_eq!(ready, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_the_end_are_errors_with_the_state() {
        let (state, store) = watch::channel(State::Starting);
        let second = Duration::from_secs(1);
        let ready = within(HOUR, until_ready(&store, second)).await;
        assert_eq!(ready, Err(NotReady::StillIn(State::Starting)));
        drop(state);
        let ready = until_ready(&store, second).await;
        assert_eq!(ready, Err(NotReady::EndedIn(State::Starting)));
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_after_it_was_ready_counts() {
        let (state, store) = watch::channel(State::Starting);
        state.send_replace(State::Ready);
        drop(state);
        let ready = within(HOUR, until_ready(&store, HOUR)).await;
        assert_eq!(ready, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_start_is_waited_for_by_all() {
        let (state, store) = watch::channel(State::Starting);
        let waits = (0..17).map(|_| until_ready(&store, HOUR));
        let waits = futures::future::join_all(waits);
        let (ready, ()) = tokio::join!(waits, start_up(state));
        assert_eq!(ready, [const { Ok(()) }; 17]);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_ready_right_before_the_limit_counts() {
        let (state, store) = watch::channel(State::Starting);
        let limit = Duration::from_millis(5001);
        let (ready, ()) =
            tokio::join!(until_ready(&store, limit), start_up(state));
        assert_eq!(ready, Ok(()));
        let never = until_ready(&store, Duration::ZERO).await;
        assert_eq!(never, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_changes_nothing() {
        at_every_poll(async |cancel| {
            let (state, store) = watch::channel(State::Starting);
            let (_, ()) = tokio::join!(
                cancel.run(until_ready(&store, HOUR)),
                start_up(state)
            );
            let ready = until_ready(&store, Duration::ZERO).await;
            assert_eq!(ready, Ok(()));
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_never_say_still_in_ready() {
        let limit = Duration::from_millis(1);
        for _ in 0..100 {
            let (state, store) = watch::channel(State::Starting);
            let mut waits = tokio::task::JoinSet::new();
            for _ in 0..100 {
                let store = store.clone();
                waits.spawn(
                    async move { until_ready(&store, limit).await },
                );
            }
            // All are due at the same time, on several threads.
            sleep(limit).await;
            state.send_replace(State::Ready);
            let ready = waits.join_all().await;
            let never = Err(NotReady::StillIn(State::Ready));
            assert!(!ready.contains(&never));
        }
    }
}
