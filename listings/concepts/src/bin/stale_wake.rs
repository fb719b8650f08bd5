//! Wrong: a future keeps its first waker after moving to another task.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
impl Future for Opened {
    type Output = ();

    /// Wrong: stores only the waker of the first poll. If another task
    /// polls the future later, the first task is still woken.
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let door = Arc::clone(&self.door);
        let mut state = door.state();
        if state.is_open {
            return Poll::Ready(());
        }
        if !self.waker_is_kept {
            state.waker = Some(context.waker().clone());
            self.waker_is_kept = true;
        }
        Poll::Pending
    }
}
// ANCHOR_END: wrong

/// Completes when the door is open.
struct Opened {
    door: Arc<Door>,
    waker_is_kept: bool,
}

/// A door that one future may wait for.
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
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Polls the future once here, then passes it to another task.
async fn move_it(door: Arc<Door>) -> &'static str {
    let mut opened = Box::pin(Opened {
        door: Arc::clone(&door),
        waker_is_kept: false,
    });
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
            println!("the wrong task was woken; the future still hangs")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_polled_by_another_task_it_wakes_that_one() {
        let door = Arc::new(Door::default());
        let hour = Duration::from_secs(3600);
        assert!(timeout(hour, move_it(door)).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_one_task_it_works() {
        let door = Arc::new(Door::default());
        let opener = Arc::clone(&door);
        tokio::spawn(async move { opener.open() });
        Opened { door, waker_is_kept: false }.await;
    }
}
