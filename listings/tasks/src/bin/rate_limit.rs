//! Start at most four webhooks a second, however long each one takes.

// ANCHOR: send_all
use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval},
};

/// Sends each webhook in a task of its own, and starts one every
/// `period` at most.
///
/// Dropping this future aborts the tasks, and loses the webhook that
/// waits for its tick. Panics if `period` is zero.
async fn send_all(
    mut webhooks: mpsc::Receiver<Webhook>,
    period: Duration,
) -> Log {
    let mut log = Log::start();
    let mut ticks = interval(period);
    // After a gap, go on at the same pace: do not catch up.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tasks = JoinSet::new();
    while let Some(webhook) = webhooks.recv().await {
        // In this order: a tick that is taken before there is a
        // webhook lets that one and the next start together.
        ticks.tick().await; // The first is due at once.
        tasks.spawn(send(webhook));
        while let Some(joined) = tasks.try_join_next() {
            log.ended(joined);
        }
        log.started(tasks.len());
    }
    while let Some(joined) = tasks.join_next().await {
        log.ended(joined);
    }
    log
}
// ANCHOR_END: send_all

use tokio::time::sleep;

/// When the webhooks started, and how many were under way.
struct Log {
    start: Instant,
    started: Vec<Duration>,
    most_at_once: usize,
    panicked: usize,
}

impl Log {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            started: Vec::new(),
            most_at_once: 0,
            panicked: 0,
        }
    }

    fn started(&mut self, at_once: usize) {
        self.started.push(self.start.elapsed());
        self.most_at_once = self.most_at_once.max(at_once);
    }

    fn ended(&mut self, joined: Result<(), JoinError>) {
        self.panicked += usize::from(joined.is_err());
    }
}

/// A message to somebody's server, and how long that one takes.
struct Webhook {
    takes: Duration,
}

async fn send(webhook: Webhook) {
    sleep(webhook.takes).await;
}

/// Three webhooks, and after a gap of 1.5 seconds three more.
async fn events(queue: mpsc::Sender<Webhook>) {
    for number in 1..=6 {
        if number == 4 {
            sleep(Duration::from_millis(1500)).await;
        }
        let takes = Duration::from_millis(1900);
        if queue.send(Webhook { takes }).await.is_err() {
            return; // Nobody sends them any more.
        }
    }
}

const PERIOD: Duration = Duration::from_millis(250);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, webhooks) = mpsc::channel(8);
    let (log, ()) =
        tokio::join!(send_all(webhooks, PERIOD), events(queue));
    for (number, at) in (1..).zip(log.started) {
        println!("{:>4} ms  webhook {number} starts", at.as_millis());
    }
    println!("under way at once: {}", log.most_at_once);
    println!("panicked: {}", log.panicked);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn starts_keep_their_distance_after_a_gap() {
        let (queue, webhooks) = mpsc::channel(8);
        let (log, ()) =
            tokio::join!(send_all(webhooks, PERIOD), events(queue));
        let starts: Vec<_> =
            log.started.into_iter().map(|at| at.as_millis()).collect();
        assert_eq!(starts, [0, 250, 500, 1500, 1750, 2000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tick_taken_in_advance_lets_two_start_together() {
        let (queue, mut webhooks) = mpsc::channel(8);
        let wrong_order = async {
            let mut log = Log::start();
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match webhooks.recv().await {
                    Some(_webhook) => log.started(1),
                    None => return log,
                }
            }
        };
        let (log, ()) = tokio::join!(wrong_order, events(queue));
        let starts: Vec<_> =
            log.started.into_iter().map(|at| at.as_millis()).collect();
        assert_eq!(starts, [0, 250, 500, 1500, 1500, 1750]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_does_not_limit_how_many_run_at_once() {
        let (queue, webhooks) = mpsc::channel(100);
        let takes = Duration::from_millis(1900);
        for _ in 0..100 {
            queue.send(Webhook { takes }).await.expect("room for 100");
        }
        drop(queue);
        let log = send_all(webhooks, PERIOD).await;
        // 1900 ms under way, a start every 250 ms.
        assert_eq!(log.most_at_once, 8);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_start_is_early_on_many_threads() {
        let (queue, webhooks) = mpsc::channel(8);
        let takes = Duration::from_millis(1);
        for _ in 0..5 {
            queue.send(Webhook { takes }).await.expect("room for 8");
        }
        drop(queue);
        let period = Duration::from_millis(5);
        let log = send_all(webhooks, period).await;
        for (number, at) in (0..).zip(log.started) {
            assert!(at >= number * period, "{number} at {at:?}");
        }
    }
}
