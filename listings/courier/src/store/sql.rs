//! A store in SQLite or PostgreSQL.
//!
//! Only open and dead deliveries have rows; a delivered one is deleted. The oldest open delivery of a key is `ready` or `leased`,
//! and those behind it are `waiting`, so nothing ever searches for the head of a key. That stays true because whatever adds or
//! ends a delivery of a key has the key's lock: an advisory one on PostgreSQL, the write lock on SQLite. The lock also
//! makes the order of a key's numbers the order of their commits.

mod rows;
mod schema;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    AnyPool, AssertSqlSafe, Connection as _, Executor as _, Row as _,
    Transaction,
    any::{
        AnyArguments, AnyPoolOptions, AnyRow, install_default_drivers,
    },
    postgres::PgListener,
};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use self::{
    rows::{
        backlog_of, bytes, key, lease_millis, lease_of, letter_of,
        limit, list, millis, readable, subscription_of, text,
    },
    schema::{POSTGRESQL, SQLITE, Words, sql},
};
use super::{
    AcceptError, Accepted, Backlog, DeadLetter, Outcome, Store,
    StoreError,
};
use crate::{
    event::{DeliveryId, Event, Lease, Name, Subscription},
    retry::later,
};

/// How a [`SqlStore`] uses its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlOptions {
    /// How many connections there are at most (PostgreSQL also has one that listens, and SQLite one that writes).
    pub connections: u32,
    /// How long a call may take, waiting for a connection included.
    pub timeout: Duration,
    /// While this many deliveries are open, no event is accepted. It's an estimate: this process counts every second (less
    /// often if that takes long), and knows in between only what it did itself.
    pub max_open: u64,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self {
            connections: 10,
            timeout: Duration::from_secs(10),
            max_open: 1_000_000,
        }
    }
}

/// The contract of [`Store`] in SQLite (one machine) or PostgreSQL (any number of processes).
///
/// If it's dropped, its task ends. A call that's dropped or times out may still take effect; its connection is cleaned before
/// it's used again.
#[derive(Debug)]
pub struct SqlStore {
    /// On PostgreSQL, both are the same pool. SQLite has one writer, and readers that don't wait for it.
    write: AnyPool,
    read: AnyPool,
    words: &'static Words,
    options: SqlOptions,
    /// Accepts wait here, so that claims and outcomes don't wait behind all of them for a connection.
    accepting: Semaphore,
    open: Mutex<Open>,
    wake: Arc<Wake>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// How many deliveries are open, about.
#[derive(Debug)]
struct Open {
    estimate: i64,
    count_at: Instant,
}

/// The name of the channel that announces new events.
const CHANNEL: &str = "courier";

/// A leased delivery.
struct Held<'a> {
    id: i64,
    token: i64,
    key: Option<&'a [u8]>,
    url: &'a str,
}

impl<'a> From<&'a Lease> for Held<'a> {
    fn from(lease: &'a Lease) -> Self {
        Self {
            id: lease.delivery.0,
            token: lease.token,
            key: lease.event.key.as_deref().map(str::as_bytes),
            url: lease.subscription.url.as_str(),
        }
    }
}

#[derive(Debug, Default)]
struct Wake {
    /// There's something new.
    here: Notify,
    /// The other processes don't know yet.
    elsewhere: Notify,
    /// A subscription was removed, and its deliveries weren't.
    removed: Notify,
}

impl Wake {
    /// Wakes everyone who waits, or else the next one who will.
    fn here(&self) {
        self.here.notify_waiters();
        self.here.notify_one();
    }
}

type Transact = Transaction<'static, sqlx::Any>;
type Query<'a> = sqlx::query::Query<'a, sqlx::Any, AnyArguments>;

impl SqlStore {
    /// Connects to `sqlite:path` (made if there's no such file) or `postgres://...`, and makes or migrates the tables. Several
    /// processes may do so at the same time.
    ///
    /// # Errors
    ///
    /// The database fails or doesn't answer, or a newer version of courier has migrated it.
    pub async fn connect(
        url: &str,
        options: SqlOptions,
    ) -> Result<Self, StoreError> {
        install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let mut url = url.to_owned();
        let is_memory =
            url.contains(":memory:") || url.contains("mode=memory");
        if is_sqlite && is_memory {
            let error = "each connection would have its own database";
            return Err(StoreError::failed(error));
        }
        if is_sqlite && !url.contains("mode=") {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("mode=rwc");
        }
        let connect = |connections: u32| {
            pool(&options, is_sqlite, connections).connect_lazy(&url)
        };
        let most = options.connections;
        let write = connect(if is_sqlite { 1 } else { most })?;
        let read =
            if is_sqlite { connect(most)? } else { write.clone() };
        let store = Self {
            write,
            read,
            words: if is_sqlite { &SQLITE } else { &POSTGRESQL },
            options,
            accepting: Semaphore::new((most as usize / 2).max(1)),
            open: Mutex::new(Open {
                estimate: 0,
                count_at: Instant::now(),
            }),
            wake: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        store.within(store.migrate()).await?;
        let wake = Arc::clone(&store.wake);
        let (pool, words) = (store.write.clone(), store.words);
        let stop = store.stop.clone();
        let limit = store.options.timeout;
        store.tasks.spawn(stop.run_until_cancelled_owned(async move {
            let listen = async {
                if !is_sqlite {
                    announce(&pool, &url, &wake, limit).await;
                }
            };
            tokio::join!(listen, sweep(&pool, words, &wake, limit))
        }));
        Ok(store)
    }

    fn is_postgresql(&self) -> bool {
        *self.words == POSTGRESQL
    }

    fn sql(&self, statement: &str) -> AssertSqlSafe<String> {
        sql(self.words, statement)
    }

    /// Bounds a call.
    async fn within<T, E: From<StoreError>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let limit = self.options.timeout;
        match timeout(limit, call).await {
            Ok(done) => done,
            Err(_) => Err(StoreError::Silent(limit).into()),
        }
    }

    /// Asks without changing anything.
    async fn ask(
        &self,
        question: Query<'_>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        self.within(async { Ok(question.fetch_all(&self.read).await?) })
            .await
    }

    async fn begin(&self) -> sqlx::Result<Transact> {
        self.write.begin_with(self.sql("{begin}")).await
    }

    /// Locks a key until the transaction ends.
    async fn lock(
        &self,
        transaction: &mut Transact,
        key: Option<&[u8]>,
    ) -> sqlx::Result<()> {
        if let Some(key) = key.filter(|_| self.is_postgresql()) {
            let lock = "SELECT 1 FROM pg_advisory_xact_lock(
                hashtextextended(encode($1, 'hex'), 0))";
            sqlx::query(lock)
                .bind(key.to_vec())
                .fetch_all(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// Wakes the callers of [`Store::changed`].
    fn announce(&self) {
        self.wake.here();
        self.wake.elsewhere.notify_one();
    }

    /// Never held over an `await`.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_full(&self) -> Result<bool, StoreError> {
        let most = i64::try_from(self.options.max_open);
        let Ok(most) = most else { return Ok(false) };
        // ANCHOR: full
        let start = Instant::now();
        {
            let mut open = self.open();
            if start < open.count_at {
                return Ok(open.estimate >= most);
            }
            // Only this call counts the rows. Until it's done, other calls use the old estimate.
            open.count_at = start + Duration::from_secs(1);
        }
        let count = "SELECT COUNT(*) FROM (SELECT id FROM deliveries
            WHERE state <> 'dead' LIMIT $1) AS open";
        let count = sqlx::query_scalar(count).bind(most);
        let count: i64 = count.fetch_one(&self.read).await?;
        let pause = start.elapsed() * 50;
        let mut open = self.open();
        open.estimate = count;
        open.count_at = open.count_at.max(Instant::now() + pause);
        Ok(count >= most)
        // ANCHOR_END: full
    }

    // ANCHOR: before
    /// Whether an event with this ID was accepted before, and whether it's the same event.
    async fn before(
        &self,
        event: &Event,
    ) -> Result<Option<Accepted>, AcceptError> {
        let stored =
            "SELECT topic, key, body FROM events WHERE id = $1";
        let stored = sqlx::query(stored).bind(event.id.as_str());
        let rows = stored.fetch_all(&self.write).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let same = text(row, "topic")? == event.topic.as_str()
            && bytes(row, "body")? == event.body
            && key(row)? == event.key;
        match same {
            true => Ok(Some(Accepted::Again)),
            false => Err(AcceptError::IdReused),
        }
    }
    // ANCHOR_END: before

    /// Changes a delivery whose lease is still this one. Returns its subscription's number.
    async fn held(
        &self,
        lease: &Held<'_>,
        change: &str,
        wait: i64,
        error: &str,
        on: impl sqlx::Executor<'_, Database = sqlx::Any>,
    ) -> Result<Option<i64>, StoreError> {
        // ANCHOR: held
        // Every statement has to use all parameters, so they're compared even if `change` doesn't need them.
        let change = format!(
            "{change} WHERE id = $1 AND token = $2 AND $3 >= 0
             AND $4 = $4 AND $5 = $5
             AND state = 'leased' AND due_at > {{now}}
             AND EXISTS (SELECT 1 FROM subscriptions
                WHERE number = subscription AND name IS NOT NULL)
             RETURNING subscription"
        );
        // ANCHOR_END: held
        let rows = sqlx::query(self.sql(&change))
            .bind(lease.id)
            .bind(lease.token)
            .bind(wait)
            // PostgreSQL refuses text with zero bytes.
            .bind(error.replace('\0', "\u{fffd}"))
            .bind(lease.url)
            .fetch_all(on)
            .await?;
        let number = |row: &AnyRow| Ok(row.try_get("subscription")?);
        rows.first().map(number).transpose()
    }

    /// Ends a lease.
    async fn end(
        &self,
        lease: &Held<'_>,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        let (change, wait, error) = match outcome {
            Outcome::Delivered => ("DELETE FROM deliveries", 0, ""),
            Outcome::Dead { error } => (
                "UPDATE deliveries SET state = 'dead', error = $4,
                 due_at = {now}",
                0,
                &**error,
            ),
            Outcome::Retry { after, error } => (
                // Waits for any call that's changing the URL.
                "UPDATE deliveries SET state = 'ready', error = $4,
                 due_at = {now} + CASE WHEN $5 = (
                    SELECT url FROM subscriptions
                    WHERE number = subscription {steady})
                    THEN $3 ELSE 0 END",
                millis(*after),
                &**error,
            ),
            Outcome::Unused => (
                "UPDATE deliveries SET state = 'ready',
                 attempts = attempts - 1, due_at = {now}",
                0,
                "",
            ),
        };
        let ends = matches!(
            outcome,
            Outcome::Delivered | Outcome::Dead { .. }
        );
        let Some(key) = lease.key.filter(|_| ends) else {
            let held =
                self.held(lease, change, wait, error, &self.write);
            let held = self.within(held).await?.is_some();
            self.open().estimate -= i64::from(held && ends);
            return Ok(held);
        };
        self.within(async {
            let mut all = self.begin().await?;
            self.lock(&mut all, Some(key)).await?;
            let held = self
                .held(lease, change, wait, error, &mut *all)
                .await?;
            let Some(subscription) = held else {
                all.rollback().await?;
                return Ok(false);
            };
            // ANCHOR: next
            let next = "UPDATE deliveries SET state = 'ready'
                WHERE state = 'waiting' AND id = (
                    SELECT id FROM deliveries
                    WHERE subscription = $1 AND key = $2
                    AND state <> 'dead' ORDER BY id LIMIT 1)";
            let next = sqlx::query(next)
                .bind(subscription)
                .bind(key.to_vec())
                .execute(&mut *all)
                .await?;
            all.commit().await?;
            // ANCHOR_END: next
            self.open().estimate -= 1;
            if next.rows_affected() > 0 {
                self.wake.here();
            }
            Ok(true)
        })
        .await
    }

    /// Marks an unreadable delivery as dead. Otherwise, later ones of its key would wait forever.
    async fn bury(
        &self,
        row: &AnyRow,
        to: &Subscription,
        why: StoreError,
    ) -> Result<(), StoreError> {
        tracing::error!(error = %why, "a delivery is dead");
        let key: Option<Vec<u8>> = row.try_get("key")?;
        let lease = Held {
            id: row.try_get("id")?,
            token: row.try_get("token")?,
            key: key.as_deref(),
            url: to.url.as_str(),
        };
        let dead = Outcome::Dead { error: why.to_string() };
        self.end(&lease, &dead).await.map(drop)
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn accept(
        &self,
        event: &Event,
    ) -> Result<Accepted, AcceptError> {
        let key = event.key.as_deref().map(str::as_bytes);
        let accept = async {
            let place = self.accepting.acquire().await;
            let _place = place.map_err(StoreError::failed)?;
            if self.is_full().await? {
                let before = self.before(event).await?;
                return before.ok_or(AcceptError::Full);
            }
            // ANCHOR: event
            let mut all = self.begin().await?;
            self.lock(&mut all, key).await?;
            let insert = "
                INSERT INTO events (id, topic, key, body, accepted_at)
                VALUES ($1, $2, $3, $4, {now})
                ON CONFLICT (id) DO NOTHING
                RETURNING number, accepted_at";
            let inserted = sqlx::query(self.sql(insert))
                .bind(event.id.as_str())
                .bind(event.topic.as_str())
                .bind(key.map(<[u8]>::to_vec))
                .bind(event.body.to_vec())
                .fetch_all(&mut *all)
                .await?;
            let Some(row) = inserted.first() else {
                all.rollback().await?;
                let before = self.before(event).await?;
                let purged = "the event was just forgotten";
                return before
                    .ok_or_else(|| StoreError::failed(purged).into());
            };
            // ANCHOR_END: event
            // ANCHOR: deliveries
            let deliver = "
                INSERT INTO deliveries (event, subscription, key,
                    accepted_at, due_at, state)
                SELECT $1, s.number, $2, $3, $3, CASE WHEN EXISTS (
                        SELECT 1 FROM deliveries AS d
                        WHERE d.subscription = s.number
                        AND d.key = $2 AND d.state <> 'dead')
                    THEN 'waiting' ELSE 'ready' END
                FROM subscriptions AS s WHERE s.name IS NOT NULL
                AND (s.topics = ''
                    OR s.topics <> replace(s.topics, $4, ''))
                ORDER BY s.number {share}";
            let deliveries = sqlx::query(self.sql(deliver))
                .bind(row.try_get::<i64, _>("number")?)
                .bind(key.map(<[u8]>::to_vec))
                .bind(row.try_get::<i64, _>("accepted_at")?)
                .bind(format!(" {} ", event.topic))
                .execute(&mut *all)
                .await?
                .rows_affected();
            all.commit().await?;
            // ANCHOR_END: deliveries
            self.open().estimate += deliveries.cast_signed();
            self.announce();
            let deliveries = usize::try_from(deliveries);
            Ok(Accepted::New(deliveries.unwrap_or(usize::MAX)))
        };
        self.within(accept).await
    }

    async fn due(
        &self,
        most: usize,
    ) -> Result<Vec<(Name, Url)>, StoreError> {
        let due = "
            SELECT * FROM (SELECT subscriptions.*, (
                    SELECT MIN(due_at) FROM deliveries
                    WHERE subscription = number
                    AND state IN ('ready', 'leased')) AS due_at
                FROM subscriptions WHERE name IS NOT NULL) AS first
            WHERE due_at <= {now} ORDER BY due_at LIMIT $1";
        let due = sqlx::query(self.sql(due)).bind(limit(most));
        // Nothing could be claimed of one that can't be read.
        readable(&self.ask(due).await?, |row| {
            let it = subscription_of(row)?;
            Ok((it.name, it.url))
        })
    }

    async fn claim(
        &self,
        subscription: &Name,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let find = "SELECT * FROM subscriptions WHERE name = $1";
        // ANCHOR: claim
        // Oldest first. (RETURNING guarantees no order, so the rows are sorted below.)
        let claim = "
            WITH chosen AS MATERIALIZED (
                SELECT id FROM deliveries WHERE subscription = $1
                AND state IN ('ready', 'leased') AND due_at <= {now}
                ORDER BY due_at, id LIMIT $2 {skip locked})
            UPDATE deliveries
            SET state = 'leased', attempts = attempts + 1,
                token = token + 1, due_at = {now} + $3
            WHERE id IN (SELECT id FROM chosen)
            RETURNING id, key, attempts, token,
                {now} - accepted_at AS age,
                (SELECT e.id FROM events AS e
                    WHERE number = event) AS event_id,
                (SELECT topic FROM events WHERE number = event) AS topic,
                (SELECT body FROM events WHERE number = event) AS body";
        // ANCHOR_END: claim
        self.within(async {
            let find = sqlx::query(find).bind(subscription.as_str());
            let found = find.fetch_all(&self.read).await?;
            let Some(row) = found.first() else {
                return Ok(Vec::new());
            };
            let to = subscription_of(row)?;
            let number: i64 = row.try_get("number")?;
            let stored = text(row, "url")?;
            if stored != to.url.as_str() {
                // `settle` compares it with the lease's, as text.
                sqlx::query(
                    "UPDATE subscriptions SET url = $1
                     WHERE number = $2 AND url = $3",
                )
                .bind(to.url.as_str())
                .bind(number)
                .bind(stored)
                .execute(&self.write)
                .await?;
            }
            // Before the database's lease starts, so that this one never ends later.
            let expires = later(Instant::now(), lease);
            let mut rows = sqlx::query(self.sql(claim))
                .bind(number)
                .bind(limit(most))
                .bind(lease_millis(lease))
                .fetch_all(&self.write)
                .await?;
            rows.sort_by_key(|row| row.try_get::<i64, _>("id").ok());
            let mut leases = Vec::new();
            for row in &rows {
                match lease_of(row, &to, expires) {
                    Ok(lease) => leases.push(lease),
                    Err(torn) => {
                        if let Err(e) = self.bury(row, &to, torn).await
                        {
                            tracing::error!(error = %e, "it's leased");
                        }
                    }
                }
            }
            Ok(leases)
        })
        .await
    }

    async fn renew(
        &self,
        lease: &Lease,
        for_: Duration,
    ) -> Result<bool, StoreError> {
        let renew = "UPDATE deliveries SET due_at = {now} + $3";
        let wait = lease_millis(for_);
        let lease = Held::from(lease);
        let renew = self.held(&lease, renew, wait, "", &self.write);
        Ok(self.within(renew).await?.is_some())
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        self.end(&Held::from(lease), outcome).await
    }

    async fn changed(&self) {
        self.wake.here.notified().await;
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
        most: usize,
    ) -> Result<bool, StoreError> {
        // Rows that can't be read count, too.
        let upsert = "
            INSERT INTO subscriptions (name, url, topics, secret)
            SELECT $1, $2, $3, $4 WHERE EXISTS (
                    SELECT 1 FROM subscriptions WHERE name = $1)
                OR $5 > (SELECT COUNT(*) FROM subscriptions
                    WHERE name IS NOT NULL)
            ON CONFLICT (name) DO UPDATE
            SET url = excluded.url, topics = excluded.topics,
                secret = excluded.secret";
        // It locks the subscription, and so comes first.
        let move_ = "
            UPDATE subscriptions SET url = $2
            WHERE name = $1 AND url <> $2 RETURNING number";
        let move_ = sqlx::query_scalar(move_)
            .bind(subscription.name.as_str())
            .bind(subscription.url.as_str());
        // SQLite uses an index only if its condition is repeated.
        let hasten = "
            UPDATE deliveries SET due_at = {now} WHERE id IN (
                SELECT id FROM deliveries WHERE subscription = $1
                AND state IN ('ready', 'leased') AND state = 'ready'
                AND due_at > {now}
                ORDER BY due_at LIMIT 10000 {skip locked})";
        let topics = subscription.topics.iter();
        let upsert = sqlx::query(upsert)
            .bind(subscription.name.as_str())
            .bind(subscription.url.as_str())
            .bind(
                topics.map(|it| format!(" {it} ")).collect::<String>(),
            )
            .bind(subscription.secret.0.to_vec())
            .bind(limit(most));
        self.within(async {
            let mut all = self.begin().await?;
            let counting = b"the subscriptions of courier";
            self.lock(&mut all, Some(counting)).await?;
            let moved: Vec<i64> = move_.fetch_all(&mut *all).await?;
            for number in &moved {
                sqlx::query(self.sql(hasten))
                    .bind(*number)
                    .execute(&mut *all)
                    .await?;
            }
            let done = upsert.execute(&mut *all).await?;
            all.commit().await?;
            if !moved.is_empty() {
                // Some may be due already, behind an open breaker.
                self.announce();
            }
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    async fn unsubscribe(
        &self,
        name: &Name,
    ) -> Result<bool, StoreError> {
        // Waits for transactions that add deliveries. Without a name, nobody finds it, nor its deliveries: they may be
        // so many that deleting them takes longer than a call may.
        let remove =
            "UPDATE subscriptions SET name = NULL WHERE name = $1";
        let remove = sqlx::query(remove).bind(name.as_str());
        self.within(async {
            let removed = remove.execute(&self.write).await?;
            self.wake.removed.notify_one();
            Ok(removed.rows_affected() > 0)
        })
        .await
    }

    async fn subscriptions(
        &self,
    ) -> Result<Vec<Subscription>, StoreError> {
        let all = "SELECT * FROM subscriptions
            WHERE name IS NOT NULL ORDER BY name {bytewise}";
        let rows = self.ask(sqlx::query(self.sql(all))).await?;
        readable(&rows, subscription_of)
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let count = "
            SELECT name, {now} AS now,
                COUNT(id) FILTER (WHERE state <> 'dead') AS open,
                COUNT(id) FILTER (WHERE state = 'leased'
                    AND due_at > {now}) AS leased,
                COUNT(id) FILTER (WHERE state = 'dead') AS dead,
                MIN(accepted_at) FILTER (WHERE state <> 'dead')
                    AS oldest
            FROM subscriptions
            LEFT JOIN deliveries ON subscription = number
            WHERE name IS NOT NULL
            GROUP BY name ORDER BY name {bytewise}";
        let rows = self.ask(sqlx::query(self.sql(count))).await?;
        readable(&rows, backlog_of)
    }

    async fn dead(
        &self,
        most: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let dead = "
            SELECT d.id AS delivery, s.name AS name, e.id AS event,
                e.topic AS topic, d.attempts AS attempts,
                d.error AS error
            FROM deliveries AS d
            JOIN subscriptions AS s ON s.number = d.subscription
            LEFT JOIN events AS e ON e.number = d.event
            WHERE d.state = 'dead' AND s.name IS NOT NULL
            ORDER BY d.id DESC LIMIT $1";
        let dead = sqlx::query(dead).bind(limit(most));
        let rows = self.ask(dead).await?;
        readable(&rows, letter_of)
    }

    async fn redeliver(
        &self,
        delivery: DeliveryId,
    ) -> Result<bool, StoreError> {
        let find = "SELECT key FROM deliveries
            WHERE id = $1 AND state = 'dead'";
        // A new number: it comes after those of its key that are open.
        let again = "
            INSERT INTO deliveries (event, subscription, key,
                accepted_at, due_at, state)
            SELECT d.event, d.subscription, d.key, {now}, {now},
                CASE WHEN EXISTS (
                    SELECT 1 FROM deliveries AS o
                    WHERE o.subscription = d.subscription
                    AND o.key = d.key AND o.state <> 'dead')
                THEN 'waiting' ELSE 'ready' END
            FROM deliveries AS d
            JOIN events AS e ON e.number = d.event
            JOIN subscriptions AS s ON s.number = d.subscription
            WHERE d.id = $1 AND d.state = 'dead'
            AND s.name IS NOT NULL {share both}";
        self.within(async {
            let mut all = self.begin().await?;
            let find = sqlx::query(find).bind(delivery.0);
            let found = find.fetch_all(&mut *all).await?;
            let Some(row) = found.first() else {
                all.rollback().await?;
                return Ok(false);
            };
            let key: Option<Vec<u8>> = row.try_get("key")?;
            self.lock(&mut all, key.as_deref()).await?;
            let again = sqlx::query(self.sql(again)).bind(delivery.0);
            let again = again.execute(&mut *all).await?;
            if again.rows_affected() == 1 {
                sqlx::query("DELETE FROM deliveries WHERE id = $1")
                    .bind(delivery.0)
                    .execute(&mut *all)
                    .await?;
            }
            all.commit().await?;
            self.open().estimate += again.rows_affected().cast_signed();
            self.announce();
            Ok(again.rows_affected() == 1)
        })
        .await
    }

    async fn purge(
        &self,
        keep: Duration,
        most: usize,
    ) -> Result<u64, StoreError> {
        let old = "SELECT number FROM events WHERE accepted_at < $1
            ORDER BY accepted_at LIMIT $2 {skip locked}";
        let forget = "DELETE FROM events WHERE number IN ({numbers})
            AND NOT EXISTS (SELECT 1 FROM deliveries
                WHERE event = number
                AND (state <> 'dead' OR due_at >= $1))
            RETURNING number";
        let letters =
            "DELETE FROM deliveries WHERE event IN ({numbers})";
        // The others don't count as old until they may be forgotten, so that not every purge reads them again.
        let keep_on = "UPDATE events SET accepted_at = COALESCE((
                SELECT MAX(CASE state WHEN 'dead' THEN due_at
                    ELSE {now} END)
                FROM deliveries WHERE event = number), accepted_at)
            WHERE number IN ({numbers})";
        // The clock was set back, and events from the future would wait until it catches up. Leases may still be renewed.
        let future = "SELECT number FROM events
            WHERE accepted_at > {now}
            ORDER BY accepted_at DESC LIMIT $1 {skip locked}";
        let back = "UPDATE deliveries SET accepted_at = {now},
                due_at = CASE WHEN state <> 'leased' THEN {now}
                    WHEN due_at < {now} + 3600000 THEN due_at
                    ELSE {now} + 3600000 END
            WHERE event IN ({numbers})";
        let present = "UPDATE events SET accepted_at = {now}
            WHERE number IN ({numbers})";
        let with = |statement: &str, numbers: &[i64]| {
            self.sql(&statement.replace("{numbers}", &list(numbers)))
        };
        self.within(async {
            // Every such event, or the open ones may wait for hours.
            loop {
                let mut all = self.begin().await?;
                let future = sqlx::query_scalar(self.sql(future))
                    .bind(limit(most.min(10_000)));
                let future: Vec<i64> =
                    future.fetch_all(&mut *all).await?;
                if future.is_empty() {
                    all.commit().await?;
                    break;
                }
                all.execute(with(back, &future)).await?;
                all.execute(with(present, &future)).await?;
                all.commit().await?;
                tracing::warn!("the database's clock was set back");
            }
            let now = sqlx::query_scalar(self.sql("SELECT {now}"));
            let now: i64 = now.fetch_one(&self.read).await?;
            let before = now - millis(keep);
            let mut purged = 0;
            loop {
                let batch = (most - purged).min(10_000);
                let mut all = self.begin().await?;
                let old = sqlx::query_scalar(self.sql(old))
                    .bind(before)
                    .bind(limit(batch));
                let old: Vec<i64> = old.fetch_all(&mut *all).await?;
                let gone: Vec<i64> =
                    sqlx::query_scalar(with(forget, &old))
                        .bind(before)
                        .persistent(false)
                        .fetch_all(&mut *all)
                        .await?;
                all.execute(with(letters, &gone)).await?;
                all.execute(with(keep_on, &old)).await?;
                all.commit().await?;
                purged += gone.len();
                if purged >= most || old.len() < batch {
                    return Ok(purged as u64);
                }
            }
        })
        .await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.ask(sqlx::query("SELECT 1")).await.map(drop)
    }

    async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // The writer last: the last connection cleans up.
        for pool in [&self.read, &self.write] {
            if timeout(self.options.timeout, pool.close())
                .await
                .is_err()
            {
                tracing::warn!("connections didn't close in time");
            }
        }
    }
}

impl Drop for SqlStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Wakes this process for events of others, and others for its own. Ends only if it's dropped.
async fn announce(
    pool: &AnyPool,
    url: &str,
    wake: &Wake,
    limit: Duration,
) {
    // ANCHOR: listen
    let me = fastrand::u64(..).to_string();
    let listen = async {
        let mut pause = Duration::from_secs(1);
        loop {
            let listened: sqlx::Result<()> = async {
                let mut listener = PgListener::connect(url).await?;
                listener.listen(CHANNEL).await?;
                // Events may have arrived before `listen`.
                wake.here();
                pause = Duration::from_secs(1);
                loop {
                    let next = timeout(limit, listener.try_recv());
                    // `None` after a lost connection: something may have been missed.
                    match next.await {
                        Ok(Ok(Some(it))) if it.payload() == me => {}
                        Ok(heard) => heard.map(|_| wake.here())?,
                        // Only an answer shows that the connection isn't lost.
                        Err(_) => {
                            let ask = listener.execute("SELECT 1");
                            let asked = timeout(limit, ask).await;
                            asked.map_err(std::io::Error::from)??;
                        }
                    }
                }
            }
            .await;
            if let Err(error) = listened {
                tracing::warn!(%error, "can't listen to the database");
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(Duration::from_secs(30));
        }
    };
    // ANCHOR_END: listen
    // ANCHOR: notify
    // Notify outside the events' transactions, because commits that notify wait for each other.
    let tell = async {
        loop {
            wake.elsewhere.notified().await;
            let notify = sqlx::query("SELECT 1 FROM pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(&*me)
                .fetch_all(pool);
            // If it fails, nothing is lost, because the others poll.
            drop(timeout(limit, notify).await);
            sleep(Duration::from_millis(5)).await;
        }
    };
    // ANCHOR_END: notify
    tokio::join!(listen, tell);
}

/// Deletes the open deliveries of removed subscriptions, some at a time, and then the subscriptions. (Dead deliveries go with
/// their events.)
async fn sweep(
    pool: &AnyPool,
    words: &Words,
    wake: &Wake,
    limit: Duration,
) {
    let removed = "SELECT number FROM subscriptions
        WHERE name IS NULL LIMIT 1";
    let some = "DELETE FROM deliveries WHERE id IN (
        SELECT id FROM deliveries
        WHERE subscription = $1 AND state <> 'dead'
        LIMIT 1000 {skip locked})";
    let last = "DELETE FROM subscriptions WHERE number = $1
        AND NOT EXISTS (SELECT 1 FROM deliveries
            WHERE subscription = $1 AND state <> 'dead')";
    loop {
        let round = async {
            let removed = sqlx::query_scalar(removed);
            let removed: Vec<i64> = removed.fetch_all(pool).await?;
            let Some(number) = removed.first() else {
                return Ok(None);
            };
            for delete in [some, last] {
                let delete = sqlx::query(sql(words, delete));
                let done = delete.bind(number).execute(pool).await?;
                if done.rows_affected() > 0 {
                    return Ok(Some(Duration::from_millis(5)));
                }
            }
            // Somebody is just changing one.
            Ok::<_, sqlx::Error>(Some(Duration::from_secs(1)))
        };
        match timeout(limit, round).await {
            // The process that removed one may have died meanwhile.
            Ok(Ok(None)) => {
                drop(timeout(limit, wake.removed.notified()).await);
            }
            Ok(Ok(Some(pause))) => sleep(pause).await,
            failed => {
                tracing::warn!(?failed, "can't delete deliveries");
                sleep(Duration::from_secs(10)).await;
            }
        }
    }
}

fn pool(
    options: &SqlOptions,
    is_sqlite: bool,
    connections: u32,
) -> AnyPoolOptions {
    let limit = options.timeout;
    let ms = limit.as_millis().clamp(2, 1 << 30);
    let busy = ms / 2; // While the call that waits still has time.
    // ANCHOR: durable
    // If a process stalls in a transaction, PostgreSQL ends the transaction, which releases its locks.
    let setup = match is_sqlite {
        true => format!(
            "PRAGMA busy_timeout = {busy}; PRAGMA synchronous = FULL"
        ),
        false => format!(
            "SET statement_timeout = {ms};
             SET idle_in_transaction_session_timeout = {busy};
             SET synchronous_commit = on;
             SET plan_cache_mode = force_custom_plan;
             SET enable_bitmapscan = off;
             SET SESSION CHARACTERISTICS AS TRANSACTION
                ISOLATION LEVEL READ COMMITTED"
        ),
    };
    // ANCHOR_END: durable
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(limit)
        .after_connect(move |connection, _| {
            let setup = AssertSqlSafe(setup.clone());
            Box::pin(async move {
                sqlx::raw_sql(setup).execute(connection).await?;
                Ok(())
            })
        })
        // A `begin` that was dropped leaves a transaction open. And SQLite ends one by itself if the disk is full, which
        // sqlx doesn't notice: that connection can't begin another one.
        .after_release(move |connection, _| {
            Box::pin(async move {
                let clean = connection.execute("BEGIN; ROLLBACK");
                let clean = timeout(limit, clean).await;
                clean.map_err(std::io::Error::from)??;
                Ok(!connection.is_in_transaction())
            })
        })
}
