//! How full a queue is, as a number that you can plot.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

// ANCHOR: depth
use std::io::{self, Write};

/// Returns how many messages are in a queue, reserved slots included,
/// or `None` once its senders or its receiver have closed it.
fn depth<T>(sender: &mpsc::WeakSender<T>) -> Option<usize> {
    // Dropped below, so the queue still closes with its last sender.
    let sender = sender.upgrade()?;
    let depth = sender.max_capacity() - sender.capacity();
    (!sender.is_closed()).then_some(depth)
}

/// Reports every second until the queue is closed.
async fn report_depth<T>(sender: mpsc::WeakSender<T>) {
    let mut ticks = interval(Duration::from_secs(1));
    // After a stall, one report is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let Some(depth) = depth(&sender) else { break };
        // If stdout is closed, `println!` panics and ends the reports.
        _ = writeln!(io::stdout(), "orders in the queue: {depth}");
    }
    _ = writeln!(io::stdout(), "the queue is closed");
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
    async fn edges_of_a_queue_of_four() {
        let (sender, mut receiver) = mpsc::channel(4);
        let weak = sender.downgrade();
        assert_eq!(depth(&weak), Some(0));
        let permit = sender.reserve().await.expect("there is room");
        assert_eq!(depth(&weak), Some(1), "reserved room counts");
        permit.send(1);
        assert_eq!(depth(&weak), Some(1));
        for number in 2..=4 {
            sender.try_send(number).expect("there is room");
        }
        assert_eq!(depth(&weak), Some(4));
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(depth(&weak), Some(3));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_never_see_more_than_the_capacity() {
        let (sender, mut receiver) = mpsc::channel(4);
        let weak = sender.downgrade();
        let mut senders = JoinSet::new();
        for number in 0..8 {
            let sender = sender.clone();
            senders.spawn(async move {
                for _ in 0..100 {
                    sender.send(number).await.expect("it is received");
                }
            });
        }
        drop(sender);
        let mut received = 0;
        while receiver.recv().await.is_some() {
            received += 1;
            assert!(depth(&weak).is_none_or(|depth| depth <= 4));
        }
        assert_eq!(received, 800);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_of_the_senders_closes_the_queue_and_ends_the_report()
    {
        let (sender, mut receiver) = mpsc::channel::<u32>(4);
        let mut report = JoinSet::new();
        report.spawn(report_depth(sender.downgrade()));
        // It has looked at the queue before the sender is dropped.
        sleep(Duration::from_millis(1500)).await;
        drop(sender);
        let second = Duration::from_secs(1);
        let end = hazards::within(second, receiver.recv()).await;
        assert_eq!(end, None);
        hazards::within(second, report.join_all()).await;
    }

    /// Does nothing as a test: another test runs it as a child process.
    #[tokio::test(start_paused = true)]
    async fn child() {
        if !hazards::is_unread() {
            return;
        }
        let (sender, _orders) = mpsc::channel::<u32>(4);
        let report = tokio::spawn(report_depth(sender.downgrade()));
        sleep(hazards::HOUR).await;
        std::process::exit(i32::from(report.is_finished()));
    }

    /// Nobody reads the reports anymore.
    #[test]
    fn failure_of_stdout_does_not_end_the_report() {
        hazards::succeeds_unread(module_path!(), "child");
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_the_report_ends_with_the_receiver() {
        let (sender, receiver) = mpsc::channel::<u32>(4);
        drop(receiver);
        let report = report_depth(sender.downgrade());
        hazards::within(Duration::from_secs(3), report).await;
        assert!(sender.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_consumer_and_the_queue_is_full_at_most() {
        let (sender, mut receiver) = mpsc::channel(8);
        let weak = sender.downgrade();
        let send = async move {
            for number in 0..100 {
                sender.send(number).await.expect("it is received");
                assert!(depth(&sender.downgrade()) <= Some(8));
            }
        };
        let receive = async {
            while receiver.recv().await.is_some() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::join!(send, receive);
        assert_eq!(depth(&weak), None);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_the_report_leaves_the_queue_open() {
        let (sender, mut receiver) = mpsc::channel(4);
        for polls in 0..5 {
            let cut = Duration::from_millis(700 * polls);
            let report = report_depth(sender.downgrade());
            let cut = tokio::time::timeout(cut, report);
            assert!(cut.await.is_err());
        }
        sender.send(17).await.expect("it is open");
        drop(sender);
        assert_eq!(receiver.recv().await, Some(17));
        assert_eq!(receiver.recv().await, None);
    }
}
