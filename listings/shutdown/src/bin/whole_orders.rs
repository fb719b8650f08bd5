//! Stop between two orders, never in the middle of one.

// ANCHOR: serve
use tokio::{
    sync::mpsc,
    time::{Duration, error::Elapsed, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Charges and ships orders until the token is canceled, and returns
/// the orders that are left. It finishes the current order first,
/// within twice `LIMIT`. If dropped, it cuts that order in half.
async fn serve(
    mut orders: mpsc::Receiver<u32>,
    stop: CancellationToken,
    log: &mut Vec<String>,
) -> Vec<u32> {
    // The token cancels only the wait.
    while let Some(Some(order)) =
        stop.run_until_cancelled(orders.recv()).await
    {
        if let Err(elapsed) = process(order, log).await {
            log.push(format!("order {order} unfinished: {elapsed}"));
        }
    }
    orders.close();
    std::iter::from_fn(|| orders.try_recv().ok()).collect()
}

async fn process(
    order: u32,
    log: &mut Vec<String>,
) -> Result<(), Elapsed> {
    timeout(LIMIT, charge(order)).await?;
    log.push(format!("order {order} charged"));
    timeout(LIMIT, ship()).await?;
    log.push(format!("order {order} shipped"));
    Ok(())
}
// ANCHOR_END: serve

/// The time limit of each step of an order.
const LIMIT: Duration = Duration::from_secs(5);

async fn charge(order: u32) {
    // The bank never answers for this one.
    if order == 13 {
        std::future::pending().await
    }
    sleep(Duration::from_millis(100)).await;
}

async fn ship() {
    sleep(Duration::from_millis(100)).await;
}

/// Three orders; the stop comes after 350 ms. Returns what was done, and
/// which orders are left.
async fn run() -> (Vec<String>, Vec<u32>) {
    let (sender, orders) = mpsc::channel(8);
    for order in [1, 2, 3] {
        sender.send(order).await.expect("there is room");
    }
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(350)).await;
        stopping.cancel();
    });
    let mut log = Vec::new();
    let left = serve(orders, stop, &mut log).await;
    (log, left)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (log, left) = run().await;
    for line in log {
        println!("{line}");
    }
    println!("not started: {left:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_ships_what_was_charged() {
        let (log, left) = run().await;
        assert_eq!(log.last().expect("it ran"), "order 2 shipped");
        assert_eq!(left, [3]);
    }

    /// A stop at each moment: nothing is charged and not shipped, and
    /// every order is done or returned.
    #[tokio::test(start_paused = true)]
    async fn stop_at_any_moment_loses_no_order() {
        for millis in 0..700 {
            let (sender, orders) = mpsc::channel(8);
            for order in [1, 2, 3] {
                sender.send(order).await.expect("there is room");
            }
            let stop = CancellationToken::new();
            let stops = async {
                sleep(Duration::from_millis(millis)).await;
                stop.cancel();
            };
            let mut log = Vec::new();
            let serving = serve(orders, stop.clone(), &mut log);
            let serving = async { (serving.await, drop(sender)).0 };
            let (left, ()) = tokio::join!(serving, stops);
            assert_eq!(log.len() % 2, 0, "{log:?}");
            assert_eq!(log.len() / 2 + left.len(), 3);
        }
    }

    async fn serve_all(all: &[u32]) -> (Vec<String>, Vec<u32>) {
        let (sender, orders) = mpsc::channel(8);
        for order in all {
            sender.send(*order).await.expect("there is room");
        }
        drop(sender);
        let mut log = Vec::new();
        let served = serve(orders, CancellationToken::new(), &mut log);
        let left = hazards::within(hazards::HOUR, served).await;
        (log, left)
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_bank_is_logged_with_its_order() {
        let (log, left) = serve_all(&[13, 1]).await;
        assert!(log[0].starts_with("order 13 unfinished"), "{log:?}");
        assert_eq!(log[1..], ["order 1 charged", "order 1 shipped"]);
        assert!(left.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_order_and_stopped_before() {
        assert_eq!(serve_all(&[]).await, (vec![], vec![]));
        let (sender, orders) = mpsc::channel(8);
        sender.send(1).await.expect("there is room");
        let stop = CancellationToken::new();
        stop.cancel();
        let mut log = Vec::new();
        assert_eq!(serve(orders, stop, &mut log).await, [1]);
        assert!(log.is_empty());
        assert!(sender.send(2).await.is_err());
    }

    /// Dropped, it cuts the order in hand, as documented; no other.
    #[tokio::test(start_paused = true)]
    async fn cancel_cuts_at_most_the_order_in_hand() {
        hazards::at_every_poll(async |cancel| {
            let (sender, orders) = mpsc::channel(8);
            for order in [1, 2] {
                sender.send(order).await.expect("there is room");
            }
            drop(sender);
            let mut log = Vec::new();
            let stop = CancellationToken::new();
            cancel.run(serve(orders, stop, &mut log)).await;
            let whole = [
                "order 1 charged",
                "order 1 shipped",
                "order 2 charged",
                "order 2 shipped",
            ];
            assert!(whole.map(String::from).starts_with(&log));
        })
        .await;
    }
}
