//! Start at most four webhooks a second, however long each one takes.

// ANCHOR: send_all
use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::task::JoinMap;

/// Sends each webhook in a separate task, and starts at most one every
/// `period`, or 5 ms sooner after a tick that was late. All webhooks
/// to the same service must use one queue, because every call of
/// `send_all` has its own limit.
///
/// Dropping this future aborts the tasks, and loses the webhook that
/// is waiting for its tick. Panics if `period` is zero.
async fn send_all(
    mut webhooks: mpsc::Receiver<Webhook>,
    period: Duration,
) -> Log {
    let mut log = Log::start();
    let mut ticks = interval(period);
    // After a gap, continue at the same pace, without catching up.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tasks = JoinMap::new();
    while let Some(webhook) = webhooks.recv().await {
        // First the webhook, then the tick: a tick that is consumed too
        // early would let two webhooks start together.
        ticks.tick().await; // The first is due immediately.
        let number = log.started.len() + 1;
        tasks.spawn(number, timeout(PATIENCE, send(webhook)));
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

use tokio::{
    task::JoinError,
    time::{error::Elapsed, sleep},
};

/// The time limit for a webhook.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the webhooks started, and how many were in flight. A service
/// would log this instead: the lists grow with every webhook.
struct Log {
    start: Instant,
    started: Vec<Duration>,
    most_in_flight: usize,
    /// The numbers of the webhooks that failed, and why. A webhook that
    /// took too long may have been delivered.
    failed: Vec<(usize, String)>,
}

impl Log {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            started: Vec::new(),
            most_in_flight: 0,
            failed: Vec::new(),
        }
    }

    fn started(&mut self, in_flight: usize) {
        self.started.push(self.start.elapsed());
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }

    fn ended(
        &mut self,
        (number, joined): (
            usize,
            Result<Result<(), Elapsed>, JoinError>,
        ),
    ) {
        match joined {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.failed.push((number, error.to_string()));
            }
            Err(error) => {
                self.failed.push((number, error.to_string()));
            }
        }
    }
}

/// A message to a customer's server, and how long sending it takes.
struct Webhook {
    takes: Duration,
}

async fn send(webhook: Webhook) {
    assert!(!webhook.takes.is_zero(), "a webhook without a body");
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
            return; // The sender has ended.
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
    println!("in flight at a time: {}", log.most_in_flight);
    println!("failed: {}", log.failed.len());
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    fn queue(all: Vec<Duration>) -> mpsc::Receiver<Webhook> {
        let (queue, webhooks) = mpsc::channel(all.len().max(1));
        for takes in all {
            queue.try_send(Webhook { takes }).expect("there is room");
        }
        webhooks
    }

    const TAKES: Duration = Duration::from_millis(1900);

    #[tokio::test(start_paused = true)]
    async fn clock_starts_keep_their_distance_after_a_gap() {
        let (queue, webhooks) = mpsc::channel(8);
        let (log, ()) =
            tokio::join!(send_all(webhooks, PERIOD), events(queue));
        let starts: Vec<_> =
            log.started.into_iter().map(|at| at.as_millis()).collect();
        assert_eq!(starts, [0, 250, 500, 1500, 1750, 2000]);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_tick_taken_in_advance_lets_two_start_together() {
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

    /// Tokio takes a tick for missed if it's late by more than 5 ms.
    #[tokio::test(start_paused = true)]
    async fn clock_a_tick_that_is_hardly_late_moves_no_other() {
        for (late, starts) in [(4, [0, 254, 500]), (6, [0, 256, 506])] {
            let (queue, webhooks) = mpsc::channel(8);
            let events = async move {
                for pause in [0, 250 + late, 0] {
                    sleep(Duration::from_millis(pause)).await;
                    let webhook = Webhook { takes: TAKES };
                    queue.send(webhook).await.expect("it is read");
                }
            };
            let (log, ()) =
                tokio::join!(send_all(webhooks, PERIOD), events);
            let at = log.started.into_iter().map(|at| at.as_millis());
            assert_eq!(at.collect::<Vec<_>>(), starts);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_keeps_the_rate_which_limits_no_number() {
        let log = send_all(queue(vec![TAKES; 100]), PERIOD).await;
        assert_eq!(log.started.last(), Some(&(99 * PERIOD)));
        // 1900 ms in flight, a start every 250 ms.
        assert_eq!(log.most_in_flight, 8);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_all_peers_ends_by_the_timeout() {
        let webhooks = queue(vec![2 * HOUR; 100]);
        let log = within(HOUR, send_all(webhooks, PERIOD)).await;
        assert_eq!(log.failed.len(), 100);
        assert!(log.most_in_flight <= 41, "{}", log.most_in_flight);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_number() {
        for panics in some_panic(9) {
            let mut all = vec![TAKES; 9];
            for &panics in &panics {
                all[panics] = Duration::ZERO;
            }
            let log = within(HOUR, send_all(queue(all), PERIOD)).await;
            let numbers = log.failed.iter().map(|(it, _)| it - 1);
            assert!(numbers.eq(panics));
            assert!(log.failed[0].1.contains("without a body"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let webhooks = queue(vec![TAKES; 5]);
            cancel.run(send_all(webhooks, PERIOD)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_webhook() {
        let work = send_all(queue(Vec::new()), PERIOD);
        assert!(within(HOUR, work).await.started.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_closing_the_queue_sends_what_was_accepted() {
        let (sender, webhooks) = mpsc::channel(8);
        let sent = tokio::spawn(send_all(webhooks, PERIOD));
        for _ in 0..20 {
            let webhook = Webhook { takes: TAKES };
            sender.send(webhook).await.expect("it is taken");
        }
        drop(sender);
        let log = within(HOUR, sent).await.expect("no panic");
        assert_eq!((log.started.len(), log.failed.len()), (20, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_no_start_is_early() {
        let takes = Duration::from_millis(1);
        let period = Duration::from_millis(5);
        let log = send_all(queue(vec![takes; 5]), period).await;
        for (number, at) in (0..).zip(log.started) {
            assert!(at >= number * period, "{number} at {at:?}");
        }
    }
}
