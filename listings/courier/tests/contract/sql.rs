//! The places of the SQL stores, and what only they promise.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use courier::event::{DeliveryId, Lease, Subscription};
use courier::store::{
    Accepted, Outcome, SharedStore, SqlOptions, SqlStore, Store as _,
    StoreError,
};
use hazards::within;
use sqlx::{
    AnyConnection, AssertSqlSafe, Connection as _, Row as _,
    any::install_default_drivers, postgres::PgConnectOptions,
};
use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        copy_bidirectional,
    },
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinSet,
};
use url::Url;

use crate::suite::{Harness, claim, event, name, run, subscription};

pub fn options() -> SqlOptions {
    SqlOptions {
        connections: 4,
        timeout: Duration::from_secs(20),
        ..SqlOptions::default()
    }
}

/// A place that has an address.
pub trait Address: Harness {
    fn url(&self) -> &str;

    async fn connection(&self) -> AnyConnection {
        install_default_drivers();
        let connection = AnyConnection::connect(self.url()).await;
        connection.expect("a database")
    }

    async fn run(&self, sql: &str) {
        let mut connection = self.connection().await;
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        sql.execute(&mut connection).await.expect("it runs");
        connection.close().await.expect("it closes");
    }
}

async fn open(url: &str, options: SqlOptions) -> SharedStore {
    let store = SqlStore::connect(url, options).await;
    Arc::new(store.expect("a store"))
}

pub struct Sqlite {
    folder: tempfile::TempDir,
    url: String,
}

impl Harness for Sqlite {
    async fn start(_test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("courier.db");
        Some(Self { url: format!("sqlite:{}", file.display()), folder })
    }

    async fn open(&self) -> SharedStore {
        open(&self.url, options()).await
    }

    async fn open_small(&self, max_open: usize) -> SharedStore {
        let max_open = max_open as u64;
        open(&self.url, SqlOptions { max_open, ..options() }).await
    }

    async fn end(self) {
        drop(self.folder);
    }
}

impl Address for Sqlite {
    fn url(&self) -> &str {
        &self.url
    }
}

/// A schema of its own.
pub struct Postgresql {
    schema: String,
    url: String,
}

impl Harness for Postgresql {
    async fn start(test: &str) -> Option<Self> {
        let server = std::env::var("DATABASE_URL").ok()?;
        let random = fastrand::u32(..);
        let schema = format!("courier_{random:x}_{test}");
        let schema = schema[..schema.len().min(60)].to_owned();
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = format!(
            "{server}{mark}application_name={schema}&options[search_path]={schema}"
        );
        let place = Self { schema, url };
        place.run(&format!("CREATE SCHEMA {}", place.schema)).await;
        Some(place)
    }

    async fn open(&self) -> SharedStore {
        open(&self.url, options()).await
    }

    async fn open_small(&self, max_open: usize) -> SharedStore {
        let max_open = max_open as u64;
        open(&self.url, SqlOptions { max_open, ..options() }).await
    }

    async fn end(self) {
        let drop = format!("DROP SCHEMA {} CASCADE", self.schema);
        self.run(&drop).await;
    }
}

impl Address for Postgresql {
    fn url(&self) -> &str {
        &self.url
    }
}

/// A test for each database.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let test = async |it: &Sqlite| super::$test(it).await;
                run(stringify!($test), test).await;
            })*
        }
        mod postgresql {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let test = async |it: &_| super::$test(it).await;
                run::<Postgresql>(stringify!($test), test).await;
            })*
        }
    };
}

on_both! {
    threads_of_processes_that_start_together
    failure_of_a_newer_version
    failure_of_torn_rows
    failure_of_a_torn_event_of_a_key
    failure_of_a_torn_subscription
    failure_of_a_torn_subscription_counts
    again_a_url_in_another_form
    slow_purge_of_what_is_kept
    owner_gone_after_unsubscribing
    silence_of_the_database
    owner_gone_no_task_is_left
    slow_behind_a_huge_key
    clock_that_is_set_back
    clock_that_is_set_ahead
    overload_of_accepts_delays_no_outcome
}

const LONG: Duration = Duration::from_secs(600);

async fn with_a(place: &impl Address) -> SharedStore {
    let store = place.open().await;
    let to = subscription("a", &[]);
    store.subscribe(&to, usize::MAX).await.expect("subscribed");
    store
}

async fn accept(store: &SharedStore, id: &str, key: Option<&str>) {
    store.accept(&event(id, key)).await.expect("accepted");
}

/// Outcomes don't wait behind all the clients that send events.
async fn overload_of_accepts_delays_no_outcome(place: &impl Address) {
    let store = with_a(place).await;
    accept(&store, "first", None).await;
    let leases = claim(&store, 1).await;
    let mut accepts = JoinSet::new();
    let accepted = Arc::new(AtomicUsize::new(0));
    for number in 0..200 {
        let (store, accepted) = (store.clone(), accepted.clone());
        accepts.spawn(async move {
            accept(&store, &format!("e{number}"), None).await;
            accepted.fetch_add(1, SeqCst);
        });
    }
    // All of them wait for a connection by then.
    accepts.join_next().await.expect("one").expect("no panic");
    let settled = store.settle(&leases[0], &Outcome::Delivered).await;
    assert!(settled.expect("it's settled"));
    let before = accepted.load(SeqCst);
    assert!(before < 100, "it waited for {before} accepts");
    accepts.join_all().await;
    store.close().await;
}

async fn threads_of_processes_that_start_together(
    place: &impl Address,
) {
    let starting = (0..6).map(|_| {
        let url = place.url().to_owned();
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async {
                    let options =
                        SqlOptions { connections: 2, ..options() };
                    let store =
                        SqlStore::connect(&url, options).await?;
                    store
                        .subscribe(&subscription("a", &[]), usize::MAX)
                        .await?;
                    store.close().await;
                    Ok::<_, StoreError>(())
                })
        })
    });
    for started in starting.collect::<Vec<_>>() {
        started.join().expect("no panic").expect("it starts");
    }
    let store = place.open().await;
    let all = store.subscriptions().await.expect("one");
    assert_eq!(all, [subscription("a", &[])]);
}

async fn failure_of_a_newer_version(place: &impl Address) {
    with_a(place).await.close().await;
    place.run("UPDATE courier SET version = 1000").await;
    let error = SqlStore::connect(place.url(), options()).await;
    let error = error.expect_err("it's newer").to_string();
    assert!(error.contains("tables of version 1000"), "{error}");
    place.run("UPDATE courier SET version = -1").await;
    let error = SqlStore::connect(place.url(), options()).await;
    assert!(matches!(error, Err(StoreError::Unreadable(_))));
}

/// Each column in turn. What's good is delivered anyway.
async fn failure_of_torn_rows(place: &impl Address) {
    let store = with_a(place).await;
    for id in ["torn", "good"] {
        accept(&store, id, None).await;
    }
    let back = "UPDATE deliveries SET state = 'ready', due_at = 0";
    for tear in [
        "UPDATE events SET topic = '\u{17c}' WHERE id = 'torn'",
        "UPDATE events SET id = 'to rn' WHERE id = 'torn'",
        "DELETE FROM events WHERE id <> 'good'",
        "UPDATE deliveries SET attempts = -99 WHERE id = 1",
        "UPDATE deliveries SET attempts = 9e15 WHERE id = 1",
    ] {
        place.run(tear).await;
        place.run(back).await;
        let leases = claim(&store, 9).await;
        assert_eq!(leases.len(), 1, "{tear}");
        assert_eq!(leases[0].event, event("good", None));
        // An operator sees what's left of the delivery.
        let letters = store.dead(9).await.expect("dead ones");
        let [torn] = &letters[..] else {
            panic!("{tear}: {letters:?}")
        };
        assert_eq!(torn.delivery, DeliveryId(1), "{tear}");
        assert!(torn.error.contains("can't read"), "{torn:?}");
        assert_eq!(claim(&store, 9).await.len(), 0, "{tear}");
    }
    place.run("UPDATE subscriptions SET url = 'no URL'").await;
    let torn = store.subscriptions().await;
    assert!(matches!(torn, Err(StoreError::Unreadable(_))));
    let torn = store.claim(&name("a"), 9, LONG).await;
    assert!(matches!(torn, Err(StoreError::Unreadable(_))));
    place.run("UPDATE subscriptions SET name = ''").await;
    place.run(back).await;
    let torn = store.due(9).await;
    assert!(matches!(torn, Err(StoreError::Unreadable(_))));
    let torn = store.backlog().await;
    assert!(matches!(torn, Err(StoreError::Unreadable(_))));
    place.run("DROP TABLE deliveries").await;
    let failed = store.due(9).await;
    assert!(matches!(failed, Err(StoreError::Failed(_))));
}

/// Later events of the same key are delivered.
async fn failure_of_a_torn_event_of_a_key(place: &impl Address) {
    let store = with_a(place).await;
    for (number, tear) in [
        "UPDATE events SET topic = '\u{17c}' WHERE id = '{torn}'",
        "DELETE FROM events WHERE id = '{torn}'",
        "UPDATE deliveries SET attempts = -99 WHERE event = (
            SELECT number FROM events WHERE id = '{torn}')",
    ]
    .into_iter()
    .enumerate()
    {
        let ids = [0, 1, 2].map(|it| format!("{number}-{it}"));
        for id in &ids {
            accept(&store, id, Some("k")).await;
        }
        place.run(&tear.replace("{torn}", &ids[0])).await;
        assert_eq!(claim(&store, 9).await.len(), 0, "{tear}");
        for id in &ids[1..] {
            let leases = claim(&store, 9).await;
            let [lease] = &leases[..] else { panic!("{leases:?}") };
            assert_eq!(lease.event.id.as_str(), id);
            let done = store.settle(lease, &Outcome::Delivered).await;
            assert!(done.expect("an answer"));
        }
        let dead = store.dead(9).await.expect("dead ones");
        assert_eq!(dead.len(), number + 1, "{tear}");
    }
    assert_eq!(store.backlog().await.expect("it")[0].open, 0);
}

/// The others are served.
async fn failure_of_a_torn_subscription(place: &impl Address) {
    let store = with_a(place).await;
    let b = subscription("b", &[]);
    store.subscribe(&b, usize::MAX).await.expect("subscribed");
    accept(&store, "1", None).await;
    place
        .run("UPDATE subscriptions SET url = 'no URL' WHERE name = 'a'")
        .await;
    let due = store.due(9).await.expect("due");
    assert_eq!(due, [(b.name.clone(), b.url.clone())]);
    assert_eq!(store.subscriptions().await.expect("one"), [b]);
}

/// A subscription that can't be read counts toward the limit, and can
/// be replaced. One that was removed halfway doesn't count.
async fn failure_of_a_torn_subscription_counts(place: &impl Address) {
    let store = with_a(place).await;
    let [b, c] = ["b", "c"].map(|of| subscription(of, &[]));
    let subscribe = async |to: &Subscription, most| {
        let done = store.subscribe(to, most).await;
        done.expect("an answer")
    };
    assert!(subscribe(&b, 2).await);
    let tear = "UPDATE subscriptions SET url = '' WHERE name = 'a'";
    place.run(tear).await;
    assert_eq!(
        store.subscriptions().await.expect("it"),
        std::slice::from_ref(&b)
    );
    assert!(!subscribe(&c, 2).await);
    assert!(subscribe(&subscription("a", &[]), 2).await);
    assert_eq!(store.subscriptions().await.expect("both").len(), 2);
    let remove =
        "UPDATE subscriptions SET name = NULL WHERE name = 'a'";
    place.run(remove).await;
    assert!(subscribe(&c, 2).await);
}

/// A URL that another version stored in another form is the same URL:
/// deliveries that failed there keep waiting.
async fn again_a_url_in_another_form(place: &impl Address) {
    let store = with_a(place).await;
    accept(&store, "1", None).await;
    let form = "UPDATE subscriptions
        SET url = 'HTTPS://A.Example:443/x/../hook?a=b'";
    place.run(form).await;
    let lease = claim(&store, 1).await.remove(0);
    assert_eq!(lease.subscription, subscription("a", &[]));
    let error = "it's down".to_owned();
    let retry = Outcome::Retry { after: LONG, error };
    assert!(store.settle(&lease, &retry).await.expect("an answer"));
    assert_eq!(store.due(9).await.expect("due"), []);
    let again = store.subscribe(&lease.subscription, 9).await;
    assert!(again.expect("an answer"));
    assert_eq!(store.due(9).await.expect("due"), []);
}

/// 30,000 old events that died recently or are open, and as many that
/// can be forgotten.
async fn slow_purge_of_what_is_kept(place: &impl Address) {
    const COUNT: u64 = 30_000;
    let store = with_a(place).await;
    let fill = |what: &str, state: Option<&str>| {
        let now = match place.url().starts_with("sqlite:") {
            true => "unixepoch() * 1000",
            false => "extract(epoch FROM now())::bigint * 1000",
        };
        let events = format!(
            "WITH RECURSIVE n(n) AS (SELECT 1
                UNION ALL SELECT n + 1 FROM n WHERE n < {COUNT})
             INSERT INTO events (id, topic, body, accepted_at)
             SELECT '{what}' || n, 't', '', n FROM n;"
        );
        let deliveries = state.map(|state| {
            format!(
                "INSERT INTO deliveries (event, subscription,
                    accepted_at, state, due_at)
                 SELECT number, 1, 1, '{state}', {now}
                 FROM events WHERE id LIKE '{what}%'"
            )
        });
        events + &deliveries.unwrap_or_default()
    };
    for (what, state) in
        [("open", Some("ready")), ("dead", Some("dead")), ("old", None)]
    {
        place.run(&fill(what, state)).await;
    }
    let purge = async |keep| {
        let done = store.purge(keep, 1_000).await;
        done.expect("a number")
    };
    for _ in 0..COUNT / 1_000 {
        assert_eq!(purge(LONG).await, 1_000);
    }
    let start = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(purge(LONG).await, 0);
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    // Those that died are forgotten in time, and the open ones aren't.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(purge(Duration::from_millis(1)).await, 1_000);
    let left = "SELECT COUNT(*) FROM events WHERE id LIKE 'open%'";
    let mut connection = place.connection().await;
    let left: i64 = sqlx::query_scalar(left)
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(left.unsigned_abs(), COUNT);
    connection.close().await.expect("it closes");
}

/// A statement in the source, as SQLite gets it.
fn statement(name: &str) -> String {
    let source = include_str!("../../src/store/sql.rs");
    let start = format!("let {name} =");
    let mut found = source.split(&start).skip(1);
    let text = found.find_map(|it| it.trim_start().strip_prefix('"'));
    let text = text.and_then(|it| it.split("\";").next());
    let text = text.unwrap_or_else(|| panic!("no statement {name}"));
    let mut sql = text.to_owned();
    for (word, is) in [
        ("{now}", "7"),
        ("{numbers}", "1, 2"),
        ("{skip locked}", ""),
        ("{share}", ""),
        ("{share both}", ""),
    ] {
        sql = sql.replace(word, is);
    }
    sql
}

/// However many events and deliveries there are, SQLite searches only for
/// those that it needs.
#[tokio::test]
async fn slow_statements_use_their_indexes() {
    let place = Sqlite::start("").await.expect("a folder");
    with_a(&place).await.close().await;
    let mut connection = place.connection().await;
    for (name, index) in [
        ("stored", "sqlite_autoindex_events_1"),
        ("deliver", "deliveries_order"),
        ("due", "deliveries_due"),
        ("claim", "deliveries_due"),
        ("next", "deliveries_order"),
        ("hasten", "deliveries_due"),
        ("dead", "deliveries_dead"),
        ("again", "deliveries_order"),
        ("old", "events_age"),
        ("future", "events_age"),
        ("back", "deliveries_event"),
        ("forget", "deliveries_event"),
        ("letters", "deliveries_event"),
        ("keep_on", "deliveries_event"),
        ("some", "deliveries_order"),
    ] {
        let plan = format!("EXPLAIN QUERY PLAN {}", statement(name));
        let plan = sqlx::query(AssertSqlSafe(plan))
            .fetch_all(&mut connection)
            .await
            .expect("a plan");
        let plan: Vec<String> =
            plan.iter().map(|row| row.get("detail")).collect();
        let indexed = |it: &String| it.contains(index);
        assert!(plan.iter().any(indexed), "{name}: {plan:?}");
        for step in plan {
            let walks = step.starts_with("SCAN ")
                && !step.contains("INDEX deliveries_dead");
            let few = ["subscriptions", "s", "chosen", "first"];
            let few = few.iter().any(|it| {
                step.split(' ').nth(1).is_some_and(|of| of == *it)
            });
            assert!(!walks || few, "{name}: {step}");
            let sorts = step.contains("TEMP B-TREE");
            assert!(!sorts || name == "due", "{name}: {step}");
        }
    }
    connection.close().await.expect("it closes");
}

/// Another process removes a subscription, and dies.
async fn owner_gone_after_unsubscribing(place: &impl Address) {
    let timeout = Duration::from_secs(1);
    let options = SqlOptions { timeout, ..options() };
    let small = open(place.url(), options).await;
    let to = subscription("a", &[]);
    small.subscribe(&to, usize::MAX).await.expect("subscribed");
    accept(&small, "1", None).await;
    place.run("UPDATE subscriptions SET name = NULL").await;
    swept(place).await;
}

async fn swept(place: &impl Address) {
    let open = "SELECT COUNT(*) FROM deliveries WHERE state <> 'dead'";
    let removed = "SELECT COUNT(*) FROM subscriptions";
    let mut connection = place.connection().await;
    for left in [open, removed] {
        let swept = async {
            let left = || sqlx::query_scalar::<_, i64>(left);
            while left().fetch_one(&mut connection).await.expect("it")
                > 0
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        within(Duration::from_secs(60), swept).await;
    }
    connection.close().await.expect("it closes");
}

/// Somebody holds the lock that everyone needs.
async fn silence_of_the_database(place: &impl Address) {
    let store = with_a(place).await;
    accept(&store, "1", Some("k")).await;
    let lease = claim(&store, 1).await.remove(0);
    let timeout = Duration::from_millis(500);
    let hasty = SqlOptions { timeout, ..options() };
    let hasty = SqlStore::connect(place.url(), hasty).await;
    let hasty = hasty.expect("a store");
    let mut holder = place.connection().await;
    let lock = match place.url().starts_with("sqlite:") {
        true => "BEGIN IMMEDIATE",
        false => "BEGIN; LOCK TABLE events, deliveries",
    };
    let lock = sqlx::raw_sql(lock).execute(&mut holder).await;
    lock.expect("it's locked");
    let all = async {
        // More calls than connections.
        let new = (0..8).map(|it| {
            let event = event(&format!("new{it}"), Some("k"));
            let hasty = &hasty;
            async move { hasty.accept(&event).await.is_err() }
        });
        let failed = futures::future::join_all(new).await;
        assert_eq!(failed, [true; 8]);
        let outcome = Outcome::Delivered;
        assert!(hasty.settle(&lease, &outcome).await.is_err());
        assert!(hasty.renew(&lease, LONG).await.is_err());
        assert!(hasty.claim(&name("a"), 9, LONG).await.is_err());
    };
    within(Duration::from_secs(20), all).await;
    let end = sqlx::raw_sql("ROLLBACK").execute(&mut holder).await;
    end.expect("it's unlocked");
    // Its connections are as good as new.
    let settled = async {
        while hasty.settle(&lease, &Outcome::Delivered).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(Duration::from_secs(20), settled).await;
    for id in 0..10 {
        let event = event(&id.to_string(), Some("k"));
        let accepted = hasty.accept(&event).await;
        accepted.expect("accepted");
    }
    holder.close().await.expect("it closes");
}

async fn owner_gone_no_task_is_left(place: &impl Address) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for closes in [true, false] {
        let store = with_a(place).await;
        accept(&store, &closes.to_string(), None).await;
        if closes {
            store.close().await;
        }
        drop(store);
        let ended = async {
            while metrics.num_alive_tasks() > before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(Duration::from_secs(10), ended).await;
    }
}

/// 100,000 events behind the first one of a key, and as many dead ones.
async fn slow_behind_a_huge_key(place: &impl Address) {
    let store = with_a(place).await;
    accept(&store, "first", Some("k")).await;
    place.run(&many("'waiting', {key}")).await;
    place.run(&many("'dead', {key}")).await;
    let start = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(store.due(9).await.expect("due").len(), 1);
        let leases = claim(&store, 9).await;
        assert_eq!(leases.len(), 1);
        let settled =
            store.settle(&leases[0], &Outcome::Delivered).await;
        assert!(settled.expect("an answer"));
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let start = std::time::Instant::now();
    let gone: Result<bool, _> = store.unsubscribe(&name("a")).await;
    assert!(gone.expect("an answer"));
    let gone = start.elapsed();
    // Its rows follow, and nothing keeps counting them as open.
    swept(place).await;
    let swept = start.elapsed();
    println!("100 rounds: {took:?}, gone: {gone:?}, swept: {swept:?}");
}

/// Statements that add 100,000 deliveries like the first one.
fn many(state_and_key: &str) -> String {
    let values = state_and_key.replace("{key}", "d.key");
    format!(
        "WITH RECURSIVE n(n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
         INSERT INTO deliveries (event, subscription, accepted_at,
            due_at, state, key)
         SELECT d.event, d.subscription, d.accepted_at, d.due_at,
            {values} FROM n, (SELECT * FROM deliveries
                ORDER BY id LIMIT 1) AS d"
    )
}

/// Shifts all times, as if the database's clock had been changed.
async fn set_clock(place: &impl Address, seconds: i64) {
    let by = -1000 * seconds;
    for times in [
        "deliveries SET due_at = due_at + {by},
            accepted_at = accepted_at + {by}",
        "events SET accepted_at = accepted_at + {by}",
    ] {
        let times = times.replace("{by}", &by.to_string());
        place.run(&format!("UPDATE {times}")).await;
    }
}

/// A lease can be settled, although it now ends in a day, and after a
/// purge, every other delivery is due, unless its event is older than
/// the new time.
async fn clock_that_is_set_back(place: &impl Address) {
    let store = with_a(place).await;
    let other = place.open().await;
    for id in ["leased", "lost", "retry"] {
        accept(&store, id, None).await;
    }
    for id in ["1", "2"] {
        accept(&store, id, Some("k")).await;
    }
    let mut leases = claim(&store, 4).await;
    let settle = async |lease: &Lease, outcome| {
        let settled = store.settle(lease, &outcome).await;
        assert!(settled.expect("an answer"), "{lease:?}");
    };
    let retry = |after| Outcome::Retry { after, error: "".into() };
    // The key's first delivery, and a delivery without a key.
    for _ in 0..2 {
        settle(&leases.remove(2), retry(LONG)).await;
    }
    set_clock(place, -86_400).await;
    let age = store.backlog().await.expect("it")[0].oldest_seconds;
    assert_eq!(age, Some(0));
    settle(&leases.remove(0), Outcome::Delivered).await;
    assert_eq!(store.due(9).await.expect("due"), []);
    // This adjusts all five, although it may forget only two.
    assert_eq!(other.purge(LONG, 2).await.expect("none"), 0);
    let ids = |leases: &[Lease]| {
        let ids = leases.iter().map(|it| it.event.id.to_string());
        Vec::from_iter(ids)
    };
    let claimed = claim(&other, 9).await;
    assert_eq!(ids(&claimed), ["retry", "1"]);
    // The lease's process may or may not be alive.
    let longest = "SELECT COUNT(*) FROM deliveries
        WHERE state = 'leased' AND due_at - accepted_at > 3600000";
    let mut connection = place.connection().await;
    let longest = sqlx::query_scalar::<_, i64>(longest);
    let longest = longest.fetch_one(&mut connection).await;
    assert_eq!(longest.expect("a count"), 0);
    settle(&leases.remove(0), Outcome::Delivered).await;
    for lease in claimed {
        assert!(lease.age < LONG);
        settle(&lease, Outcome::Delivered).await;
    }
    let last = claim(&other, 9).await.remove(0);
    assert_eq!(last.event.id, name("2"));
    settle(&last, Outcome::Delivered).await;
    let again = store.accept(&event("1", Some("k"))).await;
    assert_eq!(again.expect("known"), Accepted::Again);
    accept(&store, "old", None).await;
    settle(&claim(&store, 1).await.remove(0), retry(LONG)).await;
    for times in [
        "events SET accepted_at = 0 WHERE id = 'old'",
        "deliveries SET accepted_at = 0",
    ] {
        place.run(&format!("UPDATE {times}")).await;
    }
    set_clock(place, -86_400).await;
    assert_eq!(store.purge(99 * LONG, 9).await.expect("none"), 0);
    assert_eq!(claim(&store, 9).await.len(), 0);
    set_clock(place, 2 * 86_400).await;
    assert_eq!(ids(&claim(&store, 9).await), ["old"]);
    connection.close().await.expect("it closes");
}

/// Leases end too early: deliveries in flight are sent twice, in order,
/// and settled once. Deliveries that wait for a retry aren't lost.
async fn clock_that_is_set_ahead(place: &impl Address) {
    let store = with_a(place).await;
    let other = place.open().await;
    for id in ["1", "2"] {
        accept(&store, id, Some("k")).await;
    }
    let first = claim(&store, 9).await.remove(0);
    set_clock(place, 3_600).await;
    assert_eq!(store.purge(99 * LONG, 9).await.expect("none"), 0);
    let second = claim(&other, 9).await.remove(0);
    assert_eq!(second.event.id, first.event.id);
    assert!(second.age >= Duration::from_secs(3_600));
    let late = store.settle(&first, &Outcome::Delivered).await;
    assert!(!late.expect("an answer"));
    let late = store.renew(&first, LONG).await;
    assert!(!late.expect("an answer"));
    let retry = Outcome::Retry { after: LONG, error: "".into() };
    let settled = other.settle(&second, &retry).await;
    assert!(settled.expect("an answer"));
    assert_eq!(claim(&store, 9).await.len(), 0);
    set_clock(place, 3_600).await;
    for id in ["1", "2"] {
        let lease = claim(&store, 9).await.remove(0);
        assert_eq!(lease.event.id, name(id));
        let settled = store.settle(&lease, &Outcome::Delivered).await;
        assert!(settled.expect("an answer"));
    }
    let again = store.accept(&event("1", Some("k"))).await;
    assert_eq!(again.expect("known"), Accepted::Again);
}

/// Two processes, of which one accepts and the other one waits.
#[tokio::test(flavor = "multi_thread")]
async fn changed_wakes_another_process() {
    let test = async |place: &Postgresql| {
        let store = with_a(place).await;
        let other = place.open().await;
        for round in 0..3 {
            // After a moment, the listener listens (again).
            let cut = "SELECT pg_terminate_backend(pid)
                FROM pg_stat_activity WHERE query LIKE 'LISTEN%'
                AND application_name = current_schema()";
            place.run(cut).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            while futures::FutureExt::now_or_never(other.changed())
                .is_some()
            {}
            let start = std::time::Instant::now();
            accept(&store, &round.to_string(), None).await;
            within(Duration::from_secs(10), other.changed()).await;
            println!("woken after {:?}", start.elapsed());
        }
    };
    run("changed", test).await;
}

/// As when a NAT forgets a connection that nobody uses: nothing is forwarded any more, and nobody is informed. After a while,
/// a new connection listens.
#[tokio::test(flavor = "multi_thread")]
async fn silence_of_the_connection_that_listens() {
    let test = async |place: &Postgresql| {
        let store = with_a(place).await;
        let proxy = TcpListener::bind("127.0.0.1:0").await.expect("it");
        let port = proxy.local_addr().expect("an address").port();
        let forget = watch::Sender::new(());
        let server: PgConnectOptions = place.url.parse().expect("it");
        let forgets = forget.subscribe();
        let proxying = tokio::spawn(async move {
            let mut all = JoinSet::new();
            loop {
                let (client, _) = proxy.accept().await.expect("it");
                let to = server.clone();
                all.spawn(forward(client, to, forgets.clone()));
            }
        });
        let mut url: Url = place.url.parse().expect("a URL");
        let others = url.clone();
        let others = others.query_pairs();
        let others =
            others.filter(|it| it.0 != "host" && it.0 != "port");
        url.query_pairs_mut()
            .clear()
            .extend_pairs(others)
            .append_pair("host", "127.0.0.1")
            .append_pair("port", &port.to_string());
        let timeout = Duration::from_secs(2);
        let other =
            open(url.as_str(), SqlOptions { timeout, ..options() });
        let other = other.await;
        for round in 0..6 {
            accept(&store, &round.to_string(), None).await;
            within(Duration::from_secs(30), other.changed()).await;
            if round == 1 {
                forget.send_replace(());
            }
        }
        proxying.abort();
    };
    run("silent_listener", test).await;
}

async fn forward(
    mut client: TcpStream,
    to: PgConnectOptions,
    mut forgets: watch::Receiver<()>,
) {
    let (mut unix, mut tcp);
    let server: &mut (dyn Stream + Send) = match to.get_socket() {
        Some(folder) => {
            let file = format!(".s.PGSQL.{}", to.get_port());
            unix = UnixStream::connect(folder.join(file)).await;
            unix.as_mut().expect("a server")
        }
        None => {
            let to = (to.get_host(), to.get_port());
            tcp = TcpStream::connect(to).await;
            tcp.as_mut().expect("a server")
        }
    };
    let mut server = std::pin::Pin::new(server);
    forgets.mark_unchanged();
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Both stay open.
        _ = forgets.changed() => std::future::pending().await,
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A retry that's settled while the URL changes is due immediately.
#[tokio::test(flavor = "multi_thread")]
async fn threads_settle_while_the_url_changes() {
    let test = async |place: &Postgresql| {
        let store = with_a(place).await;
        accept(&store, "1", None).await;
        let lease = claim(&store, 1).await.remove(0);
        let mut change = place.connection().await;
        let run = async |change: &mut AnyConnection, sql| {
            sqlx::raw_sql(sql).execute(change).await.expect("it runs");
        };
        let url = "BEGIN; UPDATE subscriptions SET url = 'http://b/'";
        run(&mut change, url).await;
        let settled = tokio::spawn({
            let store = store.clone();
            let error = "it's down".into();
            let retry = Outcome::Retry { after: LONG, error };
            async move { store.settle(&lease, &retry).await }
        });
        // Until it waits for the change.
        let waits = "SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock'
            AND application_name = current_schema()";
        let waiting = async {
            let mut other = place.connection().await;
            let count = || sqlx::query_scalar::<_, i64>(waits);
            while count().fetch_one(&mut other).await.expect("a count")
                == 0
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(Duration::from_secs(10), waiting).await;
        run(&mut change, "COMMIT").await;
        assert!(settled.await.expect("no panic").expect("settled"));
        assert_eq!(store.due(9).await.expect("due").len(), 1);
    };
    run("settle_moved", test).await;
}

/// Nobody on the way can read events, if the server speaks TLS.
#[tokio::test]
async fn edges_postgresql_is_asked_for_tls() {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("it");
    let to = server.local_addr().expect("an address");
    let url = format!("postgres://user@{to}/events");
    let client = tokio::spawn(async move {
        SqlStore::connect(&url, options()).await.map(drop)
    });
    let (mut io, _) = server.accept().await.expect("a client");
    let mut request = [0; 8];
    io.read_exact(&mut request).await.expect("a request");
    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
    io.write_all(b"S").await.expect("it listens");
    assert_eq!(io.read_u8().await.expect("a handshake"), 22);
    client.abort();
}

#[tokio::test]
async fn edges_of_addresses() {
    for url in ["", "mysql://x", "sqlite::memory:", "sqlite:/no/such/a"]
    {
        let error = SqlStore::connect(url, options()).await;
        assert!(error.is_err(), "{url}");
    }
    let closed = "postgres://nobody:secret@127.0.0.1:1/none";
    let error = SqlStore::connect(closed, options()).await;
    let error = format!("{:?}", error.expect_err("nobody's there"));
    assert!(!error.contains("secret"), "{error}");
}
