//! Wrong: a `select!` around the work cancels an order halfway through.

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
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            // Wrong: the work is in a branch that may be dropped.
            more = next(&mut orders, log) => if !more { return },
        }
    }
}

async fn next(
    orders: &mut mpsc::Receiver<u32>,
    log: &mut Vec<String>,
) -> bool {
    let Some(order) = orders.recv().await else { return false };
    charge().await;
    log.push(format!("order {order} charged"));
    ship().await;
    log.push(format!("order {order} shipped"));
    true
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
