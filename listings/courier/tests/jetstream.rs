//! The contract of all stores, for JetStream, and what only this one promises. Each test has a server of its own.

#[path = "contract/suite.rs"]
mod suite;

mod nats;

use std::{collections::HashSet, sync::Arc, time::Duration};

use courier::store::{
    AcceptError, Accepted, JetStreamOptions, JetStreamStore, Outcome,
    SharedStore, StoreError,
};
use futures::StreamExt as _;
use nats::Nats;
use nix::sys::signal::Signal;
use suite::{event, name, subscription};

const MINUTE: Duration = Duration::from_secs(60);

fn options() -> JetStreamOptions {
    // What a dropped claim leaves behind is free again soon.
    let lease = Duration::from_millis(500);
    let timeout = Duration::from_secs(20);
    JetStreamOptions { lease, timeout, ..Default::default() }
}

async fn open(nats: &Nats, options: JetStreamOptions) -> SharedStore {
    let store = JetStreamStore::connect(&nats.url(), options).await;
    Arc::new(store.expect("a store"))
}

struct JetStream(Nats);

impl suite::Harness for JetStream {
    /// Claims are ordered within a lane, not among lanes.
    const EXACT: bool = false;

    async fn start(_test: &str) -> Option<Self> {
        Some(Self(Nats::start(1)))
    }

    async fn open(&self) -> SharedStore {
        open(&self.0, options()).await
    }

    async fn open_small(&self, max_open: usize) -> SharedStore {
        let max_open = max_open as i64;
        open(&self.0, JetStreamOptions { max_open, ..options() }).await
    }

    async fn end(self) {}
}

contract!(jetstream, JetStream);

/// A repeat with the same id finishes what the first attempt began, for the subscriptions that existed then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn again_a_half_done_fan_out() {
    let nats = Nats::start(1);
    let max_open = 3;
    let small = JetStreamOptions { max_open, ..options() };
    let store = open(&nats, small).await;
    for of in ["a", "b"] {
        store
            .subscribe(&subscription(of, &[]), usize::MAX)
            .await
            .unwrap();
    }
    let new = store.accept(&event("1", None)).await;
    assert_eq!(new.unwrap(), Accepted::New(2));
    // There's room for one of its two deliveries.
    for _ in 0..2 {
        let full = store.accept(&event("2", None)).await;
        assert!(matches!(full, Err(AcceptError::Full)), "{full:?}");
    }
    let other = store.accept(&event("2", Some("k"))).await;
    assert!(matches!(other, Err(AcceptError::IdReused)));
    store.subscribe(&subscription("c", &[]), usize::MAX).await.unwrap();
    for lease in store.claim(&name("a"), 1, MINUTE).await.unwrap() {
        assert!(
            store.settle(&lease, &Outcome::Delivered).await.unwrap()
        );
    }
    let new = store.accept(&event("2", None)).await;
    assert_eq!(new.unwrap(), Accepted::New(2));
    let again = store.accept(&event("2", None)).await;
    assert_eq!(again.unwrap(), Accepted::Again);
    let open = store.backlog().await.unwrap();
    let open = open.iter().map(|it| it.open);
    assert_eq!(Vec::from_iter(open), [1, 2, 0]);
}

/// Old events that are still needed cost requests in one purge only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_purge_of_what_is_kept() {
    let nats = Nats::start(1);
    let store = open(&nats, options()).await;
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.unwrap();
    for id in 0..40 {
        let event = event(&id.to_string(), None);
        store.accept(&event).await.unwrap();
    }
    let keep = Duration::from_secs(2);
    tokio::time::sleep(keep).await;
    let died = Outcome::Dead { error: "it's broken".into() };
    let leases = store.claim(&name("a"), 20, MINUTE).await.unwrap();
    for lease in &leases {
        assert!(store.settle(lease, &died).await.unwrap());
    }
    let client = async_nats::connect(nats.url()).await.unwrap();
    let requests = client.subscribe("$JS.API.>").await.unwrap();
    client.flush().await.unwrap();
    let mut requests = requests.ready_chunks(10_000);
    let mut purge = async || {
        assert_eq!(store.purge(keep, 1_000).await.unwrap(), 0);
        // Earlier messages arrive before this returns.
        client.flush().await.unwrap();
        requests.next().await.unwrap().len()
    };
    let first = purge().await;
    let second = purge().await;
    assert!(first > 100 && second < 5, "{first}, {second}");
    tokio::time::sleep(keep).await;
    let purged = store.purge(keep, 1_000).await.unwrap();
    assert_eq!(purged, leases.len() as u64);
}

/// The others are served, and the torn one counts toward the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_of_a_torn_subscription() {
    let nats = Nats::start(1);
    let store = open(&nats, options()).await;
    for of in ["a", "b"] {
        let to = subscription(of, &[]);
        store.subscribe(&to, 2).await.unwrap();
    }
    store.accept(&event("1", None)).await.unwrap();
    let client = async_nats::connect(nats.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let records = context.get_stream("courier-records").await.unwrap();
    let table = records.get_last_raw_message_by_subject("courier.s");
    let table = table.await.unwrap().payload;
    let table = String::from_utf8(table.to_vec()).unwrap();
    let torn = table.replace("https://a.example", "no URL");
    assert_ne!(torn, table);
    let put = context.publish("courier.s", torn.into()).await;
    put.unwrap().await.unwrap();
    let b = subscription("b", &[]);
    assert_eq!(
        store.subscriptions().await.unwrap(),
        std::slice::from_ref(&b)
    );
    assert_eq!(store.due(9).await.unwrap(), [(b.name, b.url)]);
    let c = subscription("c", &[]);
    assert!(!store.subscribe(&c, 2).await.unwrap());
    let a = subscription("a", &[]);
    assert!(store.subscribe(&a, 2).await.unwrap());
    assert_eq!(store.subscriptions().await.unwrap().len(), 2);
}

/// A process that's removing a subscription stalls, another one adds it again, and then the first one cleans up: the new
/// subscription's events are delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_unsubscribe_leaves_the_next_subscription() {
    let nats = Nats::start(1);
    let slow = open(&nats, options()).await;
    let other = open(&nats, options()).await;
    let to = subscription("a", &[]);
    for id in ["1", "2", "3"] {
        other.subscribe(&to, usize::MAX).await.unwrap();
        // What belongs to the old subscription is removed.
        let old = event(&format!("old-{id}"), Some("k"));
        other.accept(&old).await.unwrap();
        let mut removing = std::pin::pin!(slow.unsubscribe(&to.name));
        while !other.subscriptions().await.unwrap().is_empty() {
            assert!(futures::poll!(&mut removing).is_pending());
        }
        // While nobody polls it, it does nothing more.
        other.subscribe(&to, usize::MAX).await.unwrap();
        other.accept(&event(id, Some("k"))).await.unwrap();
        assert!(removing.await.unwrap());
        let claimed = async {
            loop {
                let leases = suite::claim(&other, 9).await;
                if !leases.is_empty() {
                    return leases;
                }
            }
        };
        let leases = hazards::within(MINUTE, claimed).await;
        let [lease] = &leases[..] else { panic!("{leases:?}") };
        assert_eq!(lease.event.id, name(id));
        let done = other.settle(lease, &Outcome::Delivered).await;
        assert!(done.unwrap());
    }
}

/// Records, leases, letters, and messages that can't be read don't keep
/// the others from being delivered, shown, and purged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_of_torn_records() {
    let nats = Nats::start(1);
    let store = open(&nats, options()).await;
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.unwrap();
    for id in ["torn", "good", "dies"] {
        store.accept(&event(id, None)).await.unwrap();
    }
    let client = async_nats::connect(nats.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let tear = async |subject: String| {
        let put = context.publish(subject, "no JSON".into()).await;
        put.unwrap().await.unwrap();
    };
    tear("courier.e.torn".into()).await;
    let purge = async || {
        // After a millisecond, a dead letter is old.
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.purge(Duration::ZERO, 9).await.unwrap()
    };
    // The events must still be delivered.
    assert_eq!(purge().await, 0);
    let lease = Duration::from_millis(500);
    let leases = store.claim(&name("a"), 9, lease).await.unwrap();
    assert_eq!(leases.len(), 3);
    for lease in &leases {
        tear(format!("courier.l.a.{}", lease.delivery)).await;
        let lost = store.settle(lease, &Outcome::Delivered).await;
        assert!(!lost.unwrap());
    }
    tear("courier.d.a.0.bad".into()).await;
    let mut left = 3;
    let settled = async {
        while left > 0 {
            let all = store.claim(&name("a"), 9, MINUTE).await.unwrap();
            for lease in &all {
                let error = "it's broken".into();
                let outcome = match lease.event.id.as_str() {
                    "dies" => Outcome::Dead { error },
                    _ => Outcome::Delivered,
                };
                assert!(store.settle(lease, &outcome).await.unwrap());
                left -= 1;
            }
        }
    };
    hazards::within(MINUTE, settled).await;
    tear("courier.x.a.bad.7".into()).await;
    let dead = store.dead(9).await.unwrap();
    let dead = dead.iter().map(|it| it.event.as_str());
    assert_eq!(
        HashSet::from_iter(dead),
        HashSet::from(["dies", "bad"])
    );
    let backlog = store.backlog().await.unwrap().remove(0);
    assert_eq!((backlog.open, backlog.oldest_seconds), (0, None));
    assert_eq!(purge().await, 3);
    let again = store.accept(&event("torn", None)).await;
    assert_eq!(again.unwrap(), Accepted::New(1));
}

/// The event doesn't block its lane, and an operator sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_of_a_torn_event_of_a_key() {
    let nats = Nats::start(1);
    let store = open(&nats, options()).await;
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.unwrap();
    store.accept(&event("1", Some("k"))).await.unwrap();
    let client = async_nats::connect(nats.url()).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let queue = context.get_stream("courier-queue").await.unwrap();
    let first = queue.get_raw_message(1).await.unwrap();
    let lane = first.subject.strip_suffix(".1").unwrap().to_owned();
    let torn = context.publish(format!("{lane}.to=rn"), "?".into());
    torn.await.unwrap().await.unwrap();
    store.accept(&event("2", Some("k"))).await.unwrap();
    for id in ["1", "2"] {
        let claimed = async {
            loop {
                if let Some(it) = suite::claim(&store, 9).await.pop() {
                    return it;
                }
            }
        };
        let lease = hazards::within(MINUTE, claimed).await;
        assert_eq!(lease.event.id, name(id));
        let done = store.settle(&lease, &Outcome::Delivered).await;
        assert!(done.unwrap());
    }
    let dead = store.dead(9).await.unwrap();
    let [dead] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((&*dead.event, dead.delivery.0), ("to.rn", 2));
    assert!(dead.error.contains("can't read"), "{dead:?}");
    assert!(store.redeliver(dead.delivery).await.is_err());
    assert_eq!(store.backlog().await.unwrap()[0].open, 0);
}

/// `kill -9` of the server: what was accepted is there when it's back, and so are leases and attempts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_of_the_server() {
    let mut nats = Nats::start(1);
    let timeout = Duration::from_secs(2);
    let hasty = JetStreamOptions { timeout, ..options() };
    let store = open(&nats, hasty).await;
    store.subscribe(&subscription("a", &[]), usize::MAX).await.unwrap();
    for id in ["1", "2"] {
        store.accept(&event(id, Some("k"))).await.unwrap();
    }
    let lease = suite::claim(&store, 1).await.remove(0);
    nats.kill(0);
    let lost = store.accept(&event("3", Some("k"))).await;
    assert!(matches!(lost, Err(AcceptError::Store(_))), "{lost:?}");
    nats.restart(0);
    let patience = Duration::from_secs(20);
    hazards::within(patience, async {
        while store.ping().await.is_err() {}
        let settled = store.settle(&lease, &Outcome::Delivered).await;
        assert!(settled.unwrap());
        store.accept(&event("3", Some("k"))).await.unwrap();
        for id in ["2", "3"] {
            let lease = loop {
                let mut leases = suite::claim(&store, 1).await;
                if let Some(lease) = leases.pop() {
                    break lease;
                }
            };
            assert_eq!(lease.event.id, name(id));
            let settled = store.settle(&lease, &Outcome::Delivered);
            assert!(settled.await.unwrap());
        }
    })
    .await;
}

/// A server that's stopped (SIGSTOP) is silent: each call ends within its time limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_of_the_server() {
    let nats = Nats::start(1);
    let timeout = Duration::from_millis(300);
    let hasty = JetStreamOptions { timeout, ..options() };
    let store = open(&nats, hasty).await;
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.unwrap();
    store.accept(&event("1", None)).await.unwrap();
    let lease = suite::claim(&store, 1).await.remove(0);
    nats.signal(0, Signal::SIGSTOP);
    let limit = Duration::from_secs(10);
    hazards::within(limit, async {
        let silent = store.accept(&event("2", None)).await;
        assert!(matches!(
            silent,
            Err(AcceptError::Store(StoreError::Silent(_)))
        ));
        assert!(store.due(9).await.is_err());
        assert!(store.claim(&name("a"), 9, MINUTE).await.is_err());
        assert!(store.renew(&lease, MINUTE).await.is_err());
        let outcome = Outcome::Delivered;
        assert!(store.settle(&lease, &outcome).await.is_err());
        assert!(store.subscribe(&to, usize::MAX).await.is_err());
        assert!(store.unsubscribe(&to.name).await.is_err());
        assert!(store.backlog().await.is_err());
        assert!(store.dead(9).await.is_err());
        assert!(store.redeliver(lease.delivery).await.is_err());
        assert!(store.purge(MINUTE, 9).await.is_err());
        assert!(store.ping().await.is_err());
    })
    .await;
    nats.signal(0, Signal::SIGCONT);
    hazards::within(limit, async {
        while store.accept(&event("2", None)).await.is_err() {}
    })
    .await;
}
