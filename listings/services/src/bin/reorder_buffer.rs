//! Put numbered events in order, and give up on one that doesn't arrive.

// ANCHOR: in_order
use std::{collections::BTreeMap, ops::Range};

use tokio::{
    sync::mpsc,
    time::{Duration, Instant, timeout_at},
};

/// Receives events in the order of their numbers.
struct InOrder<T> {
    queue: mpsc::Receiver<(u64, T)>,
    next: u64,
    /// Each event with the time of its arrival.
    early: BTreeMap<u64, (Instant, T)>,
}

impl<T> InOrder<T> {
    /// Returns the next event, or the numbers that it no longer waits for,
    /// and `None` after the last event. Cancel safe.
    async fn receive(&mut self) -> Option<Received<T>> {
        loop {
            if let Some((_, event)) = self.early.remove(&self.next) {
                self.next = self.next.saturating_add(1);
                return Some(Received::Event(event));
            }
            match self.arrived().await {
                Some((number, event)) if number >= self.next => {
                    let early = (Instant::now(), event);
                    self.early.entry(number).or_insert(early);
                }
                Some(_repeated) => {}
                None => return self.skip().map(Received::Missing),
            }
        }
    }
    // ANCHOR_END: in_order

    // ANCHOR: gap
    /// Receives an event with any number. Returns `None` if there is no
    /// event left, no room for another one, or no time to wait.
    async fn arrived(&mut self) -> Option<(u64, T)> {
        let first = self.early.values().map(|(at, _)| *at).min();
        let Some(first) = first else {
            return self.queue.recv().await;
        };
        if self.early.len() == ROOM {
            return None;
        }
        let until = first + PATIENCE;
        timeout_at(until, self.queue.recv()).await.ok().flatten()
    }

    /// Stops waiting for the numbers before the first early event.
    fn skip(&mut self) -> Option<Range<u64>> {
        let first = *self.early.keys().next()?;
        let missing = self.next..first;
        self.next = first;
        Some(missing)
    }
    // ANCHOR_END: gap

    fn new(queue: mpsc::Receiver<(u64, T)>) -> Self {
        Self { queue, next: 1, early: BTreeMap::new() }
    }
}

// ANCHOR: limits
enum Received<T> {
    Event(T),
    Missing(Range<u64>),
}

/// How many events may wait for a missing one, and for how long.
const ROOM: usize = 100;
const PATIENCE: Duration = Duration::from_secs(2);
// ANCHOR_END: limits

use tokio::{task::JoinSet, time::sleep};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (queue, events) = mpsc::channel(ROOM);
    let mut connections = JoinSet::new();
    // Number 2 arrives twice, and number 4 is lost.
    let arrivals =
        [(1, 30), (2, 10), (3, 20), (5, 5), (2, 40), (6, 3000)];
    for (number, ms) in arrivals {
        let queue = queue.clone();
        connections.spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            queue.send((number, format!("event {number}"))).await
        });
    }
    drop(queue);
    let (start, mut events) = (Instant::now(), InOrder::new(events));
    while let Some(received) = events.receive().await {
        let ms = start.elapsed().as_millis();
        match received {
            Received::Event(event) => println!("{ms:4} ms  {event}"),
            Received::Missing(numbers) => {
                println!("{ms:4} ms  missing: {numbers:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_order(
        room: usize,
    ) -> (mpsc::Sender<(u64, u64)>, InOrder<u64>) {
        let (queue, events) = mpsc::channel(room);
        (queue, InOrder::new(events))
    }

    async fn sent(numbers: &[u64]) -> InOrder<u64> {
        let (queue, events) = in_order(numbers.len().max(1));
        for &number in numbers {
            queue.send((number, number)).await.expect("open");
        }
        events
    }

    /// Everything until the end; a gap is negative.
    async fn all(mut events: InOrder<u64>) -> Vec<i64> {
        let mut all = Vec::new();
        while let Some(received) = events.receive().await {
            match received {
                Received::Event(number) => all.push(number as i64),
                Received::Missing(missing) => {
                    all.extend(missing.map(|number| -(number as i64)));
                }
            }
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn edges_any_order_of_arrival_none_and_the_largest_number() {
        for numbers in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [3, 1, 2]] {
            assert_eq!(all(sent(&numbers).await).await, [1, 2, 3]);
        }
        assert_eq!(all(sent(&[]).await).await, [0_i64; 0]);
        let mut events = sent(&[u64::MAX]).await;
        let missing = events.receive().await;
        assert!(matches!(missing, Some(Received::Missing(_))));
        let last = events.receive().await;
        assert!(matches!(last, Some(Received::Event(u64::MAX))));
        assert!(events.receive().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_number_is_received_once() {
        let numbers = [2, 2, 1, 1, 3, 2, 3];
        assert_eq!(all(sent(&numbers).await).await, [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_to_send_a_number_is_reported_at_the_end() {
        assert_eq!(all(sent(&[2, 5]).await).await, [-1, 2, -3, -4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_wait_for_a_missing_number() {
        let (queue, mut events) = in_order(4);
        queue.send((2, 2)).await.expect("open");
        let start = Instant::now();
        let received =
            hazards::within(hazards::HOUR, events.receive()).await;
        assert!(
            matches!(received, Some(Received::Missing(gap)) if gap == (1..2))
        );
        assert!(start.elapsed() < PATIENCE + Duration::from_millis(5));
        let received = events.receive().await;
        assert!(matches!(received, Some(Received::Event(2))));
        // Without a gap, it waits as long as it takes.
        assert!(
            timeout_at(start + hazards::HOUR, events.receive())
                .await
                .is_err()
        );
        // The missing number arrives after all: it's too late.
        queue.send((1, 1)).await.expect("open");
        queue.send((3, 3)).await.expect("open");
        let received = events.receive().await;
        assert!(matches!(received, Some(Received::Event(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_early_events_gives_up_on_the_missing_one() {
        let (queue, mut events) = in_order(2 * ROOM);
        for number in 2..=(2 * ROOM as u64) {
            queue.send((number, number)).await.expect("open");
        }
        let start = Instant::now();
        let received = events.receive().await;
        assert!(
            matches!(received, Some(Received::Missing(gap)) if gap == (1..2))
        );
        assert_eq!(
            (events.early.len(), start.elapsed()),
            (ROOM, Duration::ZERO)
        );
    }

    /// Early events don't prolong the wait.
    #[tokio::test(start_paused = true)]
    async fn clock_runs_from_the_first_early_event() {
        let (queue, mut events) = in_order(1);
        let start = Instant::now();
        let sender = tokio::spawn(async move {
            for number in 2..90 {
                queue.send((number, number)).await.expect("open");
                sleep(Duration::from_millis(100)).await;
            }
        });
        let received = events.receive().await;
        assert!(matches!(received, Some(Received::Missing(_))));
        assert!(start.elapsed() < PATIENCE + Duration::from_millis(5));
        sender.abort();
    }

    /// Several gaps don't add up: an event waits for all of them.
    #[tokio::test(start_paused = true)]
    async fn clock_no_event_waits_longer_than_the_limit() {
        let (queue, mut events) = in_order(20);
        for number in (2..=40).step_by(2) {
            queue.send((number, number)).await.expect("open");
        }
        let start = Instant::now();
        for number in (2..=40).step_by(2) {
            let missing = events.receive().await;
            assert!(matches!(missing, Some(Received::Missing(_))));
            let event = events.receive().await;
            assert!(
                matches!(event, Some(Received::Event(n)) if n == number)
            );
        }
        assert!(start.elapsed() < PATIENCE + Duration::from_millis(5));
    }

    /// The numbers of a sender that starts again count as repeated.
    #[tokio::test(start_paused = true)]
    async fn again_from_one_needs_a_new_receiver() {
        assert_eq!(all(sent(&[1, 2, 3, 1, 2]).await).await, [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_loses_no_event() {
        hazards::at_every_poll(async |cancel| {
            let (queue, mut events) = in_order(1);
            let sender = tokio::spawn(async move {
                for number in [3, 1, 2] {
                    sleep(Duration::from_millis(1)).await;
                    queue.send((number, number)).await.expect("open");
                }
            });
            let first = match cancel.run(events.receive()).await {
                Some(Some(Received::Event(1))) => 1,
                Some(_) => panic!("not the first event"),
                None => 0,
            };
            let rest = all(events).await;
            assert_eq!(rest, [1, 2, 3][first..]);
            sender.await.expect("no panic");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_of_any_number_are_put_into_order() {
        for _ in 0..50 {
            let (queue, events) = in_order(8);
            let mut senders = JoinSet::new();
            for first in 1..=4 {
                let queue = queue.clone();
                senders.spawn(async move {
                    for number in (first..=80).step_by(4) {
                        queue
                            .send((number, number))
                            .await
                            .expect("open");
                    }
                });
            }
            drop(queue);
            assert_eq!(all(events).await, Vec::from_iter(1..=80));
            senders.join_all().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_of_the_senders_ends_with_the_last_event() {
        let (queue, events) = in_order(4);
        queue.send((1, 1)).await.expect("open");
        drop(queue);
        assert_eq!(all(events).await, [1]);
    }
}
