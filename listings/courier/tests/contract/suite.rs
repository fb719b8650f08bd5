//! What every store promises, sentence by sentence. `contract!(name, Harness)` runs all of it for one implementation.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use courier::{
    event::{DeliveryId, Event, Lease, Name, Secret, Subscription},
    store::{AcceptError, Accepted, Backlog, Outcome, SharedStore},
};
use hazards::{at_every_poll, within};
use tokio::{task::JoinSet, time::sleep};

/// An empty place for events, and the stores that share it.
pub trait Harness: Sized {
    /// Whether limits (`most`, `Full`) and the order of what's due are exact.
    const EXACT: bool = true;

    /// A new place. None: this implementation can't be tested here.
    async fn start(test: &str) -> Option<Self>;

    /// A store of this place. Each call is like another process, unless the data is only in memory.
    async fn open(&self) -> SharedStore;

    /// A store that's full when so many deliveries are open.
    async fn open_small(&self, max_open: usize) -> SharedStore;

    /// Removes everything.
    async fn end(self);
}

/// Runs each test of the suite for a harness.
#[macro_export]
macro_rules! contract {
    ($name:ident, $harness:ty) => {
        $crate::contract!(@ $name, $harness,
            deliveries_for_those_who_want_them
            a_new_subscription_gets_no_old_events
            a_replaced_subscription_keeps_its_deliveries
            a_corrected_url_hastens_retries
            a_lease_says_everything
            names_that_are_folders_are_kept
            overload_of_subscriptions_is_refused
            edges_of_texts_and_bodies
            edges_nothing_is_asked_for
            again_the_same_event
            again_the_same_id_with_another_content
            threads_accept_an_id_once
            threads_lease_a_delivery_once
            owner_gone_a_lease_expires
            owner_gone_a_late_settle_changes_nothing
            a_renewed_lease_lasts
            again_settled
            keys_are_delivered_in_order
            a_retry_holds_its_key
            a_dead_delivery_lets_the_next_one_through
            threads_keep_the_order_of_a_key
            threads_accept_and_settle_a_key
            retries_wait
            unused_attempts_dont_count
            due_are_those_who_waited_longest
            dead_letters_and_redelivery
            redelivery_comes_after_open_ones
            threads_redeliver_once
            unsubscribed_deliveries_vanish
            threads_unsubscribe_while_others_accept
            threads_unsubscribe_while_others_subscribe
            purged_events_are_forgotten
            a_late_death_is_kept
            backlog_counts
            changed_wakes
            overload_is_refused
            crash_before_close
            stop_ends_all_calls
            clock_extremes
            cancel_accept
            cancel_due
            cancel_claim
            cancel_renew
            cancel_settle
            cancel_changed
            cancel_subscribe
            cancel_unsubscribe
            cancel_redeliver
            cancel_purge
            cancel_questions
        );
    };
    (@ $name:ident, $harness:ty, $($test:ident)*) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test(
                    flavor = "multi_thread",
                    worker_threads = 4
                )]
                async fn $test() {
                    $crate::suite::run::<$harness>(
                        stringify!($test),
                        async |it| $crate::suite::$test(it).await,
                    )
                    .await;
                }
            )*
        }
    };
}

/// Runs a test, and removes its place even if it fails.
pub async fn run<H: Harness>(name: &str, test: impl AsyncFn(&H)) {
    use futures::FutureExt as _;
    let Some(place) = H::start(name).await else {
        return; // Another test says so.
    };
    let test = std::panic::AssertUnwindSafe(test(&place));
    let tested = test.catch_unwind().await;
    place.end().await;
    if let Err(panic) = tested {
        std::panic::resume_unwind(panic);
    }
}

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(40);
/// More than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn subscription(of: &str, topics: &[&str]) -> Subscription {
    let url = format!("https://{of}.example/hook?a=b");
    Subscription {
        name: name(of),
        url: url.parse().expect("a URL"),
        topics: topics.iter().map(|it| name(it)).collect(),
        secret: Secret(vec![0, 1, 255].into()),
    }
}

pub fn event(id: &str, key: Option<&str>) -> Event {
    Event {
        id: name(id),
        topic: name("order.placed"),
        key: key.map(str::to_owned),
        body: format!("body of {id}").into(),
    }
}

/// A store with a subscription "a" of everything.
async fn with_a(place: &impl Harness) -> SharedStore {
    let store = place.open().await;
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.expect("subscribed");
    store
}

async fn accept(store: &SharedStore, id: &str, key: Option<&str>) {
    let accepted = store.accept(&event(id, key)).await;
    let accepted = accepted.expect("accepted");
    assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
}

pub async fn claim(store: &SharedStore, most: usize) -> Vec<Lease> {
    store.claim(&name("a"), most, LONG).await.expect("claimed")
}

/// Claims until there is something.
async fn claim_one(store: &SharedStore, lease: Duration) -> Lease {
    let claimed = async {
        loop {
            let one = store.claim(&name("a"), 1, lease).await;
            if let Some(one) = one.expect("claimed").pop() {
                return one;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    within(PATIENCE, claimed).await
}

fn ids(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|it| it.event.id.as_str()).collect()
}

async fn settle(
    store: &SharedStore,
    lease: &Lease,
    outcome: Outcome,
) -> bool {
    store.settle(lease, &outcome).await.expect("settled")
}

fn dead() -> Outcome {
    Outcome::Dead { error: "it's broken".into() }
}

fn retry(after: Duration) -> Outcome {
    Outcome::Retry { after, error: "it's down".into() }
}

async fn backlog(store: &SharedStore) -> Backlog {
    let mut all = store.backlog().await.expect("a backlog");
    all.remove(0)
}

/// What's open, leased, and dead of the only subscription.
async fn numbers(store: &SharedStore) -> [u64; 3] {
    let it = backlog(store).await;
    assert_eq!(it.oldest_seconds.is_some(), it.open > 0);
    [it.open, it.leased, it.dead]
}

async fn due(store: &SharedStore) -> Vec<String> {
    let due = store.due(100).await.expect("due");
    due.iter().map(|(name, _)| name.to_string()).collect()
}

pub async fn deliveries_for_those_who_want_them(place: &impl Harness) {
    let store = place.open().await;
    let new = store.accept(&event("1", None)).await.expect("it");
    assert_eq!(new, Accepted::New(0));
    for (of, topics) in [
        ("all", &[][..]),
        ("placed", &["order.paid", "order.placed"]),
        ("other", &["order", "placed", "order_placed", "ORDER.PLACED"]),
    ] {
        let to = subscription(of, topics);
        store.subscribe(&to, usize::MAX).await.expect("subscribed");
    }
    let new = store.accept(&event("2", None)).await.expect("it");
    assert_eq!(new, Accepted::New(2));
    let open = store.backlog().await.expect("a backlog");
    let open =
        open.iter().map(|it| (it.subscription.as_str(), it.open));
    let expected = [("all", 1), ("other", 0), ("placed", 1)];
    assert_eq!(Vec::from_iter(open), expected);
}

pub async fn a_new_subscription_gets_no_old_events(
    place: &impl Harness,
) {
    let store = place.open().await;
    accept(&store, "1", None).await;
    let store = with_a(place).await;
    accept(&store, "2", None).await;
    assert_eq!(ids(&claim(&store, 9).await), ["2"]);
}

pub async fn a_replaced_subscription_keeps_its_deliveries(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    let mut to = subscription("a", &["other"]);
    to.url = "http://127.0.0.1:1/".parse().expect("a URL");
    to.secret = Secret("new".into());
    for _ in 0..2 {
        store.subscribe(&to, usize::MAX).await.expect("subscribed");
    }
    let all = store.subscriptions().await.expect("all");
    assert_eq!(all, [to.clone()]);
    let leases = claim(&store, 9).await;
    assert_eq!(ids(&leases), ["1"]);
    assert_eq!(leases[0].subscription, to);
    accept(&store, "2", None).await;
    assert!(claim(&store, 9).await.is_empty());
    let z = subscription("z", &[]);
    let b = subscription("b", &["x", "y"]);
    store.subscribe(&z, usize::MAX).await.expect("subscribed");
    store.subscribe(&b, usize::MAX).await.expect("subscribed");
    let all = store.subscriptions().await.expect("all");
    assert_eq!(all, [to, b, z]);
}

/// What waits because of the old URL's failures is attempted now.
pub async fn a_corrected_url_hastens_retries<H: Harness>(place: &H) {
    let store = with_a(place).await;
    for (id, key) in [("1", Some("k")), ("2", None), ("3", None)] {
        accept(&store, id, key).await;
    }
    accept(&store, "behind", Some("k")).await;
    let mut leases = Vec::new();
    while leases.len() < 3 {
        leases.extend(claim(&store, 9).await);
    }
    let late = leases.pop().expect("three");
    for lease in &leases {
        assert!(settle(&store, lease, retry(LONG)).await);
    }
    // Topics and secrets say nothing about the old failures.
    let mut to = subscription("a", &["other"]);
    store.subscribe(&to, usize::MAX).await.expect("subscribed");
    assert!(due(&store).await.is_empty());
    assert!(claim(&store, 9).await.is_empty());
    to.url = "http://127.0.0.1:1/".parse().expect("a URL");
    store.subscribe(&to, usize::MAX).await.expect("subscribed");
    // It was sent to the old URL, and fails after the change.
    assert!(settle(&store, &late, retry(LONG)).await);
    if !H::EXACT {
        return;
    }
    let due = store.due(9).await.expect("due");
    assert_eq!(due, [(to.name.clone(), to.url.clone())]);
    let leases = claim(&store, 9).await;
    assert_eq!(ids(&leases), ["1", "2", "3"]);
    for lease in &leases {
        assert_eq!((lease.attempt, &lease.subscription), (2, &to));
        assert!(settle(&store, lease, retry(LONG)).await);
    }
    // The new URL's own failures wait, whatever is said again.
    store.subscribe(&to, usize::MAX).await.expect("subscribed");
    assert!(claim(&store, 9).await.is_empty());
}

/// Earlier versions accepted `.` and `..`.
pub async fn names_that_are_folders_are_kept(place: &impl Harness) {
    let store = place.open().await;
    for (of, topics) in [("..", &["."][..]), (".", &[])] {
        let to = subscription(of, topics);
        let done = store.subscribe(&to, usize::MAX).await;
        assert!(done.expect("subscribed"));
    }
    let topic = name(".");
    let event = Event { topic, ..event("..", Some("k")) };
    let new = store.accept(&event).await.expect("accepted");
    assert_eq!(new, Accepted::New(2));
    let lease = store.claim(&name(".."), 9, LONG).await;
    let lease = lease.expect("claimed").remove(0);
    assert_eq!(lease.event, event);
    assert!(settle(&store, &lease, dead()).await);
    let letters = store.dead(9).await.expect("one");
    assert_eq!(letters[0].subscription, name(".."));
    let back = store.redeliver(letters[0].delivery).await;
    assert!(back.expect("an answer"));
    let mut all = due(&store).await;
    all.sort();
    assert_eq!(all, [".", ".."]);
    let open = store.backlog().await.expect("a backlog");
    let open = Vec::from_iter(open.iter().map(|it| it.open));
    assert_eq!(open, [1, 1]);
    for of in [".", ".."] {
        let done = store.unsubscribe(&name(of)).await;
        assert!(done.expect("an answer"));
    }
    within(PATIENCE, async {
        // Its deliveries are being deleted.
        while store.accept(&event).await.expect("it") == Accepted::Again
        {
            sleep(SHORT).await;
            store.purge(Duration::ZERO, 9).await.expect("a number");
        }
    })
    .await;
}

pub async fn overload_of_subscriptions_is_refused(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    let other = place.open().await;
    let [b, c] = ["b", "c"].map(|of| subscription(of, &[]));
    let subscribe = async |to: &Subscription, most| {
        let done = store.subscribe(to, most).await;
        done.expect("an answer")
    };
    assert!(!subscribe(&b, 1).await);
    assert!(subscribe(&subscription("a", &["x"]), 1).await);
    // Two processes at the same time.
    let both = futures::future::join(
        store.subscribe(&b, 2),
        other.subscribe(&c, 2),
    );
    let (one, two) = both.await;
    assert!(one.expect("an answer") != two.expect("an answer"));
    assert_eq!(store.subscriptions().await.expect("two").len(), 2);
    for of in ["b", "c"] {
        let gone = store.unsubscribe(&name(of)).await;
        gone.expect("an answer");
    }
    assert!(subscribe(&c, 2).await);
    let all = store.subscriptions().await.expect("two");
    assert_eq!(all, [subscription("a", &["x"]), c]);
}

pub async fn a_lease_says_everything(place: &impl Harness) {
    let store = with_a(place).await;
    let event = event("1", Some("k"));
    store.accept(&event).await.expect("accepted");
    sleep(SHORT).await;
    let before = tokio::time::Instant::now();
    let lease = claim(&store, 1).await.remove(0);
    assert_eq!(lease.event, event);
    assert_eq!(lease.subscription, subscription("a", &[]));
    assert_eq!(lease.attempt, 1);
    assert!(lease.age >= SHORT / 2 && lease.age < PATIENCE);
    assert!(lease.expires >= before + LONG);
    assert!(lease.expires <= tokio::time::Instant::now() + LONG);
}

pub async fn edges_of_texts_and_bodies(place: &impl Harness) {
    let store = with_a(place).await;
    let longest = "x".repeat(Name::MAX);
    let zeros = "\0 '; -- \u{17c}\u{f3}\u{142}w \u{1f980}";
    let long = "\u{1f980}".repeat(Event::MAX_KEY / 4);
    let bodies = [vec![], vec![0; 256 * 1024], Vec::from_iter(0..=255)];
    let keys = [None, Some(""), Some(zeros), Some(&*long)];
    let mut all = Vec::new();
    for (n, key) in keys.into_iter().enumerate() {
        for (m, body) in bodies.iter().enumerate() {
            let id = format!("{n}{m}{longest}");
            let mut event = event(&id[..Name::MAX], key);
            event.topic = name(&longest);
            event.body = body.clone().into();
            store.accept(&event).await.expect("accepted");
            let again = store.accept(&event).await.expect("it");
            assert_eq!(again, Accepted::Again);
            all.push(event);
        }
    }
    while !all.is_empty() {
        let lease = claim_one(&store, LONG).await;
        let error = zeros.to_owned();
        let again = Outcome::Retry { after: Duration::ZERO, error };
        assert!(settle(&store, &lease, again).await);
        let lease = claim_one(&store, LONG).await;
        let at = all.iter().position(|it| *it == lease.event);
        all.remove(at.expect("one of them"));
        let error = zeros.to_owned();
        let ended = Outcome::Dead { error };
        assert!(settle(&store, &lease, ended).await);
    }
    let letters = store.dead(100).await.expect("dead ones");
    assert_eq!(letters.len(), keys.len() * bodies.len());
    let whole = letters[0].error.ends_with("\u{1f980}");
    assert!(whole, "{:?}", letters[0].error);
}

pub async fn edges_nothing_is_asked_for(place: &impl Harness) {
    let store = with_a(place).await;
    assert!(due(&store).await.is_empty());
    assert!(claim(&store, 9).await.is_empty());
    let nobody = name("nobody");
    let none = store.claim(&nobody, 9, LONG).await.expect("none");
    assert!(none.is_empty());
    assert_eq!(numbers(&store).await, [0, 0, 0]);
    accept(&store, "1", None).await;
    assert!(store.due(0).await.expect("none").is_empty());
    assert!(claim(&store, 0).await.is_empty());
    assert!(store.dead(0).await.expect("none").is_empty());
    let none = store.purge(Duration::ZERO, 0).await.expect("none");
    assert_eq!(none, 0);
    for id in [-1, 0, 12345, i64::MAX] {
        let none = store.redeliver(DeliveryId(id)).await;
        assert!(!none.expect("none"), "{id}");
    }
    // An open delivery isn't dead.
    let leases = claim(&store, usize::MAX).await;
    let open = store.redeliver(leases[0].delivery).await;
    assert!(!open.expect("none"));
    store.ping().await.expect("an answer");
}

pub async fn again_the_same_event(place: &impl Harness) {
    let store = with_a(place).await;
    let other = place.open().await;
    let event = event("1", Some("k"));
    let new = store.accept(&event).await.expect("it");
    assert_eq!(new, Accepted::New(1));
    let again = other.accept(&event).await.expect("it");
    assert_eq!(again, Accepted::Again);
    let lease = claim(&store, 9).await;
    assert_eq!(lease.len(), 1);
    assert!(settle(&store, &lease[0], Outcome::Delivered).await);
    // It's recognized after it was delivered, too.
    let again = store.accept(&event).await.expect("it");
    assert_eq!(again, Accepted::Again);
    assert_eq!(numbers(&store).await, [0, 0, 0]);
}

pub async fn again_the_same_id_with_another_content(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    let first = event("1", Some("k"));
    store.accept(&first).await.expect("accepted");
    let changes: [fn(&mut Event); 4] = [
        |it| it.topic = name("order.paid"),
        |it| it.key = None,
        |it| it.key = Some("K".into()),
        |it| it.body = "other".into(),
    ];
    for change in changes {
        let mut other = first.clone();
        change(&mut other);
        let reused = store.accept(&other).await;
        assert!(matches!(reused, Err(AcceptError::IdReused)));
    }
    let leases = claim(&store, 9).await;
    assert_eq!(leases.len(), 1);
    assert_eq!(leases[0].event, first);
}

pub async fn threads_accept_an_id_once(place: &impl Harness) {
    let store = with_a(place).await;
    let stores = [store.clone(), place.open().await];
    for id in 0..5 {
        let mut tasks = JoinSet::new();
        for n in 0..8 {
            let store = stores[n % 2].clone();
            // Some with the same key, some with the same content.
            let event = event(&id.to_string(), Some("k"));
            tasks.spawn(async move { store.accept(&event).await });
        }
        let mut new = 0;
        for accepted in tasks.join_all().await {
            match accepted.expect("it") {
                Accepted::New(deliveries) => new += deliveries,
                Accepted::Again => {}
            }
        }
        assert_eq!(new, 1);
    }
    assert_eq!(numbers(&store).await, [5, 0, 0]);
}

pub async fn threads_lease_a_delivery_once(place: &impl Harness) {
    const EVENTS: usize = 60;
    let store = with_a(place).await;
    let stores = [store.clone(), place.open().await];
    for id in 0..EVENTS {
        accept(&store, &id.to_string(), None).await;
    }
    let mut tasks = JoinSet::new();
    let claimed = Arc::new(Mutex::new(HashSet::new()));
    for n in 0..6 {
        let store = stores[n % 2].clone();
        let claimed = Arc::clone(&claimed);
        tasks.spawn(async move {
            let all = || claimed.lock().expect("no panic");
            while all().len() < EVENTS {
                let leases = claim(&store, 1 + n).await;
                assert!(leases.len() <= 1 + n);
                for lease in leases {
                    assert!(all().insert(lease.delivery));
                }
                tokio::task::yield_now().await;
            }
        });
    }
    within(PATIENCE, tasks.join_all()).await;
    assert_eq!(
        numbers(&store).await,
        [EVENTS as u64, EVENTS as u64, 0]
    );
    assert!(claim(&store, 9).await.is_empty());
}

pub async fn owner_gone_a_lease_expires(place: &impl Harness) {
    let store = with_a(place).await;
    let other = place.open().await;
    accept(&store, "1", Some("k")).await;
    accept(&store, "2", Some("k")).await;
    let start = Instant::now();
    let mut last = claim_one(&store, SHORT).await;
    for attempt in 2..5 {
        let next = claim_one(&other, SHORT).await;
        assert_eq!(next.delivery, last.delivery);
        assert_eq!(next.attempt, attempt);
        assert!(next.token > last.token);
        assert!(last.expires.into_std() <= Instant::now());
        last = next;
    }
    assert!(start.elapsed() >= 3 * SHORT);
}

pub async fn owner_gone_a_late_settle_changes_nothing(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    let other = place.open().await;
    accept(&store, "1", Some("k")).await;
    accept(&store, "2", Some("k")).await;
    let outcomes =
        [Outcome::Delivered, retry(LONG), dead(), Outcome::Unused];
    let late = claim_one(&store, SHORT).await;
    sleep(2 * SHORT).await;
    // Nobody has it now, but it's lost.
    for outcome in &outcomes {
        assert!(!settle(&store, &late, outcome.clone()).await);
    }
    assert!(!store.renew(&late, LONG).await.expect("an answer"));
    let lease = claim_one(&other, LONG).await;
    assert_eq!((lease.delivery, lease.attempt), (late.delivery, 2));
    for outcome in &outcomes {
        assert!(!settle(&store, &late, outcome.clone()).await);
    }
    assert!(!store.renew(&late, LONG).await.expect("an answer"));
    assert_eq!(numbers(&store).await, [2, 1, 0]);
    assert!(claim(&store, 9).await.is_empty());
    assert!(settle(&other, &lease, Outcome::Delivered).await);
    assert_eq!(ids(&claim(&store, 9).await), ["2"]);
}

pub async fn a_renewed_lease_lasts(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    let first = Duration::from_secs(2);
    let leases = store.claim(&name("a"), 1, first).await;
    let lease = leases.expect("claimed").remove(0);
    assert!(store.renew(&lease, LONG).await.expect("an answer"));
    sleep(first + SHORT).await;
    assert!(claim(&store, 9).await.is_empty());
    assert_eq!(numbers(&store).await, [1, 1, 0]);
    // It can be made shorter, too.
    assert!(store.renew(&lease, SHORT).await.expect("an answer"));
    assert_eq!(claim_one(&store, LONG).await.attempt, 2);
}

pub async fn again_settled(place: &impl Harness) {
    let store = with_a(place).await;
    for outcome in [
        Outcome::Delivered,
        retry(Duration::ZERO),
        retry(LONG),
        Outcome::Unused,
        dead(),
    ] {
        let place = format!("{outcome:?}");
        let id = place.split(' ').next().expect("a word");
        let id = format!("{id}{}", place.len());
        accept(&store, &id, Some(&id)).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, outcome.clone()).await);
        for again in [outcome.clone(), Outcome::Delivered, dead()] {
            assert!(!settle(&store, &lease, again).await, "{id}");
        }
        assert!(!store.renew(&lease, LONG).await.expect("an answer"));
        // So that it isn't claimed in the next round.
        while let [lease] = &claim(&store, 1).await[..] {
            settle(&store, lease, Outcome::Delivered).await;
        }
    }
    assert_eq!(numbers(&store).await, [1, 0, 1]);
}

pub async fn keys_are_delivered_in_order<H: Harness>(place: &H) {
    let store = with_a(place).await;
    let b = subscription("b", &[]);
    store.subscribe(&b, usize::MAX).await.expect("subscribed");
    for (id, key) in [
        ("k1", Some("k")),
        ("l1", Some("l")),
        ("k2", Some("k")),
        ("none1", None),
        ("none2", None),
        ("l2", Some("l")),
        ("k3", Some("k")),
    ] {
        accept(&store, id, key).await;
        sleep(Duration::from_millis(3)).await;
    }
    let first = claim(&store, 9).await;
    let mut found = ids(&first);
    if !H::EXACT {
        found.sort_unstable();
    }
    assert_eq!(found, ["k1", "l1", "none1", "none2"]);
    assert!(claim(&store, 9).await.is_empty());
    // The other subscription doesn't wait for this one.
    let other = store.claim(&name("b"), 9, LONG).await.expect("it");
    assert_eq!(other.len(), 4);
    let by_id = |id: &str| {
        let found = first.iter().find(|it| it.event.id.as_str() == id);
        found.expect("it was claimed")
    };
    assert!(settle(&store, by_id("k1"), Outcome::Delivered).await);
    let second = claim(&store, 9).await;
    assert_eq!(ids(&second), ["k2"]);
    assert!(settle(&store, by_id("l1"), Outcome::Delivered).await);
    assert!(settle(&store, by_id("none1"), Outcome::Delivered).await);
    assert_eq!(ids(&claim(&store, 9).await), ["l2"]);
    assert!(settle(&store, &second[0], Outcome::Delivered).await);
    assert_eq!(ids(&claim(&store, 9).await), ["k3"]);
}

pub async fn a_retry_holds_its_key(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", Some("k")).await;
    accept(&store, "2", Some("k")).await;
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, retry(LONG)).await);
    assert!(claim(&store, 9).await.is_empty());
    assert!(due(&store).await.is_empty());
    accept(&store, "3", Some("k")).await;
    assert!(claim(&store, 9).await.is_empty());
    accept(&store, "4", Some("l")).await;
    let lease = claim_one(&store, LONG).await;
    assert_eq!(lease.event.id.as_str(), "4");
    assert!(settle(&store, &lease, retry(Duration::ZERO)).await);
    accept(&store, "5", Some("l")).await;
    assert_eq!(ids(&[claim_one(&store, LONG).await]), ["4"]);
    assert!(claim(&store, 9).await.is_empty());
    // So does an attempt that wasn't made.
    accept(&store, "6", Some("m")).await;
    accept(&store, "7", Some("m")).await;
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, Outcome::Unused).await);
    assert_eq!(ids(&[claim_one(&store, LONG).await]), ["6"]);
    assert!(claim(&store, 9).await.is_empty());
}

pub async fn a_dead_delivery_lets_the_next_one_through(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    for id in ["1", "2", "3"] {
        accept(&store, id, Some("k")).await;
    }
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, dead()).await);
    let lease = claim_one(&store, LONG).await;
    assert_eq!(lease.event.id.as_str(), "2");
    assert!(settle(&store, &lease, dead()).await);
    assert_eq!(ids(&[claim_one(&store, LONG).await]), ["3"]);
    assert_eq!(numbers(&store).await, [1, 1, 2]);
    // The first one after a dead one isn't held, either.
    accept(&store, "4", Some("l")).await;
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, dead()).await);
    accept(&store, "5", Some("l")).await;
    assert_eq!(ids(&[claim_one(&store, LONG).await]), ["5"]);
}

/// Several writers of one key, and several workers.
pub async fn threads_keep_the_order_of_a_key(place: &impl Harness) {
    const EACH: usize = 20;
    const WRITERS: usize = 4;
    let store = with_a(place).await;
    let stores = [store.clone(), place.open().await];
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let store = stores[writer % 2].clone();
        tasks.spawn(async move {
            for n in 0..EACH {
                let id = format!("{writer}-{n}");
                accept(&store, &id, Some("k")).await;
            }
        });
    }
    let done = Arc::new(AtomicUsize::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    for worker in 0..4 {
        let store = stores[worker % 2].clone();
        let done = Arc::clone(&done);
        let running = Arc::clone(&running);
        let order = Arc::clone(&order);
        tasks.spawn(async move {
            while done.load(Ordering::SeqCst) < EACH * WRITERS {
                // A store in memory never waits.
                sleep(Duration::from_millis(1)).await;
                let leases = claim(&store, 3).await;
                assert!(leases.len() <= 1, "one of a key");
                for lease in leases {
                    let before = running.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(before, 0, "one at a time");
                    let id = lease.event.id.to_string();
                    let attempt = lease.attempt;
                    tokio::task::yield_now().await;
                    let fails = attempt == 1 && id.ends_with('3');
                    running.fetch_sub(1, Ordering::SeqCst);
                    let outcome = match fails {
                        true => retry(Duration::ZERO),
                        false => {
                            order.lock().expect("no panic").push(id);
                            done.fetch_add(1, Ordering::SeqCst);
                            Outcome::Delivered
                        }
                    };
                    assert!(settle(&store, &lease, outcome).await);
                }
            }
        });
    }
    within(2 * PATIENCE, tasks.join_all()).await;
    let mut last = HashMap::new();
    for id in order.lock().expect("no panic").iter() {
        let (writer, n) = id.split_once('-').expect("two numbers");
        let n: usize = n.parse().expect("a number");
        let before = last.insert(writer.to_owned(), n);
        assert_eq!(before.map_or(0, |it| it + 1), n, "{id}");
    }
    assert_eq!(numbers(&store).await, [0, 0, 0]);
}

/// A delivery that's accepted while the one before it ends isn't left waiting.
pub async fn threads_accept_and_settle_a_key(place: &impl Harness) {
    let store = with_a(place).await;
    let other = place.open().await;
    accept(&store, "0", Some("k")).await;
    for id in 1..60 {
        let lease = claim_one(&store, LONG).await;
        let outcome =
            if id % 3 == 0 { dead() } else { Outcome::Delivered };
        let other = other.clone();
        let accepted = tokio::spawn(async move {
            accept(&other, &id.to_string(), Some("k")).await;
        });
        assert!(settle(&store, &lease, outcome).await);
        accepted.await.expect("no panic");
    }
    assert_eq!(ids(&[claim_one(&store, LONG).await]), ["59"]);
}

pub async fn retries_wait(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    let wait = 5 * SHORT;
    for attempt in 1..4 {
        let start = Instant::now();
        let lease = claim_one(&store, LONG).await;
        assert_eq!(lease.attempt, attempt);
        if attempt > 1 {
            // The wait began before this.
            assert!(start.elapsed() + SHORT >= wait / 2);
        }
        assert!(settle(&store, &lease, retry(wait)).await);
        assert!(claim(&store, 9).await.is_empty());
        assert_eq!(numbers(&store).await, [1, 0, 0]);
    }
}

pub async fn unused_attempts_dont_count(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    for _ in 0..3 {
        let lease = claim_one(&store, LONG).await;
        assert_eq!(lease.attempt, 1);
        assert!(settle(&store, &lease, Outcome::Unused).await);
        assert_eq!(due(&store).await, ["a"]);
    }
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, retry(Duration::ZERO)).await);
    assert_eq!(claim_one(&store, LONG).await.attempt, 2);
}

pub async fn due_are_those_who_waited_longest<H: Harness>(place: &H) {
    let store = place.open().await;
    for of in ["a", "b", "c"] {
        let to = subscription(of, &[of]);
        store.subscribe(&to, usize::MAX).await.expect("subscribed");
    }
    for (id, topic) in
        [("1", "b"), ("2", "a"), ("3", "c"), ("4", "b"), ("5", "a")]
    {
        let mut event = event(id, Some("k"));
        event.topic = name(topic);
        store.accept(&event).await.expect("accepted");
        sleep(Duration::from_millis(5)).await;
    }
    let mut all = due(&store).await;
    if H::EXACT {
        assert_eq!(all, ["b", "a", "c"]);
        let two = store.due(2).await.expect("two");
        assert!(two.iter().map(|it| it.0.as_str()).eq(["b", "a"]));
    }
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c"]);
    // Only the second one of the key is left, and it waits.
    let lease = claim_one(&store, LONG).await;
    assert_eq!(lease.event.id.as_str(), "2");
    let mut all = due(&store).await;
    all.sort_unstable();
    assert_eq!(all, ["b", "c"]);
    assert!(settle(&store, &lease, retry(LONG)).await);
    assert!(!due(&store).await.contains(&"a".to_owned()));
    assert_eq!(store.due(1).await.expect("one").len(), 1);
}

pub async fn dead_letters_and_redelivery(place: &impl Harness) {
    let store = with_a(place).await;
    let other = place.open().await;
    for id in ["1", "2", "3"] {
        accept(&store, id, None).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, retry(Duration::ZERO)).await);
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, dead()).await);
    }
    let letters = other.dead(100).await.expect("dead ones");
    let found = letters.iter().map(|it| it.event.as_str());
    assert_eq!(Vec::from_iter(found), ["3", "2", "1"]);
    assert_eq!(letters[0].attempts, 2);
    assert_eq!(letters[0].error, "it's broken");
    assert_eq!(letters[0].subscription, name("a"));
    assert_eq!(letters[0].topic, "order.placed");
    let two = store.dead(2).await.expect("dead ones");
    assert_eq!(two, letters[..2]);
    assert_eq!(numbers(&store).await, [0, 0, 3]);

    sleep(2 * SHORT).await;
    let start = Instant::now();
    let put_back = other.redeliver(letters[1].delivery).await;
    assert!(put_back.expect("an answer"));
    let again = store.redeliver(letters[1].delivery).await;
    assert!(!again.expect("an answer"));
    assert_eq!(numbers(&store).await, [1, 0, 2]);
    let lease = claim_one(&store, LONG).await;
    assert_eq!(lease.event, event("2", None));
    assert_eq!(lease.attempt, 1);
    // Or else one that was given up for its age would be, again.
    assert!(lease.age < start.elapsed() + SHORT, "{:?}", lease.age);
    assert!(settle(&store, &lease, dead()).await);
    let letters = store.dead(100).await.expect("dead ones");
    let found = letters.iter().find(|it| it.event.as_str() == "2");
    assert_eq!(found.expect("it's dead again").attempts, 1);
}

pub async fn redelivery_comes_after_open_ones(place: &impl Harness) {
    let store = with_a(place).await;
    for id in ["1", "2", "3"] {
        accept(&store, id, Some("k")).await;
    }
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, dead()).await);
    let leased = claim_one(&store, LONG).await;
    let letters = store.dead(9).await.expect("dead ones");
    let back = store.redeliver(letters[0].delivery).await;
    assert!(back.expect("an answer"));
    // One of the key is leased, so none other is.
    assert!(claim(&store, 9).await.is_empty());
    assert!(settle(&store, &leased, Outcome::Delivered).await);
    let mut left = Vec::new();
    for _ in 0..2 {
        let leases = claim(&store, 9).await;
        assert_eq!(leases.len(), 1);
        left.extend(ids(&leases).iter().map(|it| it.to_string()));
        assert!(settle(&store, &leases[0], Outcome::Delivered).await);
    }
    assert_eq!(left, ["3", "1"]);
    assert_eq!(numbers(&store).await, [0, 0, 0]);
}

pub async fn threads_redeliver_once(place: &impl Harness) {
    let store = with_a(place).await;
    let stores = [store.clone(), place.open().await];
    for round in 0..5 {
        let id = round.to_string();
        accept(&store, &id, Some("k")).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, dead()).await);
        let letters = store.dead(9).await.expect("dead ones");
        let delivery = letters[0].delivery;
        let mut tasks = JoinSet::new();
        for n in 0..6 {
            let store = stores[n % 2].clone();
            tasks.spawn(async move {
                store.redeliver(delivery).await.expect("an answer")
            });
        }
        let put_back = tasks.join_all().await;
        let put_back = put_back.iter().filter(|it| **it).count();
        assert_eq!(put_back, 1);
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, Outcome::Delivered).await);
        assert_eq!(numbers(&store).await, [0, 0, 0]);
    }
}

pub async fn unsubscribed_deliveries_vanish(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", Some("k")).await;
    accept(&store, "2", Some("k")).await;
    accept(&store, "3", None).await;
    let leases = claim(&store, 9).await;
    assert_eq!(leases.len(), 2);
    assert!(settle(&store, &leases[0], dead()).await);
    let letters = store.dead(9).await.expect("dead ones");
    let a = name("a");
    assert!(store.unsubscribe(&a).await.expect("an answer"));
    assert!(!store.unsubscribe(&a).await.expect("an answer"));
    let lost = &leases[1];
    assert!(!store.renew(lost, LONG).await.expect("an answer"));
    assert!(!settle(&store, lost, Outcome::Delivered).await);
    let none = store.redeliver(letters[0].delivery).await;
    assert!(!none.expect("an answer"));
    assert!(store.dead(9).await.expect("none").is_empty());
    assert!(store.backlog().await.expect("none").is_empty());
    assert!(store.subscriptions().await.expect("none").is_empty());
    assert!(due(&store).await.is_empty());
    assert!(claim(&store, 9).await.is_empty());
    // A new one of that name doesn't inherit them.
    let store = with_a(place).await;
    assert!(claim(&store, 9).await.is_empty());
    assert_eq!(numbers(&store).await, [0, 0, 0]);
    assert!(!settle(&store, lost, Outcome::Delivered).await);
    accept(&store, "4", Some("k")).await;
    assert_eq!(ids(&[claim_one(&store, LONG).await]), ["4"]);
}

pub async fn threads_unsubscribe_while_others_accept(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    let other = place.open().await;
    for round in 0..10 {
        let mut tasks = JoinSet::new();
        for n in 0..4 {
            let other = other.clone();
            tasks.spawn(async move {
                let id = format!("{round}-{n}");
                accept(&other, &id, Some(&n.to_string())).await;
                for lease in claim(&other, 1).await {
                    settle(&other, &lease, Outcome::Delivered).await;
                }
            });
        }
        let gone = store.unsubscribe(&name("a")).await;
        assert!(gone.expect("an answer"));
        within(PATIENCE, tasks.join_all()).await;
        let store = with_a(place).await;
        assert_eq!(numbers(&store).await, [0, 0, 0]);
    }
}

/// A subscription that's removed and added again at the same time, by two processes: its new events are delivered.
pub async fn threads_unsubscribe_while_others_subscribe(
    place: &impl Harness,
) {
    let store = with_a(place).await;
    let other = place.open().await;
    let a = subscription("a", &[]);
    for round in 0..60 {
        let id = round.to_string();
        let again = async {
            sleep(Duration::from_millis(round % 12)).await;
            // If it's being removed right now, it may fail.
            while other.subscribe(&a, usize::MAX).await.is_err() {}
            let accepted = other.accept(&event(&id, None)).await;
            accepted.expect("accepted")
        };
        let again = within(PATIENCE, again);
        let (gone, accepted) =
            tokio::join!(store.unsubscribe(&a.name), again);
        gone.expect("an answer");
        let all = other.subscriptions().await.expect("a list");
        if accepted == Accepted::New(1) && !all.is_empty() {
            let lease = claim_one(&other, LONG).await;
            assert_eq!(lease.event.id, name(&id));
            assert!(settle(&other, &lease, Outcome::Delivered).await);
        }
        other.subscribe(&a, usize::MAX).await.expect("subscribed");
    }
}

pub async fn purged_events_are_forgotten<H: Harness>(place: &H) {
    let store = with_a(place).await;
    for id in ["delivered", "dead", "retried", "leased"] {
        accept(&store, id, None).await;
    }
    accept(&store, "waiting", Some("k")).await;
    accept(&store, "waiting2", Some("k")).await;
    let leases = claim(&store, 9).await;
    for lease in &leases {
        let outcome = match lease.event.id.as_str() {
            "delivered" => Outcome::Delivered,
            "dead" => dead(),
            "retried" => retry(LONG),
            _ => continue,
        };
        assert!(settle(&store, lease, outcome).await);
    }
    let none = store.purge(LONG, 100).await.expect("a number");
    assert_eq!(none, 0);
    sleep(SHORT).await;
    let zero = Duration::ZERO;
    if H::EXACT {
        let one = store.purge(zero, 1).await.expect("a number");
        assert_eq!(one, 1);
        let one = store.purge(zero, 100).await.expect("a number");
        assert_eq!(one, 1);
    } else {
        let mut two = 0;
        while two < 2 {
            two += store.purge(zero, 100).await.expect("a number");
        }
        assert_eq!(two, 2);
    }
    assert_eq!(numbers(&store).await, [4, 2, 0]);
    assert!(store.dead(9).await.expect("none").is_empty());
    let again = store.accept(&event("retried", None)).await;
    assert_eq!(again.expect("it"), Accepted::Again);
    for id in ["delivered", "dead"] {
        let new = store.accept(&event(id, None)).await;
        assert_eq!(new.expect("it"), Accepted::New(1));
    }
}

/// A dead delivery is kept from its death on, however old its event.
pub async fn a_late_death_is_kept(place: &impl Harness) {
    let store = with_a(place).await;
    let keep = Duration::from_secs(2);
    accept(&store, "1", None).await;
    for _ in 0..2 {
        sleep(keep + SHORT).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, dead()).await);
        let none = store.purge(keep, 9).await.expect("a number");
        assert_eq!(none, 0);
        let letters = store.dead(9).await.expect("one");
        assert_eq!(letters.len(), 1);
        let back = store.redeliver(letters[0].delivery).await;
        assert!(back.expect("an answer"));
    }
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, dead()).await);
    sleep(keep + SHORT).await;
    assert_eq!(store.purge(keep, 9).await.expect("a number"), 1);
    assert!(store.dead(9).await.expect("none").is_empty());
}

pub async fn backlog_counts(place: &impl Harness) {
    let store = with_a(place).await;
    assert_eq!(backlog(&store).await.oldest_seconds, None);
    for id in ["1", "2", "3", "4", "5"] {
        accept(&store, id, None).await;
    }
    accept(&store, "6", Some("k")).await;
    accept(&store, "7", Some("k")).await;
    let leases = claim(&store, 3).await;
    assert_eq!(leases.len(), 3);
    assert!(settle(&store, &leases[0], dead()).await);
    assert!(settle(&store, &leases[1], retry(LONG)).await);
    assert_eq!(numbers(&store).await, [6, 1, 1]);
    sleep(Duration::from_millis(1100)).await;
    let age = backlog(&store).await.oldest_seconds;
    assert!((1..30).contains(&age.expect("an age")), "{age:?}");
    // A lease that expired isn't counted.
    assert!(store.renew(&leases[2], SHORT).await.expect("it"));
    sleep(2 * SHORT).await;
    assert_eq!(numbers(&store).await, [6, 0, 1]);
    let b = subscription("b", &["none"]);
    store.subscribe(&b, usize::MAX).await.expect("subscribed");
    let all = store.backlog().await.expect("a backlog");
    let empty = Backlog {
        subscription: name("b"),
        open: 0,
        leased: 0,
        dead: 0,
        oldest_seconds: None,
    };
    assert_eq!(all[1..], [empty]);
}

pub async fn changed_wakes(place: &impl Harness) {
    let store = with_a(place).await;
    for round in 0..3 {
        // Also if it happened before somebody waited.
        let id = round.to_string();
        accept(&store, &id, None).await;
        within(PATIENCE, store.changed()).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, dead()).await);
        let letters = store.dead(9).await.expect("dead ones");
        let back = store.redeliver(letters[0].delivery).await;
        assert!(back.expect("an answer"));
        within(PATIENCE, store.changed()).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, Outcome::Delivered).await);
    }
    // And several who wait already.
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let store = store.clone();
        waiting.spawn(async move { store.changed().await });
    }
    sleep(2 * SHORT).await;
    accept(&store, "again", None).await;
    within(PATIENCE, waiting.join_all()).await;
}

pub async fn overload_is_refused<H: Harness>(place: &H) {
    if !H::EXACT {
        return;
    }
    let store = place.open_small(3).await;
    for id in ["1", "2", "3", "4"] {
        // Without deliveries, nothing is open.
        accept(&store, id, None).await;
    }
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.expect("subscribed");
    for id in ["5", "6", "7"] {
        accept(&store, id, None).await;
    }
    for _ in 0..3 {
        let full = store.accept(&event("8", None)).await;
        assert!(matches!(full, Err(AcceptError::Full)), "{full:?}");
        let again = store.accept(&event("7", None)).await;
        assert_eq!(again.expect("it"), Accepted::Again);
        let reused = store.accept(&event("7", Some("k"))).await;
        assert!(matches!(reused, Err(AcceptError::IdReused)));
    }
    for outcome in [Outcome::Delivered, dead()] {
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, outcome).await);
    }
    accept(&store, "8", None).await;
    accept(&store, "9", None).await;
    let full = store.accept(&event("10", None)).await;
    assert!(matches!(full, Err(AcceptError::Full)), "{full:?}");
}

// ANCHOR: test
/// After a process is killed, another one finds what the first had accepted.
pub async fn crash_before_close(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", Some("k")).await;
    accept(&store, "2", Some("k")).await;
    let lease = claim_one(&store, LONG).await;
    assert!(settle(&store, &lease, Outcome::Delivered).await);
    drop(store);
    let store = place.open().await;
    let again = store.accept(&event("1", Some("k"))).await;
    assert_eq!(again.expect("it"), Accepted::Again);
    assert_eq!(ids(&claim(&store, 9).await), ["2"]);
}
// ANCHOR_END: test

pub async fn stop_ends_all_calls(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    let lease = claim_one(&store, LONG).await;
    within(PATIENCE, store.close()).await;
    within(PATIENCE, store.close()).await;
    within(PATIENCE, async {
        assert!(store.accept(&event("2", None)).await.is_err());
        assert!(store.due(9).await.is_err());
        assert!(store.claim(&name("a"), 9, LONG).await.is_err());
        assert!(store.renew(&lease, LONG).await.is_err());
        let delivered = Outcome::Delivered;
        assert!(store.settle(&lease, &delivered).await.is_err());
        assert!(store.subscriptions().await.is_err());
        assert!(store.backlog().await.is_err());
        assert!(store.dead(9).await.is_err());
        assert!(store.purge(LONG, 9).await.is_err());
        assert!(store.ping().await.is_err());
    })
    .await;
}

pub async fn clock_extremes(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    for shortest in [Duration::ZERO, Duration::from_nanos(1)] {
        let lease = claim_one(&store, shortest).await;
        sleep(Duration::from_millis(10)).await;
        assert!(!settle(&store, &lease, Outcome::Delivered).await);
    }
    let forever = Duration::MAX;
    let lease = claim_one(&store, forever).await;
    assert!(store.renew(&lease, forever).await.expect("an answer"));
    assert_eq!(store.purge(forever, 9).await.expect("none"), 0);
    assert!(settle(&store, &lease, retry(forever)).await);
    assert!(claim(&store, 9).await.is_empty());
    assert_eq!(numbers(&store).await, [1, 0, 0]);
}

/// The connections that were given back work, and nothing stays locked.
async fn works(store: &SharedStore, n: usize) {
    let id = format!("works-{n}");
    let key = Some("a key of its own");
    let accepted = async {
        accept(store, &id, key).await;
        let lease = loop {
            let lease = claim_one(store, LONG).await;
            if lease.event.id.as_str() == id {
                break lease;
            }
            settle(store, &lease, retry(LONG)).await;
        };
        assert!(settle(store, &lease, Outcome::Delivered).await);
    };
    within(PATIENCE, accepted).await;
}

pub async fn cancel_accept(place: &impl Harness) {
    let store = with_a(place).await;
    at_every_poll(async |cancel| {
        let event = event(&cancel.polls().to_string(), Some("k"));
        let before = numbers(&store).await[0];
        let new = cancel.run(store.accept(&event)).await;
        if let Some(new) = new {
            assert_eq!(new.expect("it"), Accepted::New(1));
            assert_eq!(numbers(&store).await[0], before + 1);
        }
        // A canceled one took effect or not: all of it, or nothing.
        store.accept(&event).await.expect("it");
        assert_eq!(numbers(&store).await[0], before + 1);
        let again = store.accept(&event).await.expect("it");
        assert_eq!(again, Accepted::Again);
        let lease = claim_one(&store, LONG).await;
        assert_eq!(lease.event, event);
        assert!(settle(&store, &lease, Outcome::Delivered).await);
    })
    .await;
}

pub async fn cancel_due(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    at_every_poll(async |cancel| {
        if let Some(due) = cancel.run(store.due(9)).await {
            assert_eq!(due.expect("due")[0].0, name("a"));
        }
        assert_eq!(due(&store).await, ["a"]);
    })
    .await;
}

pub async fn cancel_claim(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", Some("k")).await;
    accept(&store, "2", Some("k")).await;
    let a = name("a");
    let mut token = 0;
    at_every_poll(async |cancel| {
        let claimed = cancel.run(store.claim(&a, 9, SHORT)).await;
        if let Some(claimed) = claimed {
            assert_eq!(ids(&claimed.expect("it")), ["1"]);
        }
        // Leased for a moment, or not.
        let lease = claim_one(&store, LONG).await;
        assert_eq!(lease.event.id, name("1"));
        assert!(lease.token > token);
        token = lease.token;
        assert!(settle(&store, &lease, retry(Duration::ZERO)).await);
    })
    .await;
}

pub async fn cancel_renew(place: &impl Harness) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    let lease = claim_one(&store, LONG).await;
    at_every_poll(async |cancel| {
        if let Some(held) = cancel.run(store.renew(&lease, LONG)).await
        {
            assert!(held.expect("an answer"));
        }
        assert!(store.renew(&lease, LONG).await.expect("an answer"));
        assert!(claim(&store, 9).await.is_empty());
    })
    .await;
    assert!(settle(&store, &lease, Outcome::Delivered).await);
}

pub async fn cancel_settle(place: &impl Harness) {
    let store = with_a(place).await;
    for (n, outcome) in [
        Outcome::Delivered,
        dead(),
        retry(Duration::ZERO),
        Outcome::Unused,
    ]
    .into_iter()
    .enumerate()
    {
        at_every_poll(async |cancel| {
            let id = format!("{n}-{}", cancel.polls());
            let next = format!("{id}-next");
            accept(&store, &id, Some("k")).await;
            accept(&store, &next, Some("k")).await;
            let lease = claim_one(&store, LONG).await;
            assert_eq!(lease.event.id, name(&id));
            let settled = cancel.run(store.settle(&lease, &outcome));
            let is_complete = match settled.await {
                Some(settled) => settled.expect("an answer"),
                None => false,
            };
            let again = settle(&store, &lease, outcome.clone()).await;
            // If it was complete, the second one changes nothing.
            assert!(!(is_complete && again));
            assert!(!settle(&store, &lease, dead()).await);
            let lease = claim_one(&store, LONG).await;
            let expected = match outcome {
                Outcome::Delivered | Outcome::Dead { .. } => &next,
                _ => &id,
            };
            assert_eq!(lease.event.id, name(expected));
            assert!(settle(&store, &lease, Outcome::Delivered).await);
            for _ in 0..numbers(&store).await[0] {
                let rest = claim_one(&store, LONG).await;
                settle(&store, &rest, Outcome::Delivered).await;
            }
            assert_eq!(numbers(&store).await[0], 0);
        })
        .await;
    }
}

pub async fn cancel_changed(place: &impl Harness) {
    let store = with_a(place).await;
    for n in 0..20 {
        // Dropped while it waits, before and after the event. (On PostgreSQL, it may return too early: all tests share a channel.)
        let mut wait = Box::pin(store.changed());
        while futures::poll!(&mut wait).is_ready() {
            wait = Box::pin(store.changed());
        }
        if n % 2 == 0 {
            drop(wait);
            accept(&store, &n.to_string(), None).await;
        } else {
            accept(&store, &n.to_string(), None).await;
            drop(wait);
        }
        within(PATIENCE, store.changed()).await;
    }
}

pub async fn cancel_subscribe(place: &impl Harness) {
    let store = place.open().await;
    at_every_poll(async |cancel| {
        let of = format!("s{}", cancel.polls());
        let to = subscription(&of, &["x", "y"]);
        cancel.run(store.subscribe(&to, usize::MAX)).await;
        for found in store.subscriptions().await.expect("all") {
            let is_whole =
                found == subscription(found.name.as_str(), &["x", "y"]);
            assert!(is_whole, "{found:?}");
        }
        store.subscribe(&to, usize::MAX).await.expect("subscribed");
        let all = store.subscriptions().await.expect("all");
        assert!(all.contains(&to));
    })
    .await;
}

pub async fn cancel_unsubscribe(place: &impl Harness) {
    let a = name("a");
    at_every_poll(async |cancel| {
        let store = with_a(place).await;
        accept(&store, &cancel.polls().to_string(), None).await;
        let gone = cancel.run(store.unsubscribe(&a)).await;
        let all = store.backlog().await.expect("a backlog");
        match &all[..] {
            [] => {}
            [left] => assert!(gone.is_none() && left.open == 1),
            more => panic!("{more:?}"),
        }
        store.unsubscribe(&a).await.expect("an answer");
        let store = with_a(place).await;
        assert_eq!(numbers(&store).await, [0, 0, 0]);
        works(&store, cancel.polls()).await;
    })
    .await;
}

pub async fn cancel_redeliver<H: Harness>(place: &H) {
    let store = with_a(place).await;
    at_every_poll(async |cancel| {
        let id = cancel.polls().to_string();
        accept(&store, &id, Some("k")).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, dead()).await);
        let letters = store.dead(1).await.expect("a dead one");
        let delivery = letters[0].delivery;
        let back = cancel.run(store.redeliver(delivery)).await;
        if let Some(back) = back {
            assert!(back.expect("an answer"));
        }
        let [open, _, dead] = numbers(&store).await;
        assert!(open + dead == 1 || !H::EXACT && open + dead == 2);
        store.redeliver(delivery).await.expect("an answer");
        assert_eq!(numbers(&store).await, [1, 0, 0]);
        let lease = claim_one(&store, LONG).await;
        assert_eq!(lease.event.id, name(&id));
        assert!(settle(&store, &lease, Outcome::Delivered).await);
    })
    .await;
}

pub async fn cancel_purge(place: &impl Harness) {
    let store = with_a(place).await;
    at_every_poll(async |cancel| {
        let id = format!("old-{}", cancel.polls());
        accept(&store, &id, None).await;
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, dead()).await);
        sleep(Duration::from_millis(10)).await;
        let zero = Duration::ZERO;
        cancel.run(store.purge(zero, 100)).await;
        // It skips what the canceled one is still forgetting.
        let forgotten = async {
            while numbers(&store).await != [0, 0, 0] {
                store.purge(zero, 100).await.expect("a number");
            }
        };
        within(PATIENCE, forgotten).await;
        let new = store.accept(&event(&id, None)).await;
        assert_eq!(new.expect("it"), Accepted::New(1));
        let lease = claim_one(&store, LONG).await;
        assert!(settle(&store, &lease, Outcome::Delivered).await);
    })
    .await;
}

pub async fn cancel_questions(place: &impl Harness) {
    let store = with_a(place).await;
    at_every_poll(async |it| {
        it.run(store.subscriptions()).await;
    })
    .await;
    at_every_poll(async |it| {
        it.run(store.backlog()).await;
    })
    .await;
    at_every_poll(async |it| {
        it.run(store.dead(9)).await;
    })
    .await;
    at_every_poll(async |it| {
        it.run(store.ping()).await;
    })
    .await;
    works(&store, 0).await;
}
