//! Wrong: the queue comes first, so the shutdown branch is never polled.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

// ANCHOR: wrong
/// Wrong: with `biased;`, the first branch that is ready wins every
/// time. While there are orders, nothing checks the token.
async fn serve(
    mut orders: mpsc::Receiver<u32>,
    stop: &CancellationToken,
) -> u32 {
    let mut handled = 0;
    loop {
        tokio::select! {
            biased;
            Some(_order) = orders.recv(), if handled < MANY => {
                handled += 1;
            }
            () = stop.cancelled() => return handled,
        }
    }
}
// ANCHOR_END: wrong

/// The maximum number of orders, so that this program ends.
const MANY: u32 = 10_000;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (sender, orders) = mpsc::channel(MANY as usize);
    for order in 0..MANY {
        sender.try_send(order).expect("there is room for all");
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let handled = serve(orders, &stop).await;
    println!("asked to stop, and {handled} orders later it did");
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn handled() -> u32 {
        let (sender, orders) = mpsc::channel(100);
        for order in 0..100 {
            sender.try_send(order).expect("there is room for all");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        serve(orders, &stop).await
    }

    #[tokio::test]
    async fn stop_comes_before_the_queue() {
        // The mistake: the queue is emptied first.
        assert_eq!(handled().await, 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_queue_is_emptied_first_on_many_threads() {
        assert_eq!(handled().await, 100);
    }

    /// Without `biased;`, each iteration starts at a random branch.
    #[tokio::test]
    async fn in_a_random_order_it_stops_before_the_queue_is_empty() {
        let (sender, mut orders) = mpsc::channel(1000);
        for order in 0..1000 {
            sender.try_send(order).expect("there is room for all");
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let mut handled = 0;
        loop {
            tokio::select! {
                Some(_order) = orders.recv() => handled += 1,
                () = stop.cancelled() => break,
            }
        }
        assert!(handled < 100, "{handled}");
    }
}
