//! `AtomicWaker` keeps the latest waker of a single waiting future.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::task::AtomicWaker;
use tokio::time::{sleep, timeout};

// ANCHOR: poll
/// Keeps the door closed. The door opens when this is dropped, even
/// by a panic.
struct Closed(Arc<Door>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.is_open.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

impl Future for Opened {
    type Output = ();

    /// Stores the latest waker, and only then checks the door, which
    /// may be opened in between.
    fn poll(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.0.waker.register(context.waker());
        match self.0.is_open.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.waker.take();
    }
}
// ANCHOR_END: poll

/// Completes when the door is open. Each door has only one, because
/// `AtomicWaker` has room for only one waker.
struct Opened(Arc<Door>);

/// The state that the two halves share.
#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    waker: AtomicWaker,
}

/// A closed door, and the one future that waits for it.
fn door() -> (Closed, Opened) {
    let door = Arc::new(Door::default());
    (Closed(Arc::clone(&door)), Opened(door))
}

/// Polls the future once here, then passes it to another task.
async fn move_it() -> &'static str {
    let (closed, opened) = door();
    let mut opened = Box::pin(opened);
    let first = poll_fn(|context| {
        Poll::Ready(opened.as_mut().poll(context).is_ready())
    });
    assert!(!first.await, "the door is closed");
    let guest = tokio::spawn(async move {
        opened.await;
        "inside"
    });
    sleep(Duration::from_millis(50)).await;
    drop(closed);
    guest.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match timeout(Duration::from_secs(3600), move_it()).await {
        Ok(place) => println!("{place}"),
        Err(_) => {
            println!("the wrong task was woken; it hung for an hour")
        }
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_polled_by_another_task_it_wakes_that_one() {
        assert_eq!(timeout(HOUR, move_it()).await, Ok("inside"));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_takes_the_waker_out() {
        hazards::at_every_poll(async |cancel| {
            let (closed, opened) = door();
            let door = Arc::clone(&closed.0);
            let opening = tokio::spawn(async move {
                sleep(Duration::from_millis(50)).await;
                drop(closed);
            });
            cancel.run(opened).await;
            assert!(door.waker.take().is_none());
            opening.await.expect("it does not panic");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_opener_opens_the_door() {
        let (closed, opened) = door();
        let opener = tokio::spawn(async move {
            let _closed = closed;
            sleep(Duration::from_millis(50)).await;
            panic!("the key broke");
        });
        within(HOUR, opened).await;
        assert!(opener.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_opens_the_door() {
        let (closed, opened) = door();
        let guest = tokio::spawn(opened);
        tokio::task::yield_now().await;
        drop(closed);
        within(HOUR, guest).await.expect("it does not panic");
    }

    #[tokio::test]
    async fn edges_opened_before_anyone_waits() {
        let (closed, opened) = door();
        drop(closed);
        opened.await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_open_while_another_looks() {
        for _ in 0..1000 {
            let (closed, opened) = door();
            let opening = tokio::spawn(async move { drop(closed) });
            opened.await;
            opening.await.expect("it does not panic");
        }
    }
}
