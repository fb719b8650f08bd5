//! Processes that are killed, or stopped, at random moments.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::{
    clients::{Load, Plan},
    knob,
    place::Place,
    process::{CONFIG, Courier, IN_FLIGHT, LEASE},
    receiver::{Mood, Receiver},
    seeded, until,
};

const MINUTE: Duration = Duration::from_secs(60);

const PLAN: Plan =
    Plan { chains: 8, pause: Duration::from_millis(30), ..Plan::SMALL };

/// Runs processes on one database under load, and something happens to one of them, again and again, at random moments. Returns
/// how many deliveries were doubles.
async fn again_and_again(
    test: &str,
    place: Place,
    processes: usize,
    times: u64,
    signal: Signal,
) -> usize {
    let mut random = seeded(test);
    let receiver = Receiver::start(Mood::Moody).await;
    // A process that stops gracefully leaves no lease behind, so a long lease delays nothing, and doesn't expire on a busy machine.
    let config = match signal {
        Signal::SIGTERM => {
            CONFIG.replace("lease = \"3s", "lease = \"30s")
        }
        _ => CONFIG.to_owned(),
    };
    let mut couriers = Vec::new();
    for _ in 0..processes {
        let mut courier = Courier::new(&place, &config);
        courier.ready().await;
        couriers.push(courier);
    }
    for name in ["one", "two"] {
        couriers[0].subscribe(name, &receiver.url(name)).await;
    }
    // ANCHOR: kill
    let urls = couriers.iter().map(|it| it.url.clone());
    let load = Load::start(urls.collect(), PLAN);
    for _ in 0..times {
        sleep(Duration::from_millis(random.u64(20..600))).await;
        let victim = &mut couriers[random.usize(..processes)];
        match signal {
            // For longer than its leases last.
            Signal::SIGSTOP => victim.stall(LEASE * 4 / 3).await,
            Signal::SIGTERM => victim.stop().await,
            _ => victim.kill().await,
        }
        // The next kill may come at any moment, even during startup.
        victim.start();
        load.hold(true);
        until("nearly everything delivered", MINUTE, async || {
            let accepted = load.progress().acknowledged.len();
            receiver.count("one") + 200 > accepted
        })
        .await;
        load.hold(false);
    }
    let sent = load.finish().await;
    for courier in &mut couriers {
        courier.ready().await;
        courier.drained().await;
    }
    let doubles = receiver.verify(&["one", "two"], &sent.acknowledged);
    eprintln!(
        "{test}: {} events, 2 deliveries each; {times} times {signal}, \
         {} unknown outcomes ({} of them stored), {doubles} doubles",
        sent.acknowledged.len(),
        sent.unknown,
        sent.again,
    );
    // ANCHOR_END: kill
    doubles
}

fn kills() -> u64 {
    knob("COURIER_KILLS", 6)
}

#[tokio::test]
async fn crash_of_one_process_on_sqlite() {
    let doubles = again_and_again(
        "killed on SQLite",
        Place::sqlite(),
        1,
        kills(),
        Signal::SIGKILL,
    );
    at_most_in_flight(kills(), doubles.await);
}

#[tokio::test]
async fn crash_of_one_of_three_on_postgresql() {
    let (test, place, processes) = shared("killed").await;
    let doubles = again_and_again(
        &test,
        place,
        processes,
        kills(),
        Signal::SIGKILL,
    );
    at_most_in_flight(kills(), doubles.await);
}

#[tokio::test]
async fn stop_of_one_process_on_sqlite_sends_nothing_twice() {
    let doubles = again_and_again(
        "stopped on SQLite",
        Place::sqlite(),
        1,
        kills(),
        Signal::SIGTERM,
    );
    assert_eq!(doubles.await, 0);
}

#[tokio::test]
async fn stop_of_one_of_three_on_postgresql_sends_nothing_twice() {
    let (test, place, processes) = shared("stopped").await;
    let doubles = again_and_again(
        &test,
        place,
        processes,
        kills(),
        Signal::SIGTERM,
    );
    assert_eq!(doubles.await, 0);
}

/// Three processes on PostgreSQL, or two on SQLite's file if there is no server.
async fn shared(how: &str) -> (String, Place, usize) {
    match Place::postgres().await {
        Some(place) => (format!("{how} on PostgreSQL"), place, 3),
        None => {
            eprintln!("no DATABASE_URL: two processes on SQLite");
            (format!("{how}, two on SQLite"), Place::sqlite(), 2)
        }
    }
}

#[tokio::test]
async fn silence_of_one_of_three_for_longer_than_its_leases() {
    let (test, place, processes) = shared("stalled").await;
    let times = kills().div_ceil(6);
    let signal = Signal::SIGSTOP;
    let doubles =
        again_and_again(&test, place, processes, times, signal);
    at_most_in_flight(times, doubles.await);
}

// ANCHOR: bound
/// Each kill or stall may duplicate the events that had arrived but weren't recorded yet.
fn at_most_in_flight(times: u64, doubles: usize) {
    let times = usize::try_from(times).expect("a number");
    assert!(doubles <= times * IN_FLIGHT, "{doubles} doubles");
}
// ANCHOR_END: bound
