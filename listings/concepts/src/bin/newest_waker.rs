//! Each poll keeps its own waker.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: poll
impl Future for Opened {
    type Output = ();

    /// Keeps the waker of the newest poll. `clone_from` does not
    /// clone where both wake the same task.
    fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = self.door.state();
        if state.is_open {
            return Poll::Ready(());
        }
        let newest = context.waker();
        match &mut state.waker {
            Some(waker) => waker.clone_from(newest),
            None => state.waker = Some(newest.clone()),
        }
        Poll::Pending
    }
}
// ANCHOR_END: poll

/// Ends when the door is open.
struct Opened {
    door: Arc<Door>,
}

/// A door at which one may wait.
#[derive(Default)]
struct Door {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_open: bool,
    waker: Option<Waker>,
}

impl Door {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) {
        let mut state = self.state();
        state.is_open = true;
        let waker = state.waker.take();
        drop(state);
        waker.inspect(Waker::wake_by_ref);
    }
}

/// Polls it here once, and hands it to another task.
async fn move_it(door: Arc<Door>) -> &'static str {
    let mut opened = Box::pin(Opened { door: Arc::clone(&door) });
    let first = poll_fn(|context| {
        Poll::Ready(opened.as_mut().poll(context).is_ready())
    });
    assert!(!first.await, "the door is closed");
    let guest = tokio::spawn(async move {
        opened.await;
        "inside"
    });
    sleep(Duration::from_millis(50)).await;
    door.open();
    guest.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let door = Arc::new(Door::default());
    match timeout(Duration::from_secs(3600), move_it(door)).await {
        Ok(place) => println!("{place}"),
        Err(_) => {
            println!("the wrong task was woken; it hung for an hour")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_task_that_waits_is_woken() {
        let door = Arc::new(Door::default());
        let hour = Duration::from_secs(3600);
        assert_eq!(timeout(hour, move_it(door)).await, Ok("inside"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_woken_on_many_threads() {
        let door = Arc::new(Door::default());
        assert_eq!(move_it(door).await, "inside");
    }
}
