//! Wrong: a future that returns `Pending` without storing its waker.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{sleep, timeout};

// ANCHOR: wrong
#[derive(Default)]
struct Door {
    is_open: Mutex<bool>,
}

impl Door {
    fn open(&self) {
        *self.state() = true;
    }
}

/// Wrong: returns `Pending` without storing the waker. The runtime
/// polls a task again when it is woken, but nothing can wake this one.
struct Opened {
    door: Arc<Door>,
}

impl Future for Opened {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match *self.door.state() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}
// ANCHOR_END: wrong

impl Door {
    fn state(&self) -> MutexGuard<'_, bool> {
        self.is_open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the door is open. A task opens it after 50 ms.
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
    // In a separate task, which is polled again only if it is woken.
    let guest = tokio::spawn(wait_at(door));
    match timeout(Duration::from_secs(3600), guest).await {
        Ok(place) => println!("{}", place.expect("it does not panic")),
        Err(_) => {
            println!("the door is open, but the task never woke")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_when_the_door_opens() {
        let door = Arc::new(Door::default());
        let hour = Duration::from_secs(3600);
        let guest = tokio::spawn(wait_at(door));
        assert!(timeout(hour, guest).await.is_err());
    }

    /// Each tick wakes the task, which polls the other future as well.
    #[tokio::test(start_paused = true)]
    async fn a_timer_in_the_same_task_hides_the_mistake() {
        let door = Arc::new(Door::default());
        let ticks = async {
            let mut tick =
                tokio::time::interval(Duration::from_secs(1));
            loop {
                tick.tick().await;
            }
        };
        let place = tokio::select! {
            place = wait_at(door) => place,
            () = ticks => "never",
        };
        assert_eq!(place, "inside");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_open_door_needs_no_waker() {
        let door = Arc::new(Door::default());
        door.open();
        Opened { door }.await;
    }
}
