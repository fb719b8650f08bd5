//! How full a queue is, as a number that one can plot.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{interval, sleep},
};

// ANCHOR: depth
/// The messages in a queue, with the room that senders have reserved.
fn depth<T>(sender: &mpsc::WeakSender<T>) -> Option<usize> {
    // Does not keep the queue open: the last sender still closes it.
    let sender = sender.upgrade()?;
    Some(sender.max_capacity() - sender.capacity())
}

/// Reports until the queue is closed.
async fn report_depth<T>(sender: mpsc::WeakSender<T>) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let Some(depth) = depth(&sender) else { break };
        println!("orders in the queue: {depth}");
    }
    println!("the queue is closed");
}
// ANCHOR_END: depth

/// Four orders a second come in, and one is packed.
async fn run() {
    let (sender, mut orders) = mpsc::channel::<u32>(8);
    let mut tasks = JoinSet::new();
    tasks.spawn(report_depth(sender.downgrade()));
    tasks.spawn(async move {
        while orders.recv().await.is_some() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    tasks.spawn(async move {
        for number in 0..16 {
            if sender.send(number).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(250)).await;
        }
    });
    tasks.join_all().await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    run().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_reserved_counts_too() {
        let (sender, mut receiver) = mpsc::channel(4);
        assert_eq!(depth(&sender.downgrade()), Some(0));
        let permit = sender.reserve().await.expect("there is room");
        assert_eq!(depth(&sender.downgrade()), Some(1));
        permit.send(1);
        assert_eq!(depth(&sender.downgrade()), Some(1));
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(depth(&sender.downgrade()), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_report_does_not_keep_the_queue_open() {
        let (sender, mut receiver) = mpsc::channel::<u32>(4);
        let report = tokio::spawn(report_depth(sender.downgrade()));
        drop(sender);
        assert_eq!(receiver.recv().await, None);
        assert!(report.await.is_ok());
    }
}
