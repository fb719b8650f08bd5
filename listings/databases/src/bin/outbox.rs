//! Write an order and its event in one transaction, and relay the event.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    AssertSqlSafe, Connection as _, Executor,
    any::{AnyPoolOptions, install_default_drivers},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

// ANCHOR: change
use sqlx::AnyPool;

/// Changes an order, and writes the event in the same transaction.
/// Returns the order's new version. If it's canceled before the
/// commit, both are rolled back.
async fn change(
    pool: &AnyPool,
    order: &str,
    status: &str,
) -> sqlx::Result<i64> {
    let mut transaction = pool.begin().await?;
    // The order first: its row stays locked until the commit, so the
    // events of an order get their numbers in the order of commits.
    let version: i64 = sqlx::query_scalar(
        "INSERT INTO orders (id, version, status) VALUES ($1, 1, $2)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status,
         version = orders.version + 1 RETURNING version",
    )
    .bind(order)
    .bind(status)
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO outbox (order_id, version, status)
         VALUES ($1, $2, $3)",
    )
    .bind(order)
    .bind(version)
    .bind(status)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(version)
}
// ANCHOR_END: change

// ANCHOR: broker
#[derive(Clone, Debug, PartialEq)]
struct Event {
    order: String,
    /// Together with the order, the event's id.
    version: i64,
    status: String,
}

trait Broker: Sync {
    /// Returns `Ok` after the broker has *stored* the event and has
    /// acknowledged that. After an error, it may have stored it.
    fn publish(
        &self,
        event: &Event,
    ) -> impl Future<Output = Result<(), String>> + Send;
}
// ANCHOR_END: broker

#[derive(Debug, Default, PartialEq)]
struct Round {
    sent: usize,
    failed: Vec<String>,
}

struct Relay<'a, B> {
    pool: &'a AnyPool,
    broker: &'a B,
    /// Unique among the relays, and the same after a restart.
    name: &'a str,
    /// The same for all relays.
    lease: Duration,
    /// How long the broker may take to acknowledge an event, and the
    /// database to execute a statement.
    limit: Duration,
    stop: CancellationToken,
}

// ANCHOR: relay
impl<B: Broker> Relay<'_, B> {
    /// Sends the oldest events that aren't sent yet, one by one.
    async fn round(&self) -> sqlx::Result<Round> {
        let mut round = Round::default();
        let mut waiting = HashSet::new();
        if !self.acquire().await? {
            return Ok(round);
        }
        let mut renewed = Instant::now();
        for (id, event) in self.limited(unsent(self.pool)).await? {
            if renewed.elapsed() > self.lease / 3 {
                if !self.acquire().await? {
                    break;
                }
                renewed = Instant::now();
            }
            if self.stop.is_cancelled() {
                break;
            }
            // If an event fails, the later events of its order wait.
            if waiting.contains(&event.order) {
                continue;
            }
            let publish = self.broker.publish(&event);
            let error = match timeout(self.limit, publish).await {
                Ok(Ok(())) => {
                    // After a crash before this, it's sent again.
                    self.limited(mark_sent(self.pool, id)).await?;
                    round.sent += 1;
                    continue;
                }
                Ok(Err(error)) => error,
                Err(_) => "the broker doesn't answer".to_owned(),
            };
            round.failed.push(format!("{}: {error}", event.order));
            waiting.insert(event.order);
        }
        Ok(round)
    }
}
// ANCHOR_END: relay

// ANCHOR: run
impl<B: Broker> Relay<'_, B> {
    /// Relays events until it's stopped, and then returns as soon as
    /// the current event is done.
    async fn run(&self) {
        while !self.stop.is_cancelled() {
            let pause = match self.round().await {
                Ok(Round { sent, failed }) if !failed.is_empty() => {
                    tracing::warn!("not sent: {failed:?}");
                    // The events of other orders don't wait for these.
                    let pause = if sent > 0 { 20 } else { 1000 };
                    Duration::from_millis(pause)
                }
                Ok(Round { sent: 0, .. }) => Duration::from_millis(200),
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    tracing::error!(%error, "the outbox");
                    Duration::from_secs(1)
                }
            };
            self.stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// Acquires or renews the lease, so that one relay works at a time.
    async fn acquire(&self) -> sqlx::Result<bool> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis() as i64;
        let lease = self.lease.as_millis() as i64;
        let acquired = sqlx::query(
            "UPDATE lease SET relay = $1, until = $2
             WHERE relay = $1 OR until < $3 OR until > $4",
        )
        .bind(self.name)
        .bind(now + lease)
        .bind(now)
        .bind(now + 2 * lease) // A clock was set back.
        .execute(self.pool);
        Ok(self.limited(acquired).await?.rows_affected() == 1)
    }
}
// ANCHOR_END: run

// ANCHOR: statements
impl<B> Relay<'_, B> {
    /// A statement may wait for a lock, or for a server that is silent.
    async fn limited<T>(
        &self,
        statement: impl Future<Output = sqlx::Result<T>>,
    ) -> sqlx::Result<T> {
        match timeout(self.limit, statement).await {
            Ok(done) => done,
            Err(late) => Err(sqlx::Error::Io(late.into())),
        }
    }
}

async fn unsent(pool: &AnyPool) -> sqlx::Result<Vec<(i64, Event)>> {
    let rows: Vec<(i64, String, i64, String)> = sqlx::query_as(
        "SELECT id, order_id, version, status FROM outbox
         WHERE sent = 0 ORDER BY id LIMIT 100",
    )
    .fetch_all(pool)
    .await?;
    let event = |(id, order, version, status)| {
        (id, Event { order, version, status })
    };
    Ok(rows.into_iter().map(event).collect())
}

async fn mark_sent(pool: &AnyPool, id: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE outbox SET sent = 1 WHERE id = $1")
        .bind(id)
        .execute(pool)
        .await?;
    Ok(())
}
// ANCHOR_END: statements

// ANCHOR: inbox
/// Handles an event once, even if it arrives several times. Returns
/// whether it was new.
async fn receive(pool: &AnyPool, event: &Event) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let inserted = sqlx::query(
        "INSERT INTO inbox (event) VALUES ($1) ON CONFLICT DO NOTHING",
    )
    .bind(format!("{}/{}", event.order, event.version))
    .execute(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false); // A duplicate.
    }
    // The effect, in the same transaction as the event's id.
    sqlx::query("UPDATE statistics SET changes = changes + 1")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}
// ANCHOR_END: inbox

// ANCHOR: tables
const TABLES: [&str; 7] = [
    "CREATE TABLE orders (id TEXT PRIMARY KEY,
     version BIGINT NOT NULL, status TEXT NOT NULL)",
    // In PostgreSQL: id BIGINT GENERATED ALWAYS AS IDENTITY.
    "CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT,
     order_id TEXT NOT NULL, version BIGINT NOT NULL,
     status TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0)",
    "CREATE INDEX outbox_unsent ON outbox (id) WHERE sent = 0",
    "CREATE TABLE lease (relay TEXT NOT NULL, until BIGINT NOT NULL)",
    "INSERT INTO lease VALUES ('', 0)",
    // In the consumer's database.
    "CREATE TABLE inbox (event TEXT PRIMARY KEY)",
    "CREATE TABLE statistics (changes BIGINT NOT NULL)",
];
// ANCHOR_END: tables

/// Opens new tables in a schema on the server, or else in a SQLite
/// file in the folder. Returns the address, too.
async fn open(
    server: Option<&str>,
    folder: &Path,
    schema: &str,
) -> sqlx::Result<(AnyPool, String)> {
    install_default_drivers();
    let address = match server {
        None => {
            let file = folder.join("orders.db");
            format!("sqlite://{}?mode=rwc", file.display())
        }
        Some(server) => {
            drop_schema(Some(server), schema).await?;
            let pool = AnyPool::connect(server).await?;
            let create = format!("CREATE SCHEMA {schema}");
            sqlx::query(AssertSqlSafe(create)).execute(&pool).await?;
            pool.close().await;
            let and = if server.contains('?') { '&' } else { '?' };
            format!("{server}{and}options=-c%20search_path%3D{schema}")
        }
    };
    let pool = connect(&address).await?;
    if server.is_none() {
        sqlx::query("PRAGMA journal_mode = WAL").execute(&pool).await?;
    }
    for table in TABLES {
        let identity =
            "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY";
        let table = match server {
            None => table.to_owned(),
            Some(_) => table
                .replace("INTEGER PRIMARY KEY AUTOINCREMENT", identity),
        };
        sqlx::query(AssertSqlSafe(table)).execute(&pool).await?;
    }
    sqlx::query("INSERT INTO statistics VALUES (0)")
        .execute(&pool)
        .await?;
    Ok((pool, address))
}

async fn connect(address: &str) -> sqlx::Result<AnyPool> {
    AnyPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        // On PostgreSQL, a dropped `begin` leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                let end = timeout(Duration::from_secs(5), end).await;
                end.map_err(std::io::Error::from)??;
                // sqlx counts one that SQLite has rolled back.
                Ok(!connection.is_in_transaction())
            })
        })
        .connect(address)
        .await
}

async fn drop_schema(
    server: Option<&str>,
    schema: &str,
) -> sqlx::Result<()> {
    let Some(server) = server else { return Ok(()) };
    let pool = AnyPool::connect(server).await?;
    let drop = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
    // Without the notice that it doesn't exist.
    let mut connection = pool.acquire().await?;
    connection.execute("SET client_min_messages = warning").await?;
    sqlx::query(AssertSqlSafe(drop)).execute(&mut *connection).await?;
    connection.close().await
}

/// Stores every event. The first acknowledgment gets lost.
#[derive(Default)]
struct Stored(Mutex<Vec<Event>>);

impl Stored {
    fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Broker for Stored {
    async fn publish(&self, event: &Event) -> Result<(), String> {
        let mut stored =
            self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.push(event.clone());
        match stored.len() {
            1 => Err("the connection was reset".to_owned()),
            _ => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let server = std::env::var("DATABASE_URL").ok();
    let folder = tempfile::tempdir()?;
    let server = server.as_deref();
    let (pool, _) = open(server, folder.path(), "outbox").await?;
    for status in ["placed", "paid"] {
        let version = change(&pool, "order 7", status).await?;
        println!("order 7, version {version}: {status}");
    }
    let broker = Stored::default();
    let relay = Relay {
        pool: &pool,
        broker: &broker,
        name: "relay 1",
        lease: Duration::from_secs(30),
        limit: Duration::from_secs(5),
        stop: CancellationToken::new(),
    };
    let Round { sent, failed } = relay.round().await?;
    println!("first round: {sent} sent, failed: {failed:?}");
    let (_, left) = tokio::join!(relay.run(), async {
        while !unsent(&pool).await?.is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
        relay.stop.cancel();
        unsent(&pool).await
    });
    println!("later rounds: {} left", left?.len());
    for event in broker.events() {
        let did = match receive(&pool, &event).await? {
            true => "handled",
            false => "skipped, a duplicate",
        };
        println!("{}/{}: {did}", event.order, event.version);
    }
    pool.close().await;
    drop_schema(server, "outbox").await
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs a test on SQLite, and on PostgreSQL if `DATABASE_URL` names
    /// a server, as in `.ci/run`, in a schema of its own.
    async fn on_both(
        name: &str,
        test: impl AsyncFn(AnyPool, String),
    ) -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let (pool, address) = open(None, folder.path(), "").await?;
        test(pool.clone(), address).await;
        pool.close().await;
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let schema = format!("outbox_{name}_{}", std::process::id());
        let (server, folder) = (Some(&*server), folder.path());
        let (pool, address) = open(server, folder, &schema).await?;
        test(pool.clone(), address).await;
        pool.close().await;
        drop_schema(server, &schema).await
    }

    fn relay<'a, B>(
        pool: &'a AnyPool,
        broker: &'a B,
        name: &'a str,
    ) -> Relay<'a, B> {
        Relay {
            pool,
            broker,
            name,
            lease: Duration::from_secs(30),
            limit: Duration::from_millis(200),
            stop: CancellationToken::new(),
        }
    }

    /// A broker that does what a test says, with the number of the call.
    struct Does<F>(F, Mutex<Vec<Event>>);

    impl<F> Does<F> {
        fn new(does: F) -> Self {
            Self(does, Mutex::default())
        }

        fn stored(&self) -> Vec<String> {
            let events =
                self.1.lock().unwrap_or_else(PoisonError::into_inner);
            let event =
                |it: &Event| format!("{}/{}", it.order, it.version);
            events.iter().map(event).collect()
        }
    }

    impl<F, R> Broker for Does<F>
    where
        F: Fn(Event, usize) -> R + Sync,
        R: Future<Output = Result<(), String>> + Send,
    {
        fn publish(
            &self,
            event: &Event,
        ) -> impl Future<Output = Result<(), String>> + Send {
            let stored = {
                let mut all = self
                    .1
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                all.push(event.clone());
                all.len()
            };
            (self.0)(event.clone(), stored)
        }
    }

    async fn fine(_: Event, _: usize) -> Result<(), String> {
        Ok(())
    }

    fn good() -> Does<
        impl Fn(Event, usize) -> std::future::Ready<Result<(), String>>,
    > {
        Does::new(|_: Event, _| std::future::ready(Ok(())))
    }

    /// In one statement, because a dropped commit may still be under
    /// way.
    async fn counted(pool: &AnyPool) -> (i64, i64) {
        let both = "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT),
            (SELECT COUNT(*) FROM outbox) FROM orders";
        let both = sqlx::query_as(both).fetch_one(pool).await;
        both.expect("two tables")
    }

    /// Drops one more `begin` while a slow server executes it. Then each
    /// connection of the pool can change the same row, so none is left
    /// inside a transaction.
    async fn all_are_clean(pool: &AnyPool) {
        use futures::FutureExt as _;
        let check = async {
            {
                let mut one = pool.acquire().await.expect("it");
                if one.backend_name() == "PostgreSQL" {
                    let slowly = "BEGIN; SELECT pg_sleep(0.05)";
                    let begin = one.begin_with(slowly);
                    assert!(begin.now_or_never().is_none());
                }
            }
            let mut all = Vec::new();
            for _ in 0..4 {
                let mut one = pool.acquire().await.expect("it");
                let update = "UPDATE statistics SET changes = changes";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    #[tokio::test]
    async fn cancel_of_a_change_keeps_row_and_event_together()
    -> sqlx::Result<()> {
        on_both("change", async |pool, _| {
            hazards::at_every_poll(async |cancel| {
                cancel.run(change(&pool, "7", "paid")).await;
                all_are_clean(&pool).await;
                let (versions, events) = counted(&pool).await;
                assert_eq!(versions, events);
                let other = change(&pool, "8", "paid").await;
                other.expect("nothing is locked");
            })
            .await;
        })
        .await
    }

    #[tokio::test]
    async fn cancel_of_a_round_loses_no_event() -> sqlx::Result<()> {
        on_both("round", async |pool, _| {
            hazards::at_every_poll(async |cancel| {
                let order = format!("order {}", cancel.polls());
                for status in ["placed", "paid", "shipped"] {
                    change(&pool, &order, status).await.expect("it");
                }
                let broker = good();
                let relay = relay(&pool, &broker, "a");
                cancel.run(relay.round()).await;
                let sent_once = broker.stored().len();
                relay.round().await.expect("a round");
                let mut stored = broker.stored();
                // At most the one that was under way, once more.
                assert!(stored.len() <= 4, "{sent_once} {stored:?}");
                stored.dedup();
                let all = (1..=3).map(|it| format!("{order}/{it}"));
                assert_eq!(stored, Vec::from_iter(all));
                assert!(unsent(&pool).await.expect("it").is_empty());
            })
            .await;
        })
        .await
    }

    #[tokio::test]
    async fn cancel_of_a_receipt_is_all_or_nothing() -> sqlx::Result<()>
    {
        on_both("receipt", async |pool, _| {
            hazards::at_every_poll(async |cancel| {
                let event = Event {
                    order: cancel.polls().to_string(),
                    version: 1,
                    status: "paid".to_owned(),
                };
                let before = changes(&pool).await;
                cancel.run(receive(&pool, &event)).await;
                all_are_clean(&pool).await;
                receive(&pool, &event).await.expect("received");
                assert_eq!(changes(&pool).await, before + 1);
            })
            .await;
        })
        .await
    }

    async fn changes(pool: &AnyPool) -> i64 {
        sqlx::query_scalar("SELECT changes FROM statistics")
            .fetch_one(pool)
            .await
            .expect("statistics")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn again_a_double_is_handled_once() -> sqlx::Result<()> {
        on_both("again", async |pool, _| {
            let event = Event {
                order: "7".to_owned(),
                version: 1,
                status: "paid".to_owned(),
            };
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let (pool, event) = (pool.clone(), event.clone());
                tasks
                    .spawn(async move { receive(&pool, &event).await });
            }
            let mut new = 0;
            for received in tasks.join_all().await {
                new += i64::from(received.expect("received"));
            }
            assert_eq!((new, changes(&pool).await), (1, 1));
        })
        .await
    }

    #[tokio::test]
    async fn panic_of_the_broker_loses_no_event() -> sqlx::Result<()> {
        on_both("panic", async |pool, _| {
            for status in ["placed", "paid"] {
                change(&pool, "7", status).await.expect("a change");
            }
            let task = tokio::spawn({
                let pool = pool.clone();
                async move {
                    let broker = Does::new(|it: Event, _| {
                        assert_eq!(
                            it.version, 0,
                            "a bug in the client"
                        );
                        std::future::ready(Ok(()))
                    });
                    relay(&pool, &broker, "a").round().await
                }
            });
            assert!(task.await.expect_err("a panic").is_panic());
            let broker = good();
            relay(&pool, &broker, "a").round().await.expect("sent");
            assert_eq!(broker.stored(), ["7/1", "7/2"]);
        })
        .await
    }

    #[tokio::test]
    async fn silence_of_the_broker_is_bounded() -> sqlx::Result<()> {
        on_both("silence", async |pool, _| {
            for order in ["7", "8"] {
                change(&pool, order, "paid").await.expect("a change");
            }
            // It doesn't answer to order 7.
            let broker =
                Does::new(async |it: Event, _| match &*it.order {
                    "7" => std::future::pending().await,
                    _ => Ok(()),
                });
            let round = relay(&pool, &broker, "a").round().await;
            let round = round.expect("a round");
            assert_eq!(round.sent, 1);
            assert_eq!(round.failed, ["7: the broker doesn't answer"]);
        })
        .await
    }

    /// Another connection locks the table while an event is under way.
    #[tokio::test]
    async fn silence_of_the_database_is_bounded() -> sqlx::Result<()> {
        on_both("locked", async |pool, address| {
            change(&pool, "7", "paid").await.expect("a change");
            let (begin, lock) = match address.starts_with("sqlite:") {
                true => ("BEGIN IMMEDIATE", "SELECT 1"),
                false => ("BEGIN", "LOCK TABLE outbox"),
            };
            let locking = Mutex::new(None);
            let broker = Does::new(async |_: Event, _| {
                let locked = pool.begin_with(begin).await;
                let mut locked = locked.expect("a lock");
                locked.execute(lock).await.expect("a lock");
                *locking.lock().expect("no panic") = Some(locked);
                Ok(())
            });
            let relay = relay(&pool, &broker, "a");
            let round = timeout(Duration::from_secs(4), relay.round());
            let round = round.await.expect("it doesn't wait");
            assert!(matches!(round, Err(sqlx::Error::Io(_))));
            drop(locking);
            // The mark may be executed nevertheless.
            let left = unsent(&pool).await.expect("unlocked").len();
            assert!(left <= 1, "{left}");
        })
        .await
    }

    #[tokio::test]
    async fn slow_broker_keeps_memory_bounded() -> sqlx::Result<()> {
        on_both("slow", async |pool, _| {
            for number in 0..120 {
                let order = (number % 10).to_string();
                change(&pool, &order, "paid").await.expect("a change");
            }
            let broker = good();
            let relay = relay(&pool, &broker, "a");
            assert_eq!(unsent(&pool).await.expect("events").len(), 100);
            let mut sent = Vec::new();
            for _ in 0..3 {
                sent.push(relay.round().await.expect("sent").sent);
            }
            assert_eq!(sent, [100, 20, 0]);
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_an_event_keeps_its_order_waiting()
    -> sqlx::Result<()> {
        on_both("failure", async |pool, _| {
            for (order, status) in
                [("7", "placed"), ("8", "placed"), ("7", "paid")]
            {
                change(&pool, order, status).await.expect("a change");
            }
            let broker = Does::new(|it: Event, calls| {
                let refused = it.order == "7" && calls == 1;
                std::future::ready(match refused {
                    true => Err("too large".to_owned()),
                    false => Ok(()),
                })
            });
            let relay = relay(&pool, &broker, "a");
            let round = relay.round().await.expect("a round");
            assert_eq!(round.sent, 1);
            assert_eq!(round.failed, ["7: too large"]);
            let round = relay.round().await.expect("a round");
            assert_eq!((round.sent, round.failed.len()), (2, 0));
            let stored = broker.stored();
            assert_eq!(stored, ["7/1", "8/1", "7/1", "7/2"]);
            // The database fails, too.
            pool.close().await;
            let failed = relay.round().await;
            assert!(matches!(failed, Err(sqlx::Error::PoolClosed)));
        })
        .await
    }

    /// An event that the broker always rejects doesn't slow down the
    /// events of other orders.
    #[tokio::test]
    async fn failure_of_one_order_delays_no_other() -> sqlx::Result<()>
    {
        on_both("delays", async |pool, _| {
            change(&pool, "bad", "placed").await.expect("a change");
            let insert = "WITH RECURSIVE numbers (number) AS (
                SELECT 1 UNION ALL
                SELECT number + 1 FROM numbers WHERE number < 250)
                INSERT INTO outbox (order_id, version, status)
                SELECT 'good', number, 'paid' FROM numbers";
            pool.execute(insert).await.expect("inserted");
            let last = Mutex::new(Instant::now());
            let longest = Mutex::new(Duration::ZERO);
            let broker = Does::new(|it: Event, _| {
                if it.order == "bad" {
                    return std::future::ready(Err("no".to_owned()));
                }
                let mut last = last.lock().expect("no panic");
                let mut longest = longest.lock().expect("no panic");
                *longest = longest.max(last.elapsed());
                *last = Instant::now();
                std::future::ready(Ok(()))
            });
            let relay = relay(&pool, &broker, "a");
            tokio::join!(relay.run(), async {
                while unsent(&pool).await.expect("events").len() > 1 {
                    sleep(Duration::from_millis(10)).await;
                }
                relay.stop.cancel();
            });
            let longest = *longest.lock().expect("no panic");
            assert!(
                longest < Duration::from_millis(900),
                "{longest:?}"
            );
        })
        .await
    }

    #[tokio::test]
    async fn stop_finishes_the_event_under_way() -> sqlx::Result<()> {
        on_both("stop", async |pool, _| {
            for status in ["placed", "paid", "shipped"] {
                change(&pool, "7", status).await.expect("a change");
            }
            let stop = CancellationToken::new();
            let broker = Does::new(|_: Event, calls| {
                if calls == 2 {
                    stop.cancel();
                }
                tokio::task::yield_now().map(Ok)
            });
            let mut relay = relay(&pool, &broker, "a");
            relay.stop = stop.clone();
            let run = timeout(Duration::from_secs(10), relay.run());
            run.await.expect("it returns");
            assert_eq!(broker.stored(), ["7/1", "7/2"]);
            let left = unsent(&pool).await.expect("events");
            assert_eq!(left.len(), 1);
        })
        .await
    }

    use futures::FutureExt as _;

    #[tokio::test]
    async fn edges_no_event_and_other_text() -> sqlx::Result<()> {
        on_both("edges", async |pool, _| {
            let broker = Does::new(fine);
            let relay = relay(&pool, &broker, "a");
            let nothing = relay.round().await.expect("a round");
            assert_eq!(nothing, Round::default());
            for order in ["", "\u{17c}\u{f3}\u{142}w", "'; --"] {
                change(&pool, order, order).await.expect("a change");
            }
            assert_eq!(relay.round().await.expect("it").sent, 3);
        })
        .await
    }

    #[tokio::test]
    async fn owner_gone_another_relay_takes_over() -> sqlx::Result<()> {
        on_both("owner", async |pool, _| {
            change(&pool, "7", "placed").await.expect("a change");
            let broker = good();
            let one = relay(&pool, &broker, "one");
            let other = relay(&pool, &broker, "other");
            // Within the lease, the other relay sends nothing.
            assert!(one.acquire().await.expect("a lease"));
            assert_eq!(other.round().await.expect("it").sent, 0);
            // After it has expired, the other one takes over.
            sqlx::query("UPDATE lease SET until = until - 60000")
                .execute(&pool)
                .await
                .expect("a lease");
            assert_eq!(other.round().await.expect("it").sent, 1);
            assert!(!one.acquire().await.expect("a lease"));
        })
        .await
    }

    #[tokio::test]
    async fn clock_that_was_set_back_blocks_no_relay()
    -> sqlx::Result<()> {
        on_both("clock", async |pool, _| {
            change(&pool, "7", "placed").await.expect("a change");
            // A relay acquired it, and then the clock went back a day.
            sqlx::query("UPDATE lease SET relay = 'one', until = $1")
                .bind(4_102_444_800_000_i64)
                .execute(&pool)
                .await
                .expect("a lease");
            let broker = good();
            let other = relay(&pool, &broker, "other");
            assert_eq!(other.round().await.expect("it").sent, 1);
        })
        .await
    }

    /// Without leases, as if every lease had expired.
    #[tokio::test]
    async fn threads_two_relays_keep_the_order() -> sqlx::Result<()> {
        on_both("threads", async |pool, _| {
            for status in ["placed", "paid"] {
                change(&pool, "7", status).await.expect("a change");
            }
            // The first call is slow.
            let broker = Does::new(async |_: Event, calls| {
                if calls == 1 {
                    sleep(Duration::from_millis(100)).await;
                }
                Ok(())
            });
            let mut one = relay(&pool, &broker, "one");
            let mut other = relay(&pool, &broker, "other");
            one.lease = Duration::ZERO;
            other.lease = Duration::ZERO;
            let (first, second) = tokio::join!(one.round(), async {
                sleep(Duration::from_millis(50)).await;
                other.round().await
            });
            first.expect("a round");
            second.expect("a round");
            relay(&pool, &broker, "one").round().await.expect("it");
            let stored = broker.stored();
            let first = |it| stored.iter().position(|at| at == it);
            assert!(first("7/1") < first("7/2"), "{stored:?}");
            assert!(first("7/1").is_some());
        })
        .await
    }

    /// One transaction draws its number first, and commits last.
    #[tokio::test]
    async fn overload_of_transactions_skips_no_event()
    -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            return Ok(()); // Other tests say so.
        };
        let schema = format!("outbox_late_{}", std::process::id());
        let server = Some(&*server);
        let (pool, _) = open(server, Path::new(""), &schema).await?;
        let mut late = pool.begin().await?;
        let insert = "INSERT INTO outbox (order_id, version, status)
            VALUES ('7', 1, 'placed')";
        sqlx::query(insert).execute(&mut *late).await?;
        change(&pool, "8", "placed").await?;
        let broker = good();
        let relay = relay(&pool, &broker, "a");
        relay.round().await?;
        late.commit().await?;
        relay.round().await?;
        assert_eq!(broker.stored(), ["8/1", "7/1"]);
        pool.close().await;
        drop_schema(server, &schema).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_of_changes_to_one_order() -> sqlx::Result<()> {
        on_both("overload", async |pool, _| {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..20 {
                let pool = pool.clone();
                tasks.spawn(async move {
                    change(&pool, "7", "paid").await.expect("it waits")
                });
            }
            let mut versions = tasks.join_all().await;
            versions.sort_unstable();
            assert_eq!(versions, Vec::from_iter(1..=20));
            let broker = good();
            relay(&pool, &broker, "a").round().await.expect("sent");
            let expected = (1..=20).map(|it| format!("7/{it}"));
            assert_eq!(broker.stored(), Vec::from_iter(expected));
        })
        .await
    }

    use std::{collections::HashMap, process::Command};

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };

    /// The broker and the parent of the processes that are killed. What
    /// has arrived here survives them.
    #[derive(Default)]
    struct Arrived {
        events: Vec<(String, i64)>,
        /// The changes whose `change` has returned `Ok`.
        accepted: Vec<(String, i64)>,
    }

    // ANCHOR: crash
    /// A child process: changes orders, and relays, until it's killed.
    #[tokio::test]
    async fn a_relay_process() -> sqlx::Result<()> {
        let Ok(told) = std::env::var("BOOK_OUTBOX") else {
            return Ok(()); // It isn't a child process.
        };
        let told: Vec<&str> = told.split(' ').collect();
        let [name, broker, address] = told[..] else {
            panic!("three words: {told:?}");
        };
        install_default_drivers();
        let pool = connect(address).await?;
        let remote = Remote::connect(broker).await?;
        let mut relay = relay(&pool, &remote, name);
        relay.lease = Duration::from_secs(1);
        relay.limit = Duration::from_secs(5);
        let mut accepted = TcpStream::connect(broker).await?;
        let changes = async {
            loop {
                let order = fastrand::u8(0..5).to_string();
                let version = change(&pool, &order, "paid").await?;
                let line = format!("accepted {order} {version}\n");
                accepted.write_all(line.as_bytes()).await?;
                sleep(Duration::from_millis(fastrand::u64(0..8))).await;
            }
        };
        tokio::select! {
            () = relay.run() => Ok(()),
            failed = changes => failed,
        }
    }
    // ANCHOR_END: crash

    /// Sends events to the parent, and waits for "stored".
    struct Remote(tokio::sync::Mutex<BufReader<TcpStream>>);

    impl Remote {
        async fn connect(broker: &str) -> std::io::Result<Self> {
            let connection = TcpStream::connect(broker).await?;
            let connection = BufReader::new(connection);
            Ok(Self(tokio::sync::Mutex::new(connection)))
        }
    }

    impl Broker for Remote {
        async fn publish(&self, event: &Event) -> Result<(), String> {
            let mut connection = self.0.lock().await;
            let line =
                format!("event {} {}\n", event.order, event.version);
            let sent = connection.write_all(line.as_bytes()).await;
            sent.map_err(|error| error.to_string())?;
            let mut answer = String::new();
            match connection.read_line(&mut answer).await {
                Ok(_) if answer == "stored\n" => Ok(()),
                other => Err(format!("{other:?} {answer}")),
            }
        }
    }

    async fn serve(
        arrived: std::sync::Arc<Mutex<Arrived>>,
        listener: TcpListener,
    ) -> std::io::Result<()> {
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let (connection, _) = listener.accept().await?;
            let arrived = std::sync::Arc::clone(&arrived);
            tasks.spawn(async move {
                let mut connection = BufReader::new(connection);
                let mut line = String::new();
                while let Ok(1..) =
                    connection.read_line(&mut line).await
                {
                    // Half a line, of a process that was killed.
                    let Some(whole) = line.strip_suffix('\n') else {
                        return;
                    };
                    let told: Vec<&str> = whole.split(' ').collect();
                    let [kind, order, version] = told[..] else {
                        panic!("three words: {told:?}");
                    };
                    let version = version.parse().expect("a number");
                    let it = (order.to_owned(), version);
                    {
                        let mut arrived = arrived
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner);
                        match kind {
                            "event" => arrived.events.push(it),
                            _ => arrived.accepted.push(it),
                        }
                    }
                    if kind == "event"
                        && connection
                            .write_all(b"stored\n")
                            .await
                            .is_err()
                    {
                        return;
                    }
                    line.clear();
                }
            });
        }
    }

    /// Kills and restarts processes that share one outbox.
    #[tokio::test(flavor = "multi_thread")]
    async fn crash_of_relays_at_random_moments() -> sqlx::Result<()> {
        on_both("crash", async |pool, address| {
            let kills = std::env::var("BOOK_KILLS").ok();
            let kills = kills.map_or(30, |it| it.parse().expect("it"));
            let kind = address.split(':').next().expect("a scheme");
            let told = crash(&pool, &address, kills).await;
            let told = told.expect("the processes run");
            writeln!(std::io::stderr(), "{kind}: {told}").expect("it");
        })
        .await
    }

    async fn crash(
        pool: &AnyPool,
        address: &str,
        kills: usize,
    ) -> sqlx::Result<String> {
        let arrived = std::sync::Arc::<Mutex<Arrived>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let broker = listener.local_addr()?.to_string();
        let serving = tokio::spawn(serve(
            std::sync::Arc::clone(&arrived),
            listener,
        ));
        // The path of this test, without the crate's name.
        let module = module_path!();
        let (_, module) = module.split_once("::").expect("a module");
        let spawn = |name: &str| {
            Command::new(std::env::current_exe()?)
                .arg(format!("{module}::a_relay_process"))
                .args(["--exact", "--nocapture", "--test-threads=1"])
                .env(
                    "BOOK_OUTBOX",
                    format!("{name} {broker} {address}"),
                )
                .stdout(std::process::Stdio::null())
                .spawn()
        };
        let names = ["relay-1", "relay-2"];
        let mut relays = [spawn(names[0])?, spawn(names[1])?];
        for _ in 0..kills {
            sleep(Duration::from_millis(fastrand::u64(5..100))).await;
            let one = fastrand::usize(..relays.len());
            relays[one].kill()?; // SIGKILL
            let status = relays[one].wait()?;
            assert!(!status.success(), "it ended by itself: {status}");
            relays[one] = spawn(names[one])?;
        }
        for mut relay in relays {
            relay.kill()?;
            relay.wait()?;
        }
        // The statements of the processes that were killed end, and
        // the events that are left are sent.
        sleep(Duration::from_millis(500)).await;
        let remote = Remote::connect(&broker).await?;
        let last = relay(pool, &remote, "relay-1");
        sqlx::query("UPDATE lease SET until = 0").execute(pool).await?;
        while last.round().await?.sent > 0 {}
        serving.abort();

        let arrived = std::mem::take(
            &mut *arrived
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let mut versions = HashMap::<&str, i64>::new();
        let mut doubles = 0;
        for (order, version) in &arrived.events {
            let last = versions.entry(order).or_default();
            match *version == *last + 1 {
                true => *last += 1,
                // What arrives twice has arrived in order before.
                false if *version <= *last => doubles += 1,
                false => panic!("{order}: {version} after {last}"),
            }
        }
        // Nothing is lost: each accepted change has arrived.
        for (order, version) in &arrived.accepted {
            assert!(versions[&**order] >= *version, "{order}");
        }
        // And no event is about nothing.
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT id, version FROM orders")
                .fetch_all(pool)
                .await?;
        assert_eq!(rows.len(), versions.len());
        for (order, version) in &rows {
            assert_eq!(versions[&**order], *version, "{order}");
        }
        // Each kill, between the acknowledgment and the mark.
        assert!(doubles <= kills, "{doubles} of {kills}");
        let (events, accepted) =
            (arrived.events.len(), arrived.accepted.len());
        Ok(format!(
            "{kills} kills, {accepted} changes accepted, \
             {events} events arrived, {doubles} of them doubles"
        ))
    }
}
