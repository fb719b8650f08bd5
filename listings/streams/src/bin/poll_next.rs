//! A hand-written stream: orders, until the shop closes.

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

/// The orders of a queue, until closing time. The first poll after that
/// closes the queue, so that sending fails, and the stream ends after
/// the last accepted order.
struct UntilClosed {
    queue: mpsc::Receiver<u32>,
    closing: Pin<Box<Sleep>>,
}

impl Stream for UntilClosed {
    type Item = u32;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<u32>> {
        if self.closing.as_mut().poll(context).is_ready() {
            self.queue.close();
        }
        // When this is pending, both the timer and the queue have
        // the waker of this context.
        self.queue.poll_recv(context)
    }
}
// ANCHOR_END: until_closed

fn until_closed(
    queue: mpsc::Receiver<u32>,
    after: Duration,
) -> UntilClosed {
    UntilClosed { queue, closing: Box::pin(sleep(after)) }
}

/// Orders every 100 ms, until the shop is closed. Returns how many
/// orders were accepted.
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
    println!("{sent} were accepted");
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
    async fn threads_the_queue_and_the_timer_wake_it() {
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

    use hazards::{HOUR, at_every_poll, within};

    #[tokio::test(start_paused = true)]
    async fn stop_delivers_what_was_accepted() {
        for queued in 0..=8 {
            let (sender, queue) = mpsc::channel(8);
            let mut orders = until_closed(queue, Duration::ZERO);
            for order in 0..queued {
                sender.try_send(order).expect("there is room");
            }
            sleep(Duration::from_millis(1)).await;
            let first = orders.next().await;
            assert!(sender.send(100).await.is_err());
            let rest = within(HOUR, orders.count()).await;
            let all = rest + usize::from(first.is_some());
            assert_eq!(all, queued as usize);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_closing_time() {
        let (_sender, queue) = mpsc::channel(8);
        let minute = Duration::from_secs(60);
        let mut orders = until_closed(queue, minute);
        assert_eq!(within(HOUR, orders.next()).await, None);
        assert_eq!(orders.next().await, None);
    }

    /// Until then, the queue accepts as many orders as fit.
    #[tokio::test(start_paused = true)]
    async fn slow_readers_close_at_their_next_poll() {
        let (sender, queue) = mpsc::channel(8);
        let minute = Duration::from_secs(60);
        let mut orders = until_closed(queue, minute);
        sender.try_send(1).expect("there is room");
        assert_eq!(orders.next().await, Some(1));
        sleep(HOUR).await;
        assert!(sender.try_send(2).is_ok());
        assert_eq!(orders.next().await, Some(2));
        assert!(sender.try_send(3).is_err());
        assert_eq!(orders.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_order() {
        at_every_poll(async |cancel| {
            let (sender, queue) = mpsc::channel(8);
            let mut orders =
                until_closed(queue, Duration::from_millis(250));
            let taking = async {
                let first = cancel.run(orders.next()).await.flatten();
                orders.count().await + usize::from(first.is_some())
            };
            let (accepted, taken) = tokio::join!(order(sender), taking);
            assert_eq!(accepted as usize, taken);
        })
        .await;
    }

    #[tokio::test]
    async fn owner_gone_the_senders_learn_of_it() {
        let (sender, queue) = mpsc::channel(8);
        drop(until_closed(queue, HOUR));
        assert!(sender.send(1).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn overload_accepts_no_more_than_the_queue_holds() {
        let (sender, queue) = mpsc::channel(8);
        let mut orders = until_closed(queue, HOUR);
        assert!(futures::poll!(orders.next()).is_pending());
        let accepted =
            (0..17).filter(|it| sender.try_send(*it).is_ok()).count();
        assert_eq!(accepted, 8);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_closed_before_it_is_asked() {
        let (sender, queue) = mpsc::channel(8);
        let mut orders = until_closed(queue, Duration::ZERO);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(orders.next().await, None);
        assert_eq!(orders.next().await, None);
        assert!(sender.is_closed());
    }
}
