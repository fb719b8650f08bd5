//! The shutdown branch comes first, and the rest of the queue is kept.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

// ANCHOR: serve
/// Handles orders until the queue is closed or `stop` is canceled,
/// and checks `stop` before each order. The receiver is borrowed, so
/// orders that are left in the queue aren't lost.
async fn serve(
    orders: &mut mpsc::Receiver<u32>,
    stop: &CancellationToken,
) -> u32 {
    let mut handled = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return handled,
            order = orders.recv() => match order {
                Some(_order) => handled += 1,
                None => return handled,
            },
        }
    }
}
// ANCHOR_END: serve

const MANY: u32 = 10_000;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (sender, mut orders) = mpsc::channel(MANY as usize);
    for order in 0..MANY {
        sender.try_send(order).expect("there is room for all");
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let handled = serve(&mut orders, &stop).await;
    println!("asked to stop, and {handled} orders later it did");
    println!("left in the queue: {}", orders.len());
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    fn queue(count: u32) -> mpsc::Receiver<u32> {
        let (sender, orders) = mpsc::channel(count.max(1) as usize);
        for order in 0..count {
            sender.try_send(order).expect("there is room for all");
        }
        orders
    }

    #[tokio::test]
    async fn stop_comes_before_the_queue() {
        for _ in 0..20 {
            let mut orders = queue(100);
            let stop = CancellationToken::new();
            stop.cancel();
            assert_eq!(serve(&mut orders, &stop).await, 0);
            assert_eq!(orders.len(), 100);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_at_every_moment_loses_no_order() {
        for after in 0..20 {
            let (sender, mut orders) = mpsc::channel(1);
            let stop = CancellationToken::new();
            let send_all = async {
                let mut sent = 0;
                for order in 0..20 {
                    if order == after {
                        stop.cancel();
                    }
                    if sender.try_send(order).is_ok() {
                        sent += 1;
                    }
                    tokio::task::yield_now().await;
                }
                sent
            };
            let work = serve(&mut orders, &stop);
            let (handled, sent) = tokio::join!(work, send_all);
            assert_eq!(handled + orders.len() as u32, sent);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_no_order() {
        at_every_poll(async |cancel| {
            let (sender, mut orders) = mpsc::channel(8);
            sender.try_send(1).expect("there is room");
            let stop = CancellationToken::new();
            let work = async {
                let later = async {
                    tokio::task::yield_now().await;
                    drop(sender);
                };
                tokio::join!(serve(&mut orders, &stop), later).0
            };
            if let Some(handled) = cancel.run(work).await {
                assert_eq!(handled, 1);
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_closed_queue_ends_it() {
        let stop = CancellationToken::new();
        for count in [0, 1, 100] {
            let mut orders = queue(count);
            let work = within(HOUR, serve(&mut orders, &stop));
            assert_eq!(work.await, count);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_senders_does_not_hold_the_stop() {
        let (_sender, mut orders) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let later = async {
            tokio::time::sleep(HOUR).await;
            stop.cancel();
        };
        let work =
            async { tokio::join!(serve(&mut orders, &stop), later) };
        assert_eq!(within(2 * HOUR, work).await.0, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_handled_and_left_are_all() {
        for _ in 0..50 {
            let (sender, mut orders) = mpsc::channel(100);
            let stop = CancellationToken::new();
            let stopper = stop.clone();
            let sending = tokio::spawn(async move {
                for order in 0..100 {
                    if order == 50 {
                        stopper.cancel();
                    }
                    sender.send(order).await.expect("it is received");
                }
            });
            let handled = serve(&mut orders, &stop).await;
            sending.await.expect("no panic");
            assert_eq!(handled + orders.len() as u32, 100);
        }
    }
}
