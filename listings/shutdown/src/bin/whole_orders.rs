//! Stop between two orders, never in the middle of one.

// ANCHOR: serve
use tokio::{
    sync::mpsc,
    time::{Duration, error::Elapsed, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Charges and ships orders until the token is canceled, and returns
/// the orders that are left. It finishes the current order first,
/// within twice `LIMIT`, and waits up to `LIMIT` for senders that have
/// a permit. Dropping it cuts the current order in half.
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
    let mut left = Vec::new();
    // Unlike `try_recv`, `recv` waits for a task that has a permit and
    // hasn't sent its order yet.
    let rest = async {
        while let Some(order) = orders.recv().await {
            left.push(order);
        }
    };
    timeout(LIMIT, rest).await.ok();
    left
}
// ANCHOR_END: serve

// ANCHOR: process
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

/// The time limit of each step of an order.
const LIMIT: Duration = Duration::from_secs(5);
// ANCHOR_END: process

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

    /// A sender gets its permit before the stop, and sends with it
    /// afterward.
    #[tokio::test(start_paused = true)]
    async fn stop_returns_an_order_that_is_sent_with_a_permit() {
        for (millis, expected) in [(0, vec![7]), (4000, vec![7])] {
            let (sender, orders) = mpsc::channel(8);
            let permit = sender.reserve().await.expect("room");
            let stop = CancellationToken::new();
            stop.cancel();
            let mut log = Vec::new();
            let send = async {
                sleep(Duration::from_millis(millis)).await;
                permit.send(7);
            };
            let serving = serve(orders, stop, &mut log);
            let (left, ()) = tokio::join!(biased; serving, send);
            assert_eq!(left, expected);
        }
    }

    /// A sender keeps its permit but never uses it.
    #[tokio::test(start_paused = true)]
    async fn silence_of_a_sender_holds_the_stop_for_the_limit_only() {
        let (sender, orders) = mpsc::channel(8);
        sender.send(1).await.expect("there is room");
        let _permit = sender.reserve().await.expect("there is room");
        let stop = CancellationToken::new();
        stop.cancel();
        let mut log = Vec::new();
        let served = serve(orders, stop, &mut log);
        let left = hazards::within(2 * LIMIT, served).await;
        assert_eq!(left, [1]);
    }

    /// Other threads send during the stop. Each order is returned, or
    /// its sender gets an error.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_lose_no_order_that_was_accepted() {
        for round in 0..2000 {
            let (sender, orders) = mpsc::channel(8);
            let mut senders = tokio::task::JoinSet::new();
            for order in 0..3 {
                let sender = sender.clone();
                senders.spawn(async move {
                    sender.send(order).await.is_ok()
                });
            }
            drop(sender);
            let stop = CancellationToken::new();
            stop.cancel();
            for _ in 0..round % 50 {
                std::hint::spin_loop();
            }
            let mut log = Vec::new();
            let left = serve(orders, stop, &mut log).await;
            let accepted = senders.join_all().await;
            let accepted = accepted.iter().filter(|it| **it).count();
            assert_eq!(left.len(), accepted, "{round}");
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
