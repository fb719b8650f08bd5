//! Subscribers that come late, are slow, or outlive the feed.

use super::solution::{Event, Feed, Subscription};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

exam::tests! {
    paused a_snapshot_and_then_each_change,
    paused no_older_value_follows_the_snapshot_of_a_slow_subscriber,
    paused it_ends_after_the_last_change,
    paused a_slow_subscriber_gets_the_whole_table_at_the_end,
    paused a_canceled_call_loses_nothing,
}

async fn next(subscription: &mut Subscription) -> Option<Event> {
    let event = timeout(Duration::from_secs(5), subscription.next()).await;
    event.expect("there is an event (or the end), and `next` still waits")
}

/// What a subscriber has that applies all events.
#[derive(Default)]
struct Replica {
    table: BTreeMap<u32, u64>,
    snapshots: u32,
}

impl Replica {
    /// The values of a key only grow.
    fn apply(&mut self, event: Event) {
        match event {
            Event::Snapshot(table) => {
                for (key, old) in &self.table {
                    let new = table.get(key);
                    assert!(
                        new >= Some(old),
                        "key {key}: {old}, then {new:?} in a snapshot"
                    );
                }
                self.table = table;
                self.snapshots += 1;
            }
            Event::Change(key, new) => {
                let old = self.table.insert(key, new);
                assert!(
                    Some(new) > old,
                    "key {key}: {old:?}, and then a change to {new}"
                );
            }
        }
    }
}

async fn a_snapshot_and_then_each_change() {
    let feed = Feed::new(16);
    feed.set(1, 10);
    let mut early = feed.subscribe();
    let first = next(&mut early).await;
    assert_eq!(
        first,
        Some(Event::Snapshot([(1, 10)].into())),
        "the first event"
    );
    for (key, value) in [(2, 20), (1, 11), (3, 30)] {
        feed.set(key, value);
        let event = next(&mut early).await;
        assert_eq!(
            event,
            Some(Event::Change(key, value)),
            "the event of a change"
        );
    }
    let mut late = feed.subscribe();
    let first = next(&mut late).await;
    let table = [(1, 11), (2, 20), (3, 30)].into();
    assert_eq!(
        first,
        Some(Event::Snapshot(table)),
        "the first event of a late one"
    );
    for (key, value) in [(4, 40), (2, 21)] {
        feed.set(key, value);
    }
    for subscription in [&mut early, &mut late] {
        let event = next(subscription).await;
        assert_eq!(
            event,
            Some(Event::Change(4, 40)),
            "the first of two changes"
        );
        let event = next(subscription).await;
        assert_eq!(
            event,
            Some(Event::Change(2, 21)),
            "the second of two changes"
        );
        let more = subscription.next().now_or_never();
        assert_eq!(more, None, "an event, and nothing has changed");
    }
}

async fn no_older_value_follows_the_snapshot_of_a_slow_subscriber() {
    let feed = Feed::new(8);
    let (mut slow, mut copy) = (feed.subscribe(), Replica::default());
    copy.apply(next(&mut slow).await.expect("the feed is there"));
    for value in 1..=1000 {
        feed.set(0, value);
        feed.set(1, 2 * value);
    }
    // Whatever is ready: a snapshot, and perhaps changes after it.
    while let Some(event) = slow.next().now_or_never() {
        copy.apply(event.expect("the feed is there"));
    }
    assert_eq!(
        copy.table,
        [(0, 1000), (1, 2000)].into(),
        "what the subscriber has"
    );
    assert!(copy.snapshots > 1, "2000 changes, and no new snapshot");
    feed.set(2, 7);
    let event = next(&mut slow).await;
    assert_eq!(
        event,
        Some(Event::Change(2, 7)),
        "the event of a change after that"
    );
}

async fn it_ends_after_the_last_change() {
    let feed = Feed::new(8);
    let (mut one, mut two) = (feed.subscribe(), feed.subscribe());
    next(&mut one).await;
    feed.set(1, 10);
    feed.set(2, 20);
    drop(feed);
    assert_eq!(
        next(&mut one).await,
        Some(Event::Change(1, 10)),
        "the change before last"
    );
    assert_eq!(
        next(&mut one).await,
        Some(Event::Change(2, 20)),
        "the last change"
    );
    assert_eq!(next(&mut one).await, None, "the end");
    // This one has never called `next`.
    let mut copy = Replica::default();
    while let Some(event) = next(&mut two).await {
        copy.apply(event);
    }
    assert_eq!(
        copy.table,
        [(1, 10), (2, 20)].into(),
        "what the other subscriber has"
    );
}

async fn a_slow_subscriber_gets_the_whole_table_at_the_end() {
    let feed = Feed::new(8);
    let (mut slow, mut copy) = (feed.subscribe(), Replica::default());
    copy.apply(next(&mut slow).await.expect("the feed is there"));
    for key in 0..100 {
        feed.set(key, 1);
    }
    drop(feed);
    while let Some(event) = next(&mut slow).await {
        copy.apply(event);
    }
    assert!(
        copy.table.into_keys().eq(0..100),
        "what the subscriber has at the end"
    );
}

async fn a_canceled_call_loses_nothing() {
    let feed = Feed::new(8);
    let (mut subscription, mut copy) = (feed.subscribe(), Replica::default());
    for round in 1..=100 {
        // Every third time, it falls behind.
        let changes = if round % 3 == 0 { 50 } else { 1 };
        for change in 0..changes {
            feed.set(change, round);
        }
        // Dropped before and after its first poll.
        drop(subscription.next());
        while let Some(event) = subscription.next().now_or_never() {
            copy.apply(event.expect("the feed is there"));
        }
        assert_eq!(
            copy.table.get(&0),
            Some(&round),
            "what the subscriber has in a round"
        );
    }
}
