//! A stream by hand: orders, until the shop closes.

// ANCHOR: until_closed
use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, StreamExt};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, Sleep, sleep},
};

/// The orders of a queue, until a time. Then it drops the queue, so
/// that who sends learns of it, and has ended.
struct UntilClosed {
    queue: Option<mpsc::Receiver<u32>>,
    closing: Pin<Box<Sleep>>,
}

impl Stream for UntilClosed {
    type Item = u32;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<u32>> {
        if self.closing.as_mut().poll(context).is_ready() {
            self.queue = None;
        }
        // Pending only where both, the timer and the queue, have the
        // waker of this context.
        match &mut self.queue {
            Some(queue) => queue.poll_recv(context),
            None => Poll::Ready(None),
        }
    }
}
// ANCHOR_END: until_closed

fn until_closed(
    queue: mpsc::Receiver<u32>,
    after: Duration,
) -> UntilClosed {
    UntilClosed { queue: Some(queue), closing: Box::pin(sleep(after)) }
}

/// Orders each 100 ms, until nobody takes them. Returns their number.
async fn order(queue: mpsc::Sender<u32>) -> u32 {
    let mut number = 0;
    while queue.send(number + 1).await.is_ok() {
        number += 1;
        sleep(Duration::from_millis(100)).await;
    }
    number
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let (sender, queue) = mpsc::channel(8);
    let orders = until_closed(queue, Duration::from_millis(250));
    let take = orders.for_each(async |order| {
        let at = start.elapsed().as_millis();
        println!("{at:>3} ms  order {order}");
    });
    let (sent, ()) = tokio::join!(order(sender), take);
    println!("{sent} were sent");
}

// ANCHOR: counted
#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_and_the_timer_wake_it() {
        let woken = Arc::new(Woken::default());
        let waker = Arc::clone(&woken).into();
        let mut context = Context::from_waker(&waker);
        let (sender, queue) = mpsc::channel(8);
        let minute = Duration::from_secs(60);
        let mut orders = until_closed(queue, minute);

        assert!(orders.poll_next_unpin(&mut context).is_pending());
        sender.try_send(1).expect("there is room");
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let order = orders.poll_next_unpin(&mut context);
        assert_eq!(order, Poll::Ready(Some(1)));

        assert!(orders.poll_next_unpin(&mut context).is_pending());
        sleep(minute).await;
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        let end = orders.poll_next_unpin(&mut context);
        assert_eq!(end, Poll::Ready(None));
    }
    // ANCHOR_END: counted

    #[tokio::test(flavor = "multi_thread")]
    async fn it_has_ended_for_good() {
        let (sender, queue) = mpsc::channel(8);
        let mut orders = until_closed(queue, Duration::ZERO);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(orders.next().await, None);
        assert_eq!(orders.next().await, None);
        assert!(sender.is_closed());
    }
}
