//! A crash in the middle of a write: the write-ahead log is cut off, or ends with something else. And files that aren't a database.

use std::fs;

use courier::{
    event::{Event, Name},
    store::{Accepted, SqlOptions, SqlStore, Store},
};

use crate::{
    knob,
    place::Place,
    process::{CONFIG, Courier},
    receiver::{Mood, Receiver},
    seeded,
};

const EVENTS: usize = 12;

/// An event, and how long the write-ahead log was when it was acknowledged.
type Written = Vec<(Event, u64)>;

fn event(number: usize) -> Event {
    let name = |text: String| Name::try_from(text).expect("a name");
    Event {
        id: name(format!("torn-{number}")),
        topic: name("proof".to_owned()),
        key: Some("key".to_owned()),
        body: "x".repeat(number * 100).into(),
    }
}

/// Sends events, one after the other, and kills courier. Leaves its files.
async fn written(place: &Place) -> Written {
    // Each delivery is attempted once, and then waits for hours.
    let config = CONFIG.replace("20ms", "9h").replace("300ms", "9h");
    let receiver = Receiver::start(Mood::Down).await;
    let mut courier = Courier::new(place, &config);
    courier.ready().await;
    courier.subscribe("one", &receiver.url("one")).await;
    let client = reqwest::Client::new();
    let mut written = Vec::new();
    for number in 0..EVENTS {
        let event = event(number);
        let url = format!("{}/events/{}", courier.url, event.topic);
        let request = client
            .post(url)
            .header("idempotency-key", event.id.as_str())
            .header("ordering-key", "key")
            .body(event.body.clone());
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 202);
        let log = fs::metadata(place.path("courier.db-wal"));
        written.push((event, log.expect("the log").len()));
    }
    courier.kill().await;
    assert!(written.is_sorted_by_key(|it| it.1), "a new log");
    written
}

/// Opens copies of the files, and compares what's in them with what was acknowledged before the cut.
async fn recovers(from: &Place, cut: u64, tail: &[u8], all: &Written) {
    let copy = Place::sqlite();
    let files = ["courier.db", "courier.db-wal"];
    for file in files {
        fs::copy(from.path(file), copy.path(file)).expect("a copy");
    }
    let log = copy.path("courier.db-wal");
    let mut bytes = fs::read(&log).expect("the log");
    bytes.truncate(usize::try_from(cut).expect("a length"));
    bytes.extend(tail);
    fs::write(&log, bytes).expect("the log");

    let options = SqlOptions::default();
    let store = SqlStore::connect(&copy.database, options).await;
    let store = store.unwrap_or_else(|error| panic!("{cut}: {error}"));
    let backlog = store.backlog().await.expect("it's readable");
    let open = backlog.iter().map(|it| it.open).sum::<u64>();
    // ANCHOR: compare
    let mut again = 0;
    for (event, length) in all {
        match store.accept(event).await.expect("it's writable") {
            Accepted::Again => again += 1,
            Accepted::New(_) => {
                let id = &event.id;
                assert!(
                    *length > cut,
                    "{id} at {length} lost by {cut}"
                );
            }
        }
    }
    // Every event that survived has its delivery.
    assert_eq!(open, again, "cut at {cut}");
    // ANCHOR_END: compare
    store.close().await;
}

#[tokio::test]
async fn crash_in_the_middle_of_a_write_loses_nothing_acknowledged() {
    let mut random = seeded("a torn write");
    let place = Place::sqlite();
    let all = written(&place).await;
    let end = all.last().expect("events").1;
    // The first event was written by a log that has its tables, too.
    let start = all[0].1;
    let cuts = knob("COURIER_CUTS", 10);
    for cut in 0..cuts {
        let cut = start + (end - start) * cut / cuts + random.u64(..99);
        let garbage: Vec<u8> =
            (0..random.usize(..9_000)).map(|_| random.u8(..)).collect();
        recovers(&place, cut.min(end), &garbage, &all).await;
        recovers(&place, cut.min(end), &[], &all).await;
    }
    recovers(&place, end, &[], &all).await;
    eprintln!("a torn write: {cuts} cuts of {end} bytes");
}

/// Starts courier with a file that it can't read, and returns its message.
async fn refuses(file: &[u8]) -> String {
    let place = Place::sqlite();
    fs::write(place.path("courier.db"), file).expect("a file");
    let mut courier = Courier::new(&place, CONFIG);
    courier.start();
    let status = courier.ended().await;
    assert!(!status.success(), "{status}");
    courier.log()
}

#[tokio::test]
async fn edges_of_files_that_are_no_database_are_named() {
    let text = "not a database, but a text\n".repeat(1_000);
    let message = refuses(text.as_bytes()).await;
    assert!(message.contains("not a database"), "{message}");
    // A database that lost its second half.
    let place = Place::sqlite();
    written(&place).await;
    let options = SqlOptions::default();
    let store = SqlStore::connect(&place.database, options).await;
    store.expect("it opens").close().await;
    let whole = fs::read(place.path("courier.db")).expect("a file");
    let message = refuses(&whole[..whole.len() / 2]).await;
    assert!(message.contains("malformed"), "{message}");
}
