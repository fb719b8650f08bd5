//! The dispatcher among receivers and stores that misbehave, in
//! virtual time.

mod world;

use std::{
    collections::{HashMap, HashSet},
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use courier::{
    config::Settings,
    deliver::Answer,
    destinations::Destinations,
    event::{Lease, Name},
    store::{Accepted, Store},
};
use hazards::{HOUR, at_every_poll, no_task_left, within};
use hyper::StatusCode;
use tokio::{
    task::yield_now,
    time::{Instant, advance, sleep, timeout},
};
use url::Url;
use world::{Fault, SECOND, World, fails, name};

const MINUTE: Duration = Duration::from_secs(60);

async fn well(_: Lease) -> Answer {
    Answer::Delivered
}

async fn silent(_: Lease) -> Answer {
    pending().await
}

fn target(subscription: &str) -> (Name, Url) {
    let url = "http://receiver/".parse().expect("a URL");
    (name(subscription), url)
}

async fn to(subscription: &str, world: World, count: usize) -> World {
    world.subscribe(subscription).await;
    world.send(subscription, count).await;
    world
}

#[tokio::test(start_paused = true)]
async fn edges_with_nothing_to_do_it_asks_once_a_poll_and_wakes() {
    let world = World::new(well);
    world.subscribe("a").await;
    let task = tokio::spawn(world.dispatch());
    sleep(HOUR).await;
    let asked = world.store.calls("due");
    assert!((3_590..=3_610).contains(&asked), "{asked}");
    let accepted = Instant::now();
    world.send("a", 1).await;
    world.done().await;
    let took = world.seen()[0].at - accepted;
    assert!(took <= Duration::from_millis(1), "{took:?}");
    assert_eq!(world.attempts("delivered"), 1);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
    no_task_left().await;
}

/// Even if nothing is polled for an hour, and the event comes in the
/// worst moment.
#[tokio::test(start_paused = true)]
async fn again_no_change_is_missed() {
    let world = World::new(well);
    world.change(|it| it.deliver.poll = HOUR);
    world.subscribe("a").await;
    let task = tokio::spawn(world.dispatch());
    let mut count = 0;
    for id in 0..100 {
        if world.store.meanwhile.lock().unwrap().is_none() {
            let event = World::event("a", 1_000 + id, None);
            *world.store.meanwhile.lock().unwrap() = Some(event);
            count += 1;
        }
        world.send_one("a", id, None).await;
        count += 1;
        sleep(Duration::from_millis(fastrand::u64(0..20))).await;
    }
    sleep(SECOND).await;
    let missed = world.store.meanwhile.lock().unwrap().is_some();
    assert_eq!(world.delivered("a"), count - usize::from(missed));
    assert!(count > 150);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn overload_a_store_that_changes_all_the_time_is_not_flooded() {
    let world = to("a", World::new(well), 3).await;
    *world.store.restless.lock().unwrap() = true;
    let task = tokio::spawn(world.dispatch());
    sleep(SECOND).await;
    assert_eq!(world.delivered("a"), 3);
    let asked = world.store.calls("due");
    assert!(asked <= 220, "{asked}");
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn silence_takes_only_its_slots_and_others_are_served() {
    let world = World::new(async |lease: Lease| {
        match lease.subscription.name.as_str() {
            "silent" => pending().await,
            _ => Answer::Delivered,
        }
    });
    let world = to("silent", world, 500).await;
    for other in ["a", "b", "c"] {
        world.subscribe(other).await;
    }
    let task = tokio::spawn(world.dispatch());
    sleep(MINUTE).await;
    for other in ["a", "b", "c"] {
        world.send(other, 50).await;
        sleep(SECOND).await;
        assert_eq!(world.delivered(other), 50);
    }
    sleep(HOUR).await;
    assert_eq!(world.running("silent").1, 10);
    world.stop.cancel();
    within(MINUTE * 2, task).await.expect("no panic");
    no_task_left().await;
}

// ANCHOR: turns
/// Thirty silent destinations with old backlogs share five slots. A new
/// event for another destination waits for its turn, not for the
/// backlogs.
#[tokio::test(start_paused = true)]
async fn overload_every_destination_gets_its_turn() {
    let world = World::new(async |lease: Lease| {
        match lease.subscription.name.as_str() {
            "well" => Answer::Delivered,
            _ => pending().await,
        }
    });
    world.change(|it| {
        it.deliver.total = 5;
        it.breaker.failures = u32::MAX;
        it.retry.most = SECOND;
        it.retry.attempts = 1_000;
    });
    for index in 0..30 {
        let silent = format!("silent-{index}");
        world.subscribe(&silent).await;
        world.send(&silent, 20).await;
    }
    world.subscribe("well").await;
    let task = tokio::spawn(world.dispatch());
    sleep(HOUR).await;
    world.send("well", 1).await;
    // All others get a turn first, which takes 15 + 2 seconds.
    sleep(17 * SECOND * (30 / 5 + 1)).await;
    assert_eq!(world.delivered("well"), 1);
    assert_eq!(world.running("").1, 5);
    world.hurry.cancel();
    within(2 * SECOND, task).await.expect("no panic");
}
// ANCHOR_END: turns

#[tokio::test(start_paused = true)]
async fn failure_opens_the_breaker_which_lets_one_attempt_through() {
    let up = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let world = World::new(move |_| {
        let is_up = Arc::clone(&is_up);
        async move {
            sleep(Duration::from_millis(100)).await;
            if is_up.load(SeqCst) { Answer::Delivered } else { fails() }
        }
    });
    let world = to("a", world, 100).await;
    let start = Instant::now();
    let task = tokio::spawn(world.dispatch());
    sleep(HOUR).await;
    assert_eq!(world.metric("courier_breaker_opened_total"), 1);
    let seen = world.seen();
    // The first ten at the same time, then one each half a minute.
    let opened = Duration::from_millis(100);
    let early = |it: &&world::Seen| it.at - start < opened;
    assert_eq!(seen.iter().filter(early).count(), 10);
    assert!((110..=135).contains(&seen.len()), "{}", seen.len());
    for pair in seen[10..].windows(2) {
        assert!(pair[1].at - pair[0].at >= 30 * SECOND);
    }
    up.store(true, SeqCst);
    within(2 * HOUR, world.done()).await;
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

/// Neither the old URL's breaker, nor its delays, nor the failures of
/// attempts that are still running count for the new one.
#[tokio::test(start_paused = true)]
async fn again_a_corrected_url_is_attempted_immediately() {
    for (after, slow) in [(HOUR, 1), (SECOND, 5)] {
        let world = World::new(move |lease: Lease| async move {
            if lease.subscription.url.path() == "/right" {
                return Answer::Delivered;
            }
            sleep(slow * SECOND).await;
            fails()
        });
        let world = to("a", world, 100).await;
        let task = tokio::spawn(world.dispatch());
        sleep(after).await;
        world.subscribe_at("a", "http://receiver/right").await;
        within(5 * SECOND, world.done()).await;
        assert_eq!(world.delivered("a"), 100);
        assert!(world.running("a").1 <= 10);
        world.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    }
}

#[test]
fn edges_a_refused_event_says_nothing_against_its_receiver() {
    let refused = |code| {
        let status = StatusCode::from_u16(code).expect("a code");
        Answer::Refused { status, retry_after: None }
    };
    for code in [400, 413, 422] {
        assert!(refused(code).is_well(), "{code}");
    }
    for code in [301, 401, 404, 429, 500, 503] {
        assert!(!refused(code).is_well(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn edges_the_breaker_counts_only_what_says_something() {
    let (to, mut set) = (target("a"), Settings::default());
    set.breaker.failures = 2;
    let mut them = Destinations::default();
    let start = |them: &mut Destinations| {
        them.start(&to, false, &Settings::default())
    };
    for _ in 0..4 {
        start(&mut them);
    }
    assert!(!them.end(&to, Some(false), &set));
    assert!(!them.end(&to, None, &set));
    assert!(them.end(&to, Some(false), &set));
    assert_eq!(them.slots(&to.0, &set), 0);
    // It was started before the breaker opened.
    assert!(!them.end(&to, Some(true), &set));
    assert_eq!(them.slots(&to.0, &set), 0);
    advance(set.breaker.open).await;
    assert_eq!(them.slots(&to.0, &set), 1);
    start(&mut them);
    assert_eq!(them.slots(&to.0, &set), 0);
    // A test without a result is followed by another one.
    assert!(!them.end(&to, None, &set));
    assert_eq!(them.slots(&to.0, &set), 1);
    start(&mut them);
    assert!(!them.end(&to, Some(false), &set));
    assert_eq!(them.slots(&to.0, &set), 0);
    advance(set.breaker.open).await;
    start(&mut them);
    assert!(!them.end(&to, Some(true), &set));
    assert_eq!(them.slots(&to.0, &set), 10);
}

#[tokio::test(start_paused = true)]
async fn overload_retries_have_a_budget() {
    let (to, set) = (target("a"), Settings::default());
    let mut them = Destinations::default();
    let mut covered = |retries, is_retry| {
        (0..retries).filter(|_| them.start(&to, is_retry, &set)).count()
    };
    // Ten saved, and half a one for each first attempt.
    assert_eq!(covered(30, true), 10);
    assert_eq!(covered(6, false), 6);
    assert_eq!(covered(30, true), 3);
    // It fills up again within a minute, and no further.
    advance(HOUR).await;
    assert_eq!(covered(100, false), 100);
    assert_eq!(covered(30, true), 10);
}

#[tokio::test(start_paused = true)]
async fn edges_idle_destinations_are_forgotten() {
    let set = Settings::default();
    let mut them = Destinations::default();
    for index in 0..1_000 {
        let to = target(&format!("s{index}"));
        them.start(&to, false, &set);
        if index > 0 {
            them.end(&to, Some(index % 2 == 0), &set);
        }
    }
    them.forget(&set);
    assert_eq!(them.count(), 1_000);
    advance(MINUTE).await;
    them.forget(&set);
    // The one whose attempt is running.
    assert_eq!(them.count(), 1);
}

/// Failures at random, with three keys and two processes: the next
/// event of a key is attempted only after the one before it.
#[tokio::test(start_paused = true)]
async fn failure_order_of_a_key_is_kept() {
    for seed in 0..30 {
        eprintln!("seed {seed}");
        fastrand::seed(seed);
        let world = World::new(async |_| {
            let wait = fastrand::u64(0..2_000);
            sleep(Duration::from_millis(wait)).await;
            match fastrand::u8(0..3) {
                0 => fails(),
                1 if fastrand::u8(0..10) == 0 => panic!("a bug"),
                _ => Answer::Delivered,
            }
        });
        world.change(|it| {
            it.retry.most = SECOND;
            it.deliver.lease = SECOND;
            it.breaker.failures = u32::MAX;
        });
        world.subscribe("a").await;
        let keys = ["x", "y", "ż"];
        for id in 0..60 {
            world.send_one("a", id, Some(keys[id % 3])).await;
        }
        let two = [world.dispatch(), world.dispatch()];
        let two = two.map(tokio::spawn);
        within(HOUR, world.done()).await;
        let mut next: HashMap<_, usize> = HashMap::new();
        for seen in world.seen() {
            let next = next.entry(seen.key.clone()).or_default();
            let key = seen.key.as_deref().expect("a key");
            let first = keys.iter().position(|it| *it == key);
            let id = *next * 3 + first.expect("a key of ours");
            assert_eq!(seen.event, format!("a-{id}"), "seed {seed}");
            if seen.answer == Some(Answer::Delivered) {
                *next += 1;
            }
        }
        assert!(next.values().all(|it| *it == 20), "seed {seed}");
        world.stop.cancel();
        for task in two {
            within(MINUTE, task).await.expect("no panic");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slow_attempts_keep_their_leases() {
    let world = World::new(async |_| {
        sleep(10 * SECOND).await;
        Answer::Delivered
    });
    world.change(|it| it.deliver.lease = SECOND);
    let world = to("a", world, 5).await;
    let tasks = [(); 2].map(|()| tokio::spawn(world.dispatch()));
    within(MINUTE, world.done()).await;
    assert_eq!(world.seen().len(), 5);
    // Each once, three times a second.
    let renewed = world.store.calls("renew");
    assert!((140..=165).contains(&renewed), "{renewed}");
    world.stop.cancel();
    for task in tasks {
        within(SECOND, task).await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_attempts_stop_when_their_leases_are_lost() {
    for fault in [Fault::Lost, Fault::Fails, Fault::Silent] {
        let world = to("a", World::new(silent), 1).await;
        world.store.set("renew", fault);
        let task = tokio::spawn(world.dispatch());
        sleep(Duration::from_millis(1)).await;
        assert_eq!(world.running("a").0, 1);
        // The attempt alone would take 15 seconds.
        world.change(|it| it.deliver.attempt_timeout = HOUR);
        sleep(17 * SECOND).await;
        // The next one is longer than its lease.
        world.store.heal();
        sleep(MINUTE).await;
        assert_eq!(world.running("a").0, 1);
        world.store.set("renew", fault);
        sleep(61 * SECOND).await;
        assert_eq!(world.attempts("lost"), 1);
        world.hurry.cancel();
        within(2 * SECOND, task).await.expect("no panic");
        no_task_left().await;
    }
}

#[tokio::test(start_paused = true)]
async fn failure_to_settle_is_retried_while_the_lease_lasts() {
    let faults = [Fault::Fails, Fault::FailsAfter, Fault::Silent];
    for fault in faults {
        let world = to("a", World::new(well), 5).await;
        world.store.set("settle", fault);
        let task = tokio::spawn(world.dispatch());
        sleep(40 * SECOND).await;
        world.store.heal();
        sleep(MINUTE * 2).await;
        // Each was sent once.
        assert_eq!(world.seen().len(), 5);
        assert_eq!(world.open().await, 0);
        // Whether it was settled is unknown in the second case.
        let (lost, delivered) =
            if fault == Fault::FailsAfter { (5, 0) } else { (0, 5) };
        assert_eq!(world.attempts("lost"), lost);
        assert_eq!(world.attempts("delivered"), delivered);
        world.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_to_settle_for_longer_is_a_counted_double() {
    for fault in [Fault::Fails, Fault::Silent] {
        let world = to("a", World::new(well), 5).await;
        world.store.set("settle", fault);
        let task = tokio::spawn(world.dispatch());
        sleep(64 * SECOND).await;
        world.store.heal();
        sleep(MINUTE * 2).await;
        assert_eq!(world.attempts("lost"), 5);
        assert_eq!(world.attempts("delivered"), 5);
        assert_eq!(world.seen().len(), 10);
        world.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn failure_of_the_store_is_survived_and_it_is_not_flooded() {
    for fault in [Fault::Fails, Fault::Silent] {
        let world = to("a", World::new(well), 50).await;
        world.store.set("all", fault);
        let task = tokio::spawn(world.dispatch());
        sleep(HOUR).await;
        let asked = world.store.calls("due");
        assert!((300..=800).contains(&asked), "{asked}");
        assert!(world.metrics.since_beat() < 10 * SECOND);
        world.store.heal();
        sleep(11 * SECOND).await;
        assert_eq!(world.delivered("a"), 50);
        world.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    }
}

/// What it claimed is leased; nobody knows that.
#[tokio::test(start_paused = true)]
async fn failure_of_a_claim_costs_a_lease() {
    let world = to("a", World::new(well), 50).await;
    world.store.set("claim", Fault::FailsAfter);
    let task = tokio::spawn(world.dispatch());
    sleep(10 * SECOND).await;
    world.store.heal();
    sleep(MINUTE + 10 * SECOND).await;
    assert_eq!(world.delivered("a"), 50);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn panic_in_an_attempt_is_a_failed_one() {
    for panics in hazards::some_panic(7) {
        let world = World::new(move |lease: Lease| {
            let panics = panics.clone();
            async move {
                let index = lease.event.id.as_str()[2..].parse();
                let index = index.expect("a number");
                if lease.attempt == 1 && panics.contains(&index) {
                    panic!("bug {index}");
                }
                Answer::Delivered
            }
        });
        let world = to("a", world, 7).await;
        let task = tokio::spawn(world.dispatch());
        within(MINUTE, world.done()).await;
        assert_eq!(world.delivered("a"), 7);
        world.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    }
    let world = World::new(async |_| panic!("bug {}", 7));
    world.change(|it| it.retry.attempts = 1);
    let world = to("a", world, 1).await;
    let task = tokio::spawn(world.dispatch());
    within(MINUTE, world.done()).await;
    assert_eq!(world.dead().await[0].error, "a panic: bug 7");
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn panic_while_settling_frees_the_slot() {
    let world = to("a", World::new(well), 30).await;
    world.store.set("settle", Fault::Panics);
    let task = tokio::spawn(world.dispatch());
    sleep(10 * SECOND).await;
    world.store.heal();
    within(MINUTE * 5, world.done()).await;
    assert_eq!(world.metric("courier_in_flight "), 0);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

/// Attempts that take a while, fail, or panic.
fn mixed() -> World {
    World::new(async |lease: Lease| {
        yield_now().await;
        match (lease.delivery.0 % 4, lease.attempt) {
            (0, 1) => fails(),
            (1, 1) => panic!("a bug"),
            (2, _) => {
                sleep(20 * Duration::from_millis(100)).await;
                Answer::Delivered
            }
            _ => Answer::Delivered,
        }
    })
}

#[tokio::test(start_paused = true)]
async fn cancel_leaves_no_task_and_loses_nothing() {
    at_every_poll(async |cancel| {
        let world = to("a", mixed(), 12).await;
        world.subscribe("b").await;
        world.send_one("b", 0, Some("k")).await;
        world.send_one("b", 1, Some("k")).await;
        let stop_later = async {
            sleep(10 * SECOND).await;
            world.stop.cancel();
            pending().await
        };
        let dispatch = world.dispatch();
        cancel
            .run(async {
                tokio::select! {
                    () = dispatch => {}
                    () = stop_later => {}
                }
            })
            .await;
        no_task_left().await;
        assert_eq!(world.running("").0, 0);
        assert_eq!(world.metric("courier_in_flight "), 0);
        // Another process delivers the rest, when leases have expired.
        let other = to("a", mixed(), 0).await;
        let other = World { store: world.store.clone(), ..other };
        let task = tokio::spawn(other.dispatch());
        within(5 * MINUTE, other.done()).await;
        let delivered = [&world, &other].map(World::seen).concat();
        let delivered: HashSet<_> = delivered
            .into_iter()
            .filter(|it| it.answer == Some(Answer::Delivered))
            .map(|it| it.event)
            .collect();
        assert_eq!(delivered.len(), 14);
        other.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    })
    .await;
}

/// Polls the dispatcher `polls` times, and then calls `end`. Whether
/// it isn't done before.
async fn ended_after(
    polls: usize,
    dispatch: impl Future<Output = ()>,
    limit: Duration,
    end: impl FnOnce(),
) -> bool {
    let mut dispatch = pin!(dispatch);
    let mut count = 0;
    poll_fn(|cx| {
        if count == polls {
            return Poll::Ready(());
        }
        count += 1;
        assert!(dispatch.as_mut().poll(cx).is_pending());
        if count == polls { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    end();
    within(limit, dispatch).await;
    true
}

#[tokio::test(start_paused = true)]
async fn stop_at_every_poll_finishes_what_runs_and_starts_nothing() {
    for polls in 0..60 {
        let world = to("a", mixed(), 12).await;
        let before = Arc::new(AtomicUsize::new(0));
        let stop = world.stop.clone();
        let (script, seen) = (world.script.clone(), before.clone());
        let end = move || {
            seen.store(script.seen.lock().unwrap().len(), SeqCst);
            stop.cancel();
        };
        let dispatch = world.dispatch();
        ended_after(polls, dispatch, 3 * SECOND, end).await;
        no_task_left().await;
        let seen = world.seen();
        assert_eq!(seen.len(), before.load(SeqCst), "after {polls}");
        // Nothing is left leased: what wasn't attempted isn't counted.
        let backlog = world.store.backlog().await.expect("it's there");
        assert_eq!(backlog[0].leased, 0);
        let delivered = world.delivered("a") as u64;
        assert_eq!(backlog[0].open + delivered, 12);
        let left = backlog[0].open as usize;
        sleep(MINUTE).await;
        let leases =
            world.store.inner.claim(&name("a"), 99, MINUTE).await;
        let leases = leases.expect("it's there");
        assert_eq!(leases.len(), left);
        for lease in leases {
            let id = lease.event.id.as_str();
            let made = seen.iter().filter(|it| it.event == id).count();
            assert_eq!(lease.attempt as usize, made + 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stop_in_a_hurry_ends_attempts_at_every_poll() {
    for polls in 0..20 {
        let world = to("a", World::new(silent), 12).await;
        let hurry = world.hurry.clone();
        let end = move || hurry.cancel();
        let dispatch = world.dispatch();
        ended_after(polls, dispatch, SECOND, end).await;
        no_task_left().await;
        sleep(SECOND).await;
        let due = world.store.inner.claim(&name("a"), 99, MINUTE).await;
        assert_eq!(due.expect("it's there").len(), 12);
    }
}

#[tokio::test(start_paused = true)]
async fn stop_is_bounded_by_silent_receivers_and_stores() {
    for fault in [None, Some(Fault::Silent), Some(Fault::Fails)] {
        let world = to("a", World::new(silent), 12).await;
        let task = tokio::spawn(world.dispatch());
        sleep(SECOND).await;
        if let Some(fault) = fault {
            world.store.set("all", fault);
        }
        world.stop.cancel();
        // An attempt, its margin, a lease.
        within((15 + 2 + 60) * SECOND, task).await.expect("no panic");
        no_task_left().await;
    }
    // A store that's silent when it's asked for work.
    let world = to("a", World::new(well), 12).await;
    world.store.set("claim", Fault::Silent);
    let task = tokio::spawn(world.dispatch());
    sleep(SECOND).await;
    world.stop.cancel();
    within(5 * SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn stop_in_a_hurry_does_not_wait_for_a_silent_store() {
    let world = to("a", World::new(well), 12).await;
    world.store.set("settle", Fault::Silent);
    let task = tokio::spawn(world.dispatch());
    sleep(SECOND).await;
    world.stop.cancel();
    sleep(SECOND).await;
    world.hurry.cancel();
    within(3 * SECOND, task).await.expect("no panic");
    no_task_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stop_in_a_hurry_does_not_wait_for_a_blocked_thread() {
    let world = World::new(async |_| {
        std::thread::sleep(8 * SECOND);
        Answer::Delivered
    });
    let world = to("a", world, 1).await;
    let task = tokio::spawn(world.dispatch());
    while world.seen().is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    world.hurry.cancel();
    within(6 * SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn owner_gone_attempts_are_dropped() {
    let world = to("a", World::new(silent), 12).await;
    let task = tokio::spawn(world.dispatch());
    sleep(SECOND).await;
    assert_eq!(world.running("a").0, 10);
    task.abort();
    no_task_left().await;
    assert_eq!(world.running("a").0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_deliver_each_event_once_and_in_order() {
    for _ in 0..5 {
        let world = World::new(async |_| {
            yield_now().await;
            Answer::Delivered
        });
        let order: Arc<Mutex<Vec<usize>>> = Arc::default();
        world.subscribe("a").await;
        world.subscribe("b").await;
        let tasks = [(); 3].map(|()| tokio::spawn(world.dispatch()));
        for id in 0..200 {
            world.send_one("a", id, None).await;
            world.send_one("b", id, Some("k")).await;
        }
        within(MINUTE, world.done()).await;
        for seen in world.seen().iter().filter(|it| it.to == "b") {
            let id = seen.event[2..].parse().expect("a number");
            order.lock().unwrap().push(id);
        }
        assert_eq!(*order.lock().unwrap(), Vec::from_iter(0..200));
        assert_eq!(world.seen().len(), 400);
        world.stop.cancel();
        for task in tasks {
            within(10 * SECOND, task).await.expect("no panic");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn edges_settings_take_effect_while_it_runs() {
    let world = World::new(silent);
    world.change(|it| it.deliver.total = 0);
    let world = to("a", world, 100).await;
    let task = tokio::spawn(world.dispatch());
    sleep(MINUTE).await;
    assert_eq!(world.running("a").0, 0);
    world.change(|it| it.deliver.total = 3);
    sleep(SECOND).await;
    assert_eq!(world.running("a").0, 3);
    world.change(|it| {
        it.deliver.total = 200;
        it.deliver.per_subscription = 20;
    });
    sleep(SECOND).await;
    assert_eq!(world.running("a").0, 20);
    world.change(|it| it.deliver.per_subscription = 0);
    sleep(HOUR).await;
    assert_eq!(world.running("a").0, 0);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn edges_settings_that_are_zero_or_huge_hang_nothing() {
    let all = |it: &mut Settings, length: Duration, number: u32| {
        it.deliver.attempt_timeout = length;
        it.deliver.lease = length;
        it.deliver.poll = length;
        it.retry.first = length;
        it.retry.most = length;
        it.retry.max_age = length;
        it.retry.attempts = number;
        it.retry.budget = f64::from(number);
        it.breaker.open = length;
        it.breaker.failures = number;
        it.keep = length;
    };
    for (length, number) in
        [(Duration::ZERO, 0), (Duration::MAX, u32::MAX)]
    {
        let world = World::new(async |lease: Lease| {
            if lease.attempt == 1 { fails() } else { Answer::Delivered }
        });
        world.change(|it| {
            all(it, length, number);
            it.deliver.total = usize::MAX;
            it.deliver.per_subscription = usize::MAX;
        });
        let world = to("a", world, 10).await;
        let task = tokio::spawn(world.dispatch());
        sleep(5 * SECOND).await;
        assert!(world.store.calls("due") <= 5_010);
        world.change(|it| *it = Settings::default());
        sleep(HOUR).await;
        world.stop.cancel();
        within(2 * MINUTE, task).await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn edges_old_events_are_given_up_without_an_attempt() {
    let world = to("a", World::new(well), 3).await;
    world.change(|it| it.retry.max_age = MINUTE);
    sleep(MINUTE).await;
    world.send_one("a", 3, None).await;
    let task = tokio::spawn(world.dispatch());
    within(SECOND, world.done()).await;
    assert_eq!(world.seen().len(), 1);
    let dead = world.dead().await;
    assert_eq!(dead.len(), 3);
    assert_eq!(dead[0].error, "the event is older than 60s");
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn again_old_dead_ones_are_kept_and_redelivered() {
    let world = to("a", World::new(well), 1).await;
    sleep(72 * HOUR).await;
    let task = tokio::spawn(world.dispatch());
    sleep(23 * HOUR).await;
    let dead = world.dead().await;
    assert_eq!(dead[0].error, "the event is older than 259200s");
    let back = world.store.redeliver(dead[0].delivery).await;
    assert!(back.expect("an answer"));
    within(SECOND, world.done()).await;
    assert_eq!(world.seen().len(), 1);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

/// An event in whose attempts courier dies isn't attempted forever.
#[tokio::test(start_paused = true)]
async fn crash_attempts_without_an_outcome_are_counted() {
    let world = to("a", World::new(silent), 1).await;
    world.change(|it| it.retry.attempts = 3);
    for _ in 0..4 {
        let task = tokio::spawn(world.dispatch());
        sleep(SECOND).await;
        task.abort();
        sleep(MINUTE).await;
    }
    let dead = world.dead().await;
    assert_eq!(dead[0].error, "3 attempts had no outcome");
    assert_eq!(world.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn failure_ends_after_all_attempts_or_with_410() {
    let world = World::new(async |lease: Lease| {
        match lease.subscription.name.as_str() {
            "gone" => Answer::Refused {
                status: StatusCode::GONE,
                retry_after: None,
            },
            _ => Answer::Refused {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                retry_after: None,
            },
        }
    });
    world.change(|it| {
        it.retry.attempts = 5;
        it.breaker.failures = u32::MAX;
    });
    let world = to("gone", to("a", world, 1).await, 20).await;
    let task = tokio::spawn(world.dispatch());
    within(HOUR, world.done()).await;
    let dead = world.dead().await;
    assert_eq!(dead.len(), 21);
    assert_eq!(world.seen().len(), 25);
    assert_eq!(dead[0].error, "the receiver answered 410 Gone");
    assert_eq!(
        dead[20].error,
        "the receiver answered 500 Internal Server Error"
    );
    assert_eq!(world.attempts("dead"), 21);
    assert_eq!(world.attempts("retry"), 4);
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn clock_retry_after_is_obeyed_within_limits() {
    let longest = Settings::default().retry.most;
    for (asked, wait) in [
        (Duration::ZERO, Duration::ZERO),
        (100 * SECOND, 100 * SECOND),
        (Duration::MAX, longest),
    ] {
        let world = World::new(move |lease: Lease| async move {
            match lease.attempt {
                1 => Answer::Refused {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    retry_after: Some(asked),
                },
                _ => Answer::Delivered,
            }
        });
        let world = to("a", world, 1).await;
        let task = tokio::spawn(world.dispatch());
        within(2 * HOUR, world.done()).await;
        let seen = world.seen();
        let waited = seen[1].at - seen[0].at;
        // The first random delay, and a poll.
        let most = wait + 2 * SECOND + Duration::from_millis(10);
        assert!((wait..=most).contains(&waited), "{waited:?}");
        world.stop.cancel();
        within(SECOND, task).await.expect("no panic");
    }
}

#[test]
fn edges_delays_double_up_to_a_limit() {
    let retry = Settings::default().retry;
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        for attempt in [0, 1, 2, 5, 20, u32::MAX] {
            let bound = 2_u32.saturating_pow(attempt.saturating_sub(1));
            let bound = SECOND.saturating_mul(bound).min(retry.most);
            let delay = courier::retry::delay(
                &retry,
                attempt,
                None,
                &mut random,
            );
            assert!(delay <= bound, "seed {seed}, attempt {attempt}");
        }
    }
}

/// A thousand at a time take longer than a call may, as on a slow disk.
#[tokio::test(start_paused = true)]
async fn slow_purges_forget_fewer_events_at_a_time() {
    let world = to("a", World::new(well), 1_500).await;
    world.change(|it| it.retry.max_age = HOUR);
    *world.store.purging.lock().expect("no panic") = SECOND / 33;
    let task = tokio::spawn(world.dispatch());
    sleep(25 * HOUR + 10 * MINUTE).await;
    for id in 0..1_500 {
        let new = World::event("a", id, None);
        let new = world.store.accept(&new).await;
        assert_eq!(new.expect("ok"), Accepted::New(1));
    }
    world.stop.cancel();
    within(MINUTE, task).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn clock_old_events_are_forgotten_now_and_then() {
    let world = to("a", World::new(well), 3_500).await;
    world.change(|it| it.retry.max_age = HOUR);
    let task = tokio::spawn(world.dispatch());
    sleep(25 * HOUR - MINUTE).await;
    let again = world.store.accept(&World::event("a", 0, None)).await;
    assert_eq!(again.expect("ok"), Accepted::Again);
    // All of them, although each batch has only a thousand.
    sleep(3 * MINUTE).await;
    for id in 0..3_500 {
        let new = World::event("a", id, None);
        let new = world.store.accept(&new).await;
        assert_eq!(new.expect("ok"), Accepted::New(1));
    }
    within(MINUTE, world.done()).await;
    world.store.set("purge", Fault::Silent);
    sleep(HOUR).await;
    world.send_one("a", 3_500, None).await;
    assert!(timeout(SECOND, world.done()).await.is_ok());
    world.stop.cancel();
    within(SECOND, task).await.expect("no panic");
}
