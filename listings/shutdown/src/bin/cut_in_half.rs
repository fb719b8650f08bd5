//! Wrong: the shutdown can cancel an order halfway through.

// ANCHOR: wrong
use tokio::{
    sync::mpsc,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Charges and ships orders until the token is canceled.
async fn serve(
    mut orders: mpsc::Receiver<u32>,
    stop: CancellationToken,
    log: &mut Vec<String>,
) {
    // Wrong: a stop drops this future at its current `.await`.
    stop.run_until_cancelled(async {
        while let Some(order) = orders.recv().await {
            charge().await;
            log.push(format!("order {order} charged"));
            ship().await;
            log.push(format!("order {order} shipped"));
        }
    })
    .await;
}
// ANCHOR_END: wrong

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
    async fn stop_ships_what_was_charged() {
        // It doesn't.
        let log = run().await;
        assert_eq!(log.last().expect("it ran"), "order 2 charged");
    }
}
