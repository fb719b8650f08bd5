//! The stop comes between two orders, never in one.

// ANCHOR: serve
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Charges and ships each order until it is told to stop.
async fn serve(
    mut orders: mpsc::Receiver<u32>,
    stop: CancellationToken,
    log: &mut Vec<String>,
) {
    // Only the waiting is given up.
    while let Some(Some(order)) =
        stop.run_until_cancelled(orders.recv()).await
    {
        charge().await;
        log.push(format!("order {order} charged"));
        ship().await;
        log.push(format!("order {order} shipped"));
    }
}
// ANCHOR_END: serve

async fn charge() {
    sleep(Duration::from_millis(100)).await;
}

async fn ship() {
    sleep(Duration::from_millis(100)).await;
}

/// Two orders; the stop comes after 350 ms.
async fn run() -> Vec<String> {
    let (sender, orders) = mpsc::channel(8);
    for order in [1, 2] {
        sender.send(order).await.expect("there is room");
    }
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        sleep(Duration::from_millis(350)).await;
        stopping.cancel();
    });
    let mut log = Vec::new();
    serve(orders, stop, &mut log).await;
    log
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for line in run().await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_is_finished() {
        let log = run().await;
        assert_eq!(log.last().expect("it ran"), "order 2 shipped");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_begun_after_the_stop() {
        let (sender, orders) = mpsc::channel(8);
        sender.send(1).await.expect("there is room");
        let stop = CancellationToken::new();
        stop.cancel();
        let mut log = Vec::new();
        serve(orders, stop, &mut log).await;
        assert!(log.is_empty());
    }
}
