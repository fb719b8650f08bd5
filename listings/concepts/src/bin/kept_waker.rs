//! The waker is kept, and whoever opens the door uses it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: opened
#[derive(Default)]
struct State {
    is_open: bool,
    waker: Option<Waker>,
}

impl Door {
    fn open(&self) {
        let mut state = self.state();
        state.is_open = true;
        let waker = state.waker.take();
        // Not under the lock: who is woken will want it.
        drop(state);
        waker.inspect(Waker::wake_by_ref);
    }
}

impl Future for Opened {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut state = self.door.state();
        if state.is_open {
            return Poll::Ready(());
        }
        // The newest one: the future may have moved to another task.
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}
// ANCHOR_END: opened

/// A door at which one may wait.
#[derive(Default)]
struct Door {
    state: Mutex<State>,
}

impl Door {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when the door is open.
struct Opened {
    door: Arc<Door>,
}

/// Waits until the door is open: a task opens it after 50 ms.
async fn wait_at(door: Arc<Door>) -> &'static str {
    let opener = Arc::clone(&door);
    let opening = tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        opener.open();
    });
    Opened { door }.await;
    opening.await.expect("it does not panic");
    "inside"
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let door = Arc::new(Door::default());
    // In a task of its own, which only a waker can have polled again.
    let guest = tokio::spawn(wait_at(door));
    match timeout(Duration::from_secs(3600), guest).await {
        Ok(place) => println!("{}", place.expect("it does not panic")),
        Err(_) => println!("the door is open, and it hung for an hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_woken_when_the_door_opens() {
        let door = Arc::new(Door::default());
        let hour = Duration::from_secs(3600);
        let guest = tokio::spawn(wait_at(door));
        assert!(timeout(hour, guest).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_woken_on_many_threads() {
        for _ in 0..100 {
            let door = Arc::new(Door::default());
            let opener = Arc::clone(&door);
            let opening = tokio::spawn(async move { opener.open() });
            Opened { door }.await;
            opening.await.expect("it does not panic");
        }
    }
}
