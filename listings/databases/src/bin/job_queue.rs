//! A job queue in SQLite or PostgreSQL, with leases, retries, and order per lane.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use sqlx::{
    AnyPool, AssertSqlSafe, Connection as _, Executor as _, Row as _,
    Transaction,
    any::{AnyPoolOptions, AnyRow, install_default_drivers},
};
use tokio::{
    select,
    time::{
        Instant, error::Elapsed, sleep, sleep_until, timeout,
        timeout_at,
    },
};
use tokio_util::sync::CancellationToken;

// ANCHOR: schema
/// Names in braces are replaced with the database's own SQL.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS jobs (
        id {id},
        key TEXT NOT NULL UNIQUE,
        lane TEXT, -- The jobs of a lane run in order.
        payload TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'open', -- Or 'done', or 'dead'.
        attempts BIGINT NOT NULL DEFAULT 0,
        token BIGINT NOT NULL DEFAULT 0, -- Greater with each lease.
        visible_at BIGINT NOT NULL, -- Milliseconds since 1970.
        error TEXT)",
    "CREATE INDEX IF NOT EXISTS visible ON jobs (visible_at, id)
     WHERE state = 'open'",
    "CREATE INDEX IF NOT EXISTS unfinished ON jobs (lane, id)
     WHERE state <> 'done'",
];
// ANCHOR_END: schema

// ANCHOR: words
/// The database's clock decides, because workers' clocks differ.
const POSTGRESQL: [(&str, &str); 5] = [
    ("{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    (
        "{now}",
        "(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
    ),
    ("{skip locked}", "FOR UPDATE OF job SKIP LOCKED"),
    (
        "{lock lane}",
        "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended($1, 0))",
    ),
    ("{begin}", "BEGIN"),
];

/// SQLite has one writer at a time, so there is nothing to skip.
const SQLITE: [(&str, &str); 5] = [
    ("{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
    ("{skip locked}", ""),
    ("{lock lane}", "SELECT $1"),
    ("{begin}", "BEGIN IMMEDIATE"),
];
// ANCHOR_END: words

#[derive(Clone)]
struct Queue {
    pool: AnyPool,
    words: &'static [(&'static str, &'static str)],
    /// How long a job is invisible to other workers (visibility
    /// timeout). A worker renews its lease three times as often.
    lease: Duration,
    /// How long an attempt may take, and how many there may be.
    limit: Duration,
    attempts: i64,
    /// How long a statement may take.
    patience: Duration,
    /// At most, after the first failure. It doubles each time.
    backoff: Duration,
    /// How often an idle worker looks for a job.
    poll: Duration,
    /// How long a job may continue after a stop was requested.
    grace: Duration,
}

#[derive(Clone)]
struct Job {
    id: i64,
    key: String,
    payload: String,
    /// Counts from 1.
    attempt: i64,
    /// The fencing token: a later lease of the job has a greater one.
    token: i64,
    lease_ends: Instant,
}

#[derive(Debug, thiserror::Error)]
enum QueueError {
    #[error("the queue's database failed")]
    Database(#[from] sqlx::Error),
    #[error("the queue's database doesn't answer")]
    Silent(#[from] Elapsed),
}

type JobError = Box<dyn std::error::Error + Send + Sync>;

// ANCHOR: enqueue
impl Queue {
    /// Adds a job in the caller's transaction, so that the job exists
    /// if and only if the caller's changes do. Returns false if the key
    /// already has a job. If the outcome is unknown, call it again.
    async fn enqueue(
        &self,
        transaction: &mut Transaction<'_, sqlx::Any>,
        key: &str,
        lane: Option<&str>,
        payload: &str,
    ) -> sqlx::Result<bool> {
        // On PostgreSQL, a lane's jobs are committed in the order of
        // their numbers. Without a lane (NULL), nothing is locked.
        sqlx::query(self.sql("{lock lane}"))
            .bind(lane)
            .fetch_all(&mut **transaction)
            .await?;
        let insert = "
            INSERT INTO jobs (key, lane, payload, visible_at)
            VALUES ($1, $2, $3, {now}) ON CONFLICT (key) DO NOTHING";
        let inserted = sqlx::query(self.sql(insert))
            .bind(key)
            .bind(lane)
            .bind(payload)
            .execute(&mut **transaction)
            .await?;
        Ok(inserted.rows_affected() == 1)
    }
}
// ANCHOR_END: enqueue

// ANCHOR: claim
impl Queue {
    /// Leases the oldest visible job. If the call is dropped, the job
    /// may be leased anyway: it's visible again after the lease.
    async fn claim(&self) -> Result<Option<Job>, QueueError> {
        let claim = "
            UPDATE jobs
            SET attempts = attempts + 1, token = token + 1,
                visible_at = {now} + $1
            WHERE id = (
                SELECT id FROM jobs AS job
                WHERE state = 'open' AND visible_at <= {now}
                AND NOT EXISTS (
                    SELECT 1 FROM jobs AS older
                    WHERE older.lane = job.lane AND older.id < job.id
                    AND older.state <> 'done')
                ORDER BY visible_at, id LIMIT 1 {skip locked})
            RETURNING id, key, payload, attempts, token";
        let claim = sqlx::query(self.sql(claim));
        // The database starts the lease later, so it expires later.
        let lease_ends = Instant::now() + self.lease;
        // Not `fetch_optional`: it doesn't wait for the commit.
        let claim =
            claim.bind(millis(self.lease)).fetch_all(&self.pool);
        let rows = timeout(self.patience, claim).await??;
        let job = |row: &AnyRow| job_of(row, lease_ends);
        Ok(rows.first().map(job).transpose()?)
    }
}
// ANCHOR_END: claim

fn job_of(row: &AnyRow, lease_ends: Instant) -> sqlx::Result<Job> {
    Ok(Job {
        id: row.try_get("id")?,
        key: row.try_get("key")?,
        payload: row.try_get("payload")?,
        attempt: row.try_get("attempts")?,
        token: row.try_get("token")?,
        lease_ends,
    })
}

// ANCHOR: set
impl Queue {
    /// Changes a job, if its lease is still this one. Returns false if
    /// another worker has leased the job since.
    async fn set(
        &self,
        job: &Job,
        change: &'static str,
        visible_in: Duration,
        error: Option<&str>,
    ) -> Result<bool, QueueError> {
        let update = "
            UPDATE jobs
            SET {change}, visible_at = {now} + $3,
                error = COALESCE($4, error)
            WHERE id = $1 AND token = $2 AND state = 'open'";
        let update = self.sql(&update.replace("{change}", change));
        let update = sqlx::query(update)
            .bind(job.id)
            .bind(job.token)
            .bind(millis(visible_in))
            // PostgreSQL refuses text with zero bytes.
            .bind(error.map(|it| it.replace('\0', "\u{fffd}")))
            .execute(&self.pool);
        let updated = timeout(self.patience, update).await??;
        Ok(updated.rows_affected() == 1)
    }
}
// ANCHOR_END: set

// ANCHOR: end
/// What became of an attempt.
#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    Failed(String),
    /// Stopped: another worker may claim the job immediately.
    Released,
    /// The lease was lost: another worker has the job, or will have it.
    Lost,
}

impl Queue {
    /// Records the end of an attempt, if the lease is still this one.
    async fn end(
        &self,
        job: &Job,
        outcome: Outcome,
    ) -> Result<Outcome, QueueError> {
        let doubled = 1 << (job.attempt - 1).clamp(0, 10);
        let pause = (self.backoff * doubled).mul_f64(fastrand::f64());
        let now = Duration::ZERO;
        let (change, visible_in, error) = match &outcome {
            Outcome::Lost => return Ok(outcome),
            Outcome::Done => ("state = 'done'", now, None),
            // A deployment isn't the job's fault.
            Outcome::Released => ("attempts = attempts - 1", now, None),
            Outcome::Failed(error) if job.attempt < self.attempts => {
                ("state = 'open'", pause, Some(&**error))
            }
            Outcome::Failed(error) => {
                ("state = 'dead'", now, Some(&**error))
            }
        };
        match self.set(job, change, visible_in, error).await? {
            true => Ok(outcome),
            false => Ok(Outcome::Lost),
        }
    }
}
// ANCHOR_END: end

// ANCHOR: attempt
impl Queue {
    /// Runs a claimed job, and drops it if its lease may have ended.
    /// If this is dropped, the job is visible again after its lease.
    async fn attempt<F: Future<Output = Result<(), JobError>>>(
        &self,
        job: &Job,
        stop: &CancellationToken,
        run: F,
    ) -> Result<Outcome, QueueError> {
        if job.attempt > self.attempts {
            // Each of its workers died, or lost the lease.
            let error = "no attempt has finished".to_owned();
            return self.end(job, Outcome::Failed(error)).await;
        }
        // `run` is dropped inside, so a panic in its `drop` is caught.
        let run = AssertUnwindSafe(async {
            select! {
                // The lease is checked before each step of the job.
                biased;
                () = self.keep(job) => Outcome::Lost,
                () = self.stopped(stop) => Outcome::Released,
                ended = timeout(self.limit, run) => match ended {
                    Ok(Ok(())) => Outcome::Done,
                    Ok(Err(error)) => Outcome::Failed(with_causes(&*error)),
                    Err(elapsed) => Outcome::Failed(elapsed.to_string()),
                },
            }
        });
        let panicked =
            |panic: Box<_>| Outcome::Failed(message(&*panic));
        let outcome = run.catch_unwind().await.unwrap_or_else(panicked);
        self.end(job, outcome).await
    }
}
// ANCHOR_END: attempt

// ANCHOR: keep
const RENEW: &str = "state = 'open'";

impl Queue {
    /// Renews the lease. Returns when it's lost, or may be lost.
    async fn keep(&self, job: &Job) {
        let (mut ends, mut pause) = (job.lease_ends, self.lease / 3);
        while Instant::now() < ends {
            let next = Instant::now() + pause;
            sleep_until(next.min(ends)).await;
            // Before the renewal, because its answer may be late.
            let renewed_end = Instant::now() + self.lease;
            let renew = self.set(job, RENEW, self.lease, None);
            match timeout_at(ends, renew).await {
                Ok(Ok(true)) => {
                    (ends, pause) = (renewed_end, self.lease / 3);
                }
                Ok(Ok(false)) => return,
                // Try again soon, as long as the lease lasts.
                Ok(Err(_)) | Err(_) => pause = self.backoff,
            }
        }
    }

    async fn stopped(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        sleep(self.grace).await;
    }
}
// ANCHOR_END: keep

// ANCHOR: work
impl Queue {
    /// A worker: claims a job, runs it, and so on, until `stop`.
    async fn work<F: Future<Output = Result<(), JobError>>>(
        &self,
        stop: &CancellationToken,
        run: impl Fn(Job) -> F,
        report: impl Fn(Result<(Job, Outcome), QueueError>),
    ) {
        while !stop.is_cancelled() {
            let pause = match self.next(stop, &run).await {
                Ok(Some(ended)) => {
                    report(Ok(ended));
                    continue;
                }
                Ok(None) => self.poll,
                Err(error) => {
                    report(Err(error));
                    self.backoff
                }
            };
            // Workers that were started together don't poll together.
            let pause = pause.mul_f64(0.5 + fastrand::f64());
            stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// Claims and runs a job, if there is one.
    async fn next<F: Future<Output = Result<(), JobError>>>(
        &self,
        stop: &CancellationToken,
        run: impl Fn(Job) -> F,
    ) -> Result<Option<(Job, Outcome)>, QueueError> {
        let Some(job) = self.claim().await? else { return Ok(None) };
        // In a block, because `run` itself may panic.
        let run = async { run(job.clone()).await };
        let outcome = self.attempt(&job, stop, run).await?;
        Ok(Some((job, outcome)))
    }
}
// ANCHOR_END: work

impl Queue {
    /// Puts the database's own words into a statement.
    fn sql(&self, statement: &str) -> AssertSqlSafe<String> {
        let put = |sql: String, (name, words): &(&str, &str)| {
            sql.replace(name, words)
        };
        AssertSqlSafe(self.words.iter().fold(statement.to_owned(), put))
    }

    async fn begin(
        &self,
    ) -> sqlx::Result<Transaction<'static, sqlx::Any>> {
        self.pool.begin_with(self.sql("{begin}")).await
    }

    async fn open(address: &str) -> sqlx::Result<Self> {
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            // A `begin` that was dropped leaves a transaction open.
            .after_release(|connection, _| {
                Box::pin(async move {
                    let end = connection.execute("BEGIN; ROLLBACK");
                    let end =
                        timeout(Duration::from_secs(5), end).await;
                    end.map_err(std::io::Error::from)??;
                    // sqlx counts one that SQLite has rolled back.
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect(address)
            .await?;
        let words: &[_] = match address.starts_with("sqlite:") {
            true => &SQLITE,
            false => &POSTGRESQL,
        };
        Ok(Self {
            pool,
            words,
            lease: Duration::from_secs(30),
            limit: Duration::from_secs(15 * 60),
            attempts: 5,
            patience: Duration::from_secs(10),
            backoff: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            grace: Duration::from_secs(20),
        })
    }

    async fn create(&self) -> sqlx::Result<()> {
        if self.words == SQLITE {
            // Stays so in the file.
            self.pool.execute("PRAGMA journal_mode = WAL").await?;
        }
        for statement in SCHEMA {
            sqlx::query(self.sql(statement))
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX / 2)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let message = match panic.downcast_ref::<&str>() {
        Some(message) => message,
        None => panic.downcast_ref().map_or("", String::as_str),
    };
    format!("panicked: {message}")
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes =
        std::iter::successors(error.source(), |it| it.source());
    let causes: String = causes.map(|it| format!(": {it}")).collect();
    format!("{error}{causes}")
}

/// An empty queue, in a file or in a schema of its own.
struct Place {
    queue: Queue,
    address: String,
    schema: String,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new(
        server: Option<&str>,
        schema: &str,
    ) -> Result<Self, JobError> {
        let folder = tempfile::tempdir()?;
        let address = match server {
            None => {
                let file = folder.path().join("queue.db");
                format!("sqlite://{}?mode=rwc", file.display())
            }
            Some(server) => {
                let and = if server.contains('?') { '&' } else { '?' };
                format!("{server}{and}options[search_path]={schema}")
            }
        };
        let queue = Queue::open(&address).await?;
        let schema = schema.to_owned();
        let _folder = folder;
        let place = Self { queue, address, schema, _folder };
        if server.is_some() {
            place.execute("DROP SCHEMA IF EXISTS {} CASCADE").await?;
            place.execute("CREATE SCHEMA {}").await?;
        }
        place.queue.create().await?;
        Ok(place)
    }

    async fn remove(self) -> Result<(), JobError> {
        if !self.address.starts_with("sqlite:") {
            self.execute("DROP SCHEMA {} CASCADE").await?;
        }
        self.queue.pool.close().await;
        Ok(())
    }

    async fn execute(&self, statement: &str) -> sqlx::Result<()> {
        let statement = statement.replace("{}", &self.schema);
        let statement = AssertSqlSafe(statement);
        sqlx::query(statement).execute(&self.queue.pool).await?;
        Ok(())
    }
}

impl Queue {
    /// Adds a job in a transaction of its own.
    async fn add(
        &self,
        key: &str,
        lane: Option<&str>,
        payload: &str,
    ) -> sqlx::Result<bool> {
        let mut transaction = self.begin().await?;
        let is_new =
            self.enqueue(&mut transaction, key, lane, payload).await?;
        transaction.commit().await?;
        Ok(is_new)
    }

    /// Each job's key, state, number of attempts, and last error.
    async fn rows(
        &self,
    ) -> sqlx::Result<Vec<(String, String, i64, Option<String>)>> {
        let rows = "SELECT key, state, attempts, error
            FROM jobs ORDER BY id";
        sqlx::query_as(rows).fetch_all(&self.pool).await
    }

    /// Waits until no job is open, at most half a minute.
    async fn drained(&self) -> Result<(), JobError> {
        let open = "SELECT COUNT(*) FROM jobs WHERE state = 'open'";
        for _ in 0..6_000 {
            let open: i64 =
                sqlx::query_scalar(open).fetch_one(&self.pool).await?;
            if open == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err("jobs are still open".into())
    }
}

/// Sends mails. The provider accepts each key only once.
#[derive(Default)]
struct Provider {
    sent: Mutex<BTreeMap<String, String>>,
    is_busy: AtomicBool,
}

impl Provider {
    async fn send(
        &self,
        key: String,
        to: String,
    ) -> Result<(), JobError> {
        if to.is_empty() {
            return Err("no address".into());
        }
        // The first mail is sent, but its answer is lost.
        let mut sent = self.sent.lock().map_err(|it| it.to_string())?;
        sent.entry(key).or_insert(to);
        match self.is_busy.swap(false, Relaxed) {
            true => Err("the answer was lost".into()),
            false => Ok(()),
        }
    }
}

async fn run(server: Option<&str>) -> Result<(), JobError> {
    let place = Place::new(server, "job_queue").await?;
    let queue = Queue {
        attempts: 3,
        backoff: Duration::from_millis(10),
        poll: Duration::from_millis(10),
        ..place.queue.clone()
    };
    let is_new = [
        queue.add("invoice-7", Some("Ann"), "ann@example.com").await?,
        queue.add("invoice-7", Some("Ann"), "ann@example.com").await?,
        queue.add("invoice-8", Some("Ben"), "").await?,
        queue.add("invoice-9", Some("Ann"), "ann@example.com").await?,
    ];
    println!("new: {is_new:?}");

    let provider =
        Provider { is_busy: true.into(), ..Provider::default() };
    send_invoices(&queue, &provider).await?;
    for (key, state, attempts, error) in queue.rows().await? {
        let error = error.as_deref().unwrap_or("-");
        println!("{key}: {state}, attempt {attempts}, error: {error}");
    }
    let sent = provider.sent.lock().map_err(|it| it.to_string())?.len();
    println!("mails: {sent}");
    place.remove().await
}

// ANCHOR: mail
use std::io::{self, Write};

/// Two workers send the invoices, until no job is open.
async fn send_invoices(
    queue: &Queue,
    provider: &Provider,
) -> Result<(), JobError> {
    let stop = CancellationToken::new();
    // May run twice, but the provider accepts a key only once.
    let send = |job: Job| provider.send(job.key, job.payload);
    let report = |ended| {
        if let Err(error) = ended {
            // If stderr is closed, `eprintln!` would end a worker.
            _ = writeln!(io::stderr(), "{}", with_causes(&error));
        }
    };
    let worker = || queue.work(&stop, send, report);
    let drained = async {
        let drained = queue.drained().await;
        stop.cancel();
        drained
    };
    let (drained, (), ()) = tokio::join!(drained, worker(), worker());
    drained
}
// ANCHOR_END: mail

use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::AtomicBool, atomic::Ordering::Relaxed},
};

#[tokio::main]
async fn main() -> Result<(), JobError> {
    run(std::env::var("DATABASE_URL").ok().as_deref()).await
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, sync::Arc};

    use hazards::within;
    use tokio::task::JoinSet;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Runs a test on SQLite, and on PostgreSQL if `DATABASE_URL`
    /// names a server, as in `.ci/run`.
    async fn on_both<F>(name: &str, test: impl Fn(Queue) -> F)
    where
        F: Future<Output = Result<(), JobError>>,
    {
        let server = std::env::var("DATABASE_URL").ok();
        if server.is_none() {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}").expect("stderr");
        }
        let run = async |server: Option<String>| {
            let schema = format!("jobs_{name}_{}", std::process::id());
            let place = Place::new(server.as_deref(), &schema).await;
            let place = place.expect("an empty queue");
            let database = server.map_or("SQLite", |_| "PostgreSQL");
            let quick = Queue {
                attempts: 3,
                lease: Duration::from_millis(800),
                backoff: Duration::from_millis(5),
                poll: Duration::from_millis(5),
                patience: Duration::from_secs(5),
                grace: Duration::from_millis(50),
                ..place.queue.clone()
            };
            let tested = within(MINUTE, test(quick)).await;
            tested
                .unwrap_or_else(|error| panic!("{database}: {error}"));
            place.remove().await.expect("it can be removed");
        };
        // Both at the same time, because most tests wait for leases.
        let servers = [None].into_iter().chain(server.map(Some));
        futures::future::join_all(servers.map(run)).await;
    }

    /// Runs jobs with so many workers until no job is open. Returns the
    /// outcomes.
    async fn drain<F>(
        queue: &Queue,
        workers: usize,
        run: impl Fn(Job) -> F,
    ) -> Result<Vec<(String, Outcome)>, JobError>
    where
        F: Future<Output = Result<(), JobError>>,
    {
        let stop = CancellationToken::new();
        let outcomes = Mutex::default();
        let report = |told: Result<(Job, Outcome), QueueError>| {
            let (job, outcome) = told.expect("the database answers");
            let mut outcomes = outcomes.lock().expect("no panic");
            Vec::push(&mut *outcomes, (job.key, outcome));
        };
        let work = || queue.work(&stop, &run, report);
        let work =
            futures::future::join_all((0..workers).map(|_| work()));
        let drained = async {
            let drained = queue.drained().await;
            stop.cancel();
            drained
        };
        let (drained, _) = tokio::join!(drained, work);
        drained?;
        Ok(outcomes.into_inner().expect("no panic"))
    }

    async fn all_are(
        queue: &Queue,
        state: &str,
    ) -> Result<(), JobError> {
        for row in queue.rows().await? {
            assert_eq!(row.1, state, "{row:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn again_added_it_is_one_job() {
        on_both("again", async |queue| {
            assert!(queue.add("a", None, "1").await?);
            assert!(!queue.add("a", None, "1").await?);
            let runs = drain(&queue, 2, async |_| Ok(())).await?;
            assert_eq!(runs.len(), 1);
            // The key of a job that is done is still taken.
            assert!(!queue.add("a", None, "1").await?);
            assert_eq!(queue.claim().await?.map(|job| job.id), None);
            Ok(())
        })
        .await;
    }

    /// A caller's transaction that is rolled back leaves no job.
    #[tokio::test]
    async fn failure_of_the_caller_leaves_no_job() {
        on_both("caller", async |queue| {
            let mut transaction = queue.begin().await?;
            queue.enqueue(&mut transaction, "a", None, "1").await?;
            drop(transaction);
            assert_eq!(queue.rows().await?, []);
            assert!(queue.add("a", None, "1").await?);
            Ok(())
        })
        .await;
    }

    /// SQLite rolls back a transaction, and sqlx doesn't notice.
    #[tokio::test]
    async fn failure_of_a_full_disk_stops_no_later_job() {
        on_both("full", async |queue| {
            if queue.words[..] != SQLITE[..] {
                return Ok(());
            }
            for round in 0..20 {
                let mut full = queue.begin().await?;
                let limit = sqlx::query("PRAGMA max_page_count = 1");
                limit.execute(&mut *full).await?;
                let large = "x".repeat(100_000);
                let large =
                    queue.enqueue(&mut full, "large", None, &large);
                assert!(large.await.is_err());
                drop(full);
                assert!(queue.add(&round.to_string(), None, "").await?);
            }
            assert_eq!(
                drain(&queue, 2, async |_| Ok(())).await?.len(),
                20
            );
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn overload_of_callers_claims_each_job_once() {
        on_both("claims", async |queue| {
            for n in 0..5 {
                queue.add(&format!("{n}"), None, "").await?;
            }
            // The others get none, and none gets an error.
            let claims = (0..11).map(|_| queue.claim());
            let claims = futures::future::try_join_all(claims).await?;
            let mut keys: Vec<_> = claims
                .into_iter()
                .flatten()
                .map(|job| job.key)
                .collect();
            keys.sort();
            // SKIP LOCKED may skip a job whose claim is rolled back.
            assert_eq!(keys, ["0", "1", "2", "3", "4"]);
            Ok(())
        })
        .await;
    }

    /// A job runs, and meanwhile the shop adds jobs.
    #[tokio::test]
    async fn overload_jobs_are_added_while_one_runs() {
        on_both("adding", async |queue| {
            queue.add("slow", None, "").await?;
            let job = queue.claim().await?.expect("a job");
            within(Duration::from_secs(4), queue.add("b", None, ""))
                .await?;
            let ended = queue.end(&job, Outcome::Done).await?;
            assert_eq!(ended, Outcome::Done);
            Ok(())
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_a_lane_is_done_in_order() {
        on_both("threads", async |queue| {
            let mut tasks = JoinSet::new();
            // Four producers, each with its own lane, and a common one.
            for lane in 0..4 {
                let queue = queue.clone();
                tasks.spawn(async move {
                    for n in 0..10 {
                        let key = format!("{lane}-{n}");
                        let name = lane.to_string();
                        queue.add(&key, Some(&name), &name).await?;
                        let key = format!("common-{lane}-{n}");
                        queue.add(&key, Some("all"), "all").await?;
                    }
                    Ok::<_, JobError>(())
                });
            }
            let done = Arc::new(Mutex::new(Vec::new()));
            let stop = CancellationToken::new();
            let mut workers = JoinSet::new();
            for _ in 0..6 {
                let (queue, stop) = (queue.clone(), stop.clone());
                let done = Arc::clone(&done);
                workers.spawn(async move {
                    let run = |job: Job| {
                        let done = Arc::clone(&done);
                        async move {
                            let done = done.lock();
                            done.expect("no panic")
                                .push((job.payload, job.id));
                            Ok(())
                        }
                    };
                    queue
                        .work(&stop, run, |told| {
                            let (_, outcome) =
                                told.expect("it answers");
                            assert_eq!(outcome, Outcome::Done);
                        })
                        .await;
                });
            }
            for added in tasks.join_all().await {
                added?;
            }
            queue.drained().await?;
            stop.cancel();
            workers.join_all().await;
            let done = done.lock().expect("no panic");
            assert_eq!(done.len(), 80);
            for lane in ["0", "1", "2", "3", "all"] {
                let of_lane =
                    done.iter().filter(|(name, _)| name == lane);
                assert!(
                    of_lane.map(|(_, id)| id).is_sorted(),
                    "{lane}"
                );
            }
            Ok(())
        })
        .await;
    }

    /// The first job of a lane fails twice: the second one waits for it.
    #[tokio::test]
    async fn again_a_retried_job_is_not_overtaken() {
        on_both("overtaken", async |queue| {
            queue.add("a", Some("Ann"), "").await?;
            queue.add("b", Some("Ann"), "").await?;
            let runs = drain(&queue, 2, async |job| {
                match (&*job.key, job.attempt) {
                    ("a", 1 | 2) => Err("busy".into()),
                    _ => Ok(()),
                }
            })
            .await?;
            let runs = runs.iter().map(|(key, _)| &**key);
            assert_eq!(runs.collect::<Vec<_>>(), ["a", "a", "a", "b"]);
            Ok(())
        })
        .await;
    }

    /// A dead letter holds its lane until somebody decides.
    #[tokio::test]
    async fn failure_of_all_attempts_is_a_dead_letter() {
        on_both("dead", async |queue| {
            queue.add("a", Some("Ann"), "").await?;
            queue.add("b", Some("Ann"), "").await?;
            queue.add("c", None, "").await?;
            let stop = CancellationToken::new();
            let run = async |job: Job| match &*job.key {
                "a" => {
                    let cause = sqlx::Error::PoolClosed;
                    Err(QueueError::from(cause).into())
                }
                _ => Ok(()),
            };
            let work = queue.work(&stop, run, |_| ());
            let wait = async {
                while queue.rows().await?[0].1 != "dead" {
                    sleep(queue.poll).await;
                }
                sleep(queue.poll * 20).await;
                stop.cancel();
                Ok::<_, JobError>(())
            };
            let ((), waited) = tokio::join!(work, wait);
            waited?;
            let rows = queue.rows().await?;
            let states = rows.iter().map(|row| &*row.1);
            assert_eq!(
                states.collect::<Vec<_>>(),
                ["dead", "open", "done"]
            );
            assert_eq!(rows[0].2, 3);
            // The error and its cause.
            let error = rows[0].3.as_deref().expect("an error");
            assert!(error.starts_with("the queue's database failed: "));
            assert!(error.len() > 40, "{error}");

            // Somebody has fixed the cause.
            let again = "UPDATE jobs SET state = 'open', attempts = 0
                WHERE state = 'dead'";
            sqlx::query(again).execute(&queue.pool).await?;
            drain(&queue, 2, async |_| Ok(())).await?;
            all_are(&queue, "done").await
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_some_jobs_leaves_the_others() {
        for panicking in hazards::some_panic(5) {
            on_both("panic", async |queue| {
                for n in 0..5 {
                    queue.add(&n.to_string(), None, "").await?;
                }
                let panics = panicking.clone();
                drain(&queue, 2, |job| {
                    let key: usize = job.key.parse().expect("a number");
                    // One of them before there is a future.
                    assert!(key != 0 || !panics.contains(&0), "first");
                    let panics = panics.contains(&key);
                    async move {
                        assert!(!panics, "a bug");
                        Ok(())
                    }
                })
                .await?;
                for (n, row) in queue.rows().await?.iter().enumerate() {
                    let state = match panicking.contains(&n) {
                        true => "dead",
                        false => "done",
                    };
                    assert_eq!(row.1, state);
                    let error = row.3.as_deref().unwrap_or_default();
                    assert_eq!(
                        error.contains("panicked: "),
                        state == "dead"
                    );
                }
                Ok(())
            })
            .await;
        }
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("in `drop`"));
        }
    }

    /// At the time limit, and when the worker is stopped.
    #[tokio::test]
    async fn panic_in_a_drop_leaves_the_others() {
        on_both("dropped", async |queue| {
            let queue =
                Queue { limit: Duration::from_millis(200), ..queue };
            for n in 0..3 {
                queue.add(&n.to_string(), None, "").await?;
            }
            drain(&queue, 1, async |job| {
                if job.key == "0" {
                    let _guard = PanicsInDrop;
                    std::future::pending::<()>().await;
                }
                Ok(())
            })
            .await?;
            let rows = queue.rows().await?;
            let states = rows.iter().map(|row| (&*row.1, row.2));
            let expected = [("dead", 3), ("done", 1), ("done", 1)];
            assert_eq!(states.collect::<Vec<_>>(), expected);
            let error = rows[0].3.as_deref();
            assert_eq!(error, Some("panicked: in `drop`"));

            queue.add("4", None, "").await?;
            let job = queue.claim().await?.expect("a job");
            let stop = CancellationToken::new();
            stop.cancel();
            let queue = Queue { grace: Duration::ZERO, ..queue };
            let run = async {
                let _guard = PanicsInDrop;
                std::future::pending().await
            };
            let ended = queue.attempt(&job, &stop, run).await?;
            let error = "panicked: in `drop`".to_owned();
            assert_eq!(ended, Outcome::Failed(error));
            Ok(())
        })
        .await;
    }

    /// A job that never finishes is given up, and the others are done.
    #[tokio::test]
    async fn silence_of_jobs_ends_at_the_limit() {
        on_both("silence", async |queue| {
            let queue =
                Queue { limit: Duration::from_millis(200), ..queue };
            for n in 0..5 {
                queue.add(&n.to_string(), None, "").await?;
            }
            drain(&queue, 2, async |job| match &*job.key {
                "4" => Ok(()),
                _ => std::future::pending().await,
            })
            .await?;
            let rows = queue.rows().await?;
            let states = rows.iter().map(|row| (&*row.1, row.2));
            let mut expected = [("dead", 3); 5];
            expected[4] = ("done", 1);
            assert_eq!(states.collect::<Vec<_>>(), expected);
            Ok(())
        })
        .await;
    }

    /// Another connection holds the table's lock.
    #[tokio::test]
    async fn silence_of_the_database_is_an_error() {
        on_both("locked", async |queue| {
            queue.add("a", None, "").await?;
            let impatient = Queue {
                patience: Duration::from_millis(100),
                ..queue.clone()
            };
            let mut lock = queue.begin().await?;
            if queue.words == POSTGRESQL {
                lock.execute("LOCK TABLE jobs").await?;
            }
            let claim = impatient.claim().await;
            assert!(matches!(claim, Err(QueueError::Silent(_))));
            lock.rollback().await?;
            // A claim that was given up may have been executed.
            drain(&queue, 1, async |_| Ok(())).await?;
            all_are(&queue, "done").await
        })
        .await;
    }

    /// The job takes three leases.
    #[tokio::test]
    async fn slow_jobs_keep_their_lease() {
        on_both("slow", async |queue| {
            let lease = Duration::from_millis(1_500);
            let queue = Queue { lease, ..queue };
            queue.add("a", None, "").await?;
            let runs = drain(&queue, 3, async |job| {
                sleep(lease * 3).await;
                assert_eq!(job.attempt, 1);
                Ok(())
            })
            .await?;
            assert_eq!(runs, [("a".to_owned(), Outcome::Done)]);
            Ok(())
        })
        .await;
    }

    /// A worker doesn't renew its lease, and another one gets the job.
    #[tokio::test]
    async fn again_a_late_worker_changes_nothing() {
        on_both("late", async |queue| {
            queue.add("a", None, "").await?;
            let late = queue.claim().await?.expect("a job");
            sleep(queue.lease + Duration::from_millis(50)).await;
            let next = queue.claim().await?.expect("the same job");
            assert_eq!((next.id, next.attempt), (late.id, 2));
            for outcome in [
                Outcome::Done,
                Outcome::Failed("late".to_owned()),
                Outcome::Released,
            ] {
                let ended = queue.end(&late, outcome).await?;
                assert_eq!(ended, Outcome::Lost);
            }
            let renewed = queue.set(&late, RENEW, MINUTE, None).await?;
            assert!(!renewed);
            let ended = queue.end(&next, Outcome::Done).await?;
            assert_eq!(ended, Outcome::Done);
            let row = ("a".to_owned(), "done".to_owned(), 2, None);
            assert_eq!(queue.rows().await?, [row]);
            Ok(())
        })
        .await;
    }

    /// While a job runs, another worker gets it: it's dropped.
    #[tokio::test]
    async fn clock_jumps_and_the_job_is_dropped() {
        on_both("clock", async |queue| {
            let queue =
                Queue { lease: Duration::from_secs(3), ..queue };
            queue.add("a", None, "").await?;
            let job = queue.claim().await?.expect("a job");
            // The database's clock jumps by an hour.
            let jump =
                "UPDATE jobs SET visible_at = visible_at - 3600000";
            sqlx::query(jump).execute(&queue.pool).await?;
            let next = queue.claim().await?.expect("the same job");
            let stop = CancellationToken::new();
            let run = std::future::pending();
            let ended = queue.attempt(&job, &stop, run).await?;
            assert_eq!(ended, Outcome::Lost);
            let run = async { Ok(()) };
            let ended = queue.attempt(&next, &stop, run).await?;
            assert_eq!(ended, Outcome::Done);
            Ok(())
        })
        .await;
    }

    /// Does nothing unless the next test starts it in a child process.
    #[tokio::test]
    async fn child_without_stderr() -> Result<(), JobError> {
        if std::env::var_os("BOOK_WITHOUT_STDERR").is_none() {
            return Ok(());
        }
        // Stdin ends only after the parent has closed our stderr.
        io::read_to_string(io::stdin())?;
        let place = Place::new(None, "stderr").await?;
        let drop = sqlx::query("DROP TABLE jobs");
        drop.execute(&place.queue.pool).await?;
        let provider = Provider::default();
        let ended = send_invoices(&place.queue, &provider).await;
        assert!(ended.is_err(), "there is no table");
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_stderr_ends_no_worker() -> io::Result<()> {
        use std::process::Stdio;

        let (_, module) =
            module_path!().split_once("::").expect("a module");
        let program = std::env::current_exe()?;
        let mut child = tokio::process::Command::new(program)
            .arg(format!("{module}::child_without_stderr"))
            .args(["--exact", "--nocapture"])
            .env("BOOK_WITHOUT_STDERR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        drop(child.stderr.take());
        drop(child.stdin.take());
        let ended = within(MINUTE, child.wait()).await?;
        assert!(ended.success(), "{ended}");
        Ok(())
    }

    /// The database fails when the job is done: it's done again.
    #[tokio::test]
    async fn failure_of_the_database_is_reported() {
        on_both("failure", async |queue| {
            queue.add("a", None, "").await?;
            let hide = "ALTER TABLE jobs RENAME TO hidden";
            let show = "ALTER TABLE hidden RENAME TO jobs";
            let (runs, errors) = (Mutex::new(0), Mutex::new(0));
            let stop = CancellationToken::new();
            let run = async |_: Job| {
                let first = {
                    let mut runs = runs.lock().expect("no panic");
                    *runs += 1;
                    *runs == 1
                };
                if first {
                    sqlx::query(hide).execute(&queue.pool).await?;
                }
                Ok(())
            };
            let report = |told: Result<_, QueueError>| {
                if told.is_err() {
                    *errors.lock().expect("no panic") += 1;
                }
            };
            let work = queue.work(&stop, run, report);
            let fix = async {
                while *errors.lock().expect("no panic") < 3 {
                    sleep(queue.poll).await;
                }
                sqlx::query(show).execute(&queue.pool).await?;
                queue.drained().await?;
                stop.cancel();
                Ok::<_, JobError>(())
            };
            let ((), fixed) = tokio::join!(work, fix);
            fixed?;
            assert_eq!(*runs.lock().expect("no panic"), 2);
            all_are(&queue, "done").await
        })
        .await;
    }

    /// While the lease is to be renewed, the database fails for more
    /// than half of the lease.
    #[tokio::test]
    async fn failure_of_renewals_is_tried_again_soon() {
        on_both("renew", async |queue| {
            let lease = Duration::from_secs(3);
            let queue = Queue { lease, ..queue };
            queue.add("a", None, "").await?;
            let job = queue.claim().await?.expect("a job");
            let stop = CancellationToken::new();
            let run = async {
                sleep(lease / 6).await;
                let hide = "ALTER TABLE jobs RENAME TO hidden";
                sqlx::query(hide).execute(&queue.pool).await?;
                sleep(lease / 2).await;
                let show = "ALTER TABLE hidden RENAME TO jobs";
                sqlx::query(show).execute(&queue.pool).await?;
                sleep(lease).await;
                Ok(())
            };
            let ended = queue.attempt(&job, &stop, run).await?;
            assert_eq!(ended, Outcome::Done);
            Ok(())
        })
        .await;
    }

    /// A claim waits for a lock when the stop is requested.
    #[tokio::test]
    async fn stop_while_the_database_is_silent() {
        on_both("stopped", async |queue| {
            let patience = Duration::from_millis(300);
            let queue = Queue { patience, ..queue };
            let mut lock = queue.begin().await?;
            if queue.words == POSTGRESQL {
                lock.execute("LOCK TABLE jobs").await?;
            }
            let stop = CancellationToken::new();
            let silent = Mutex::new(0);
            let report = |ended: Result<_, QueueError>| {
                assert!(matches!(ended, Err(QueueError::Silent(_))));
                *silent.lock().expect("no panic") += 1;
            };
            let work = queue.work(&stop, async |_| Ok(()), report);
            let ask = async {
                sleep(patience / 3).await;
                stop.cancel();
            };
            let both = async { tokio::join!(work, ask) };
            within(Duration::from_secs(3), both).await;
            assert_eq!(*silent.lock().expect("no panic"), 1);
            lock.rollback().await?;
            Ok(())
        })
        .await;
    }

    /// A process dies with two jobs, again and again: the one that
    /// isn't to blame loses its attempts, too.
    #[tokio::test]
    async fn crash_costs_each_job_of_the_process_an_attempt() {
        on_both("crash", async |queue| {
            let lease = Duration::from_millis(100);
            let queue = Queue { lease, ..queue };
            queue.add("poison", None, "").await?;
            queue.add("beside", None, "").await?;
            for attempt in 1..=3 {
                for _ in 0..2 {
                    let job = queue.claim().await?.expect("a job");
                    assert_eq!(job.attempt, attempt);
                }
                sleep(lease * 2).await;
            }
            let runs = drain(&queue, 2, async |_| Ok(())).await?;
            assert_eq!(runs.len(), 2);
            all_are(&queue, "dead").await
        })
        .await;
    }

    /// A claim passes over all jobs that wait in the longest lane.
    #[tokio::test]
    async fn overload_of_one_lane_slows_each_claim() {
        on_both("lane", async |queue| {
            let queue = Queue { lease: MINUTE, ..queue };
            let add = "
                WITH RECURSIVE numbers (id) AS (
                    SELECT 1 UNION ALL
                    SELECT id + 1 FROM numbers WHERE id < 5000)
                INSERT INTO jobs (key, lane, payload, visible_at)
                SELECT 'Ann' || id, 'Ann', '', 0 FROM numbers";
            let claims = async || {
                let mut quickest = MINUTE;
                for n in 0..5 {
                    let key = format!("{}", fastrand::u64(..));
                    queue.add(&key, None, "").await?;
                    let start = Instant::now();
                    let job = queue.claim().await?.expect("a job");
                    quickest = quickest.min(start.elapsed());
                    assert_eq!(job.key, key, "{n}");
                }
                Ok::<_, JobError>(quickest)
            };
            let without = claims().await?;
            sqlx::query(add).execute(&queue.pool).await?;
            // Its oldest job runs, and the others wait for it.
            let first = queue.claim().await?.expect("a job");
            assert_eq!(first.key, "Ann1");
            let with = claims().await?;
            assert!(with > without * 2, "{with:?} {without:?}");
            Ok(())
        })
        .await;
    }

    /// How many pages PostgreSQL reads to find the oldest visible job.
    async fn pages_of_a_claim(queue: &Queue) -> sqlx::Result<u64> {
        let explain = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF)
            SELECT id FROM jobs
            WHERE state = 'open' AND visible_at <= {now}
            ORDER BY visible_at, id LIMIT 1";
        let plan = sqlx::query(queue.sql(explain));
        let plan = plan.fetch_all(&queue.pool).await?;
        let plan = plan.iter().map(|row| row.try_get(0));
        let plan: Vec<String> = plan.collect::<Result<_, _>>()?;
        // The first line of this kind counts for the whole plan.
        let pages = plan.iter().find(|it| it.contains("Buffers: "));
        let pages = pages.expect("a line").split_once('=');
        let pages = pages.expect("a number").1.split(' ').next();
        Ok(pages.and_then(|it| it.parse().ok()).expect("a number"))
    }

    /// Each claim passes over the dead rows of earlier jobs, as long as
    /// an old transaction keeps them.
    #[tokio::test]
    async fn overload_of_dead_rows_slows_claims_until_a_vacuum() {
        on_both("dead", async |queue| {
            if queue.words == SQLITE {
                return Ok(());
            }
            let queue = Queue { lease: MINUTE, ..queue };
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
            let mut old = queue.pool.begin_with(begin).await?;
            old.execute("SELECT COUNT(*) FROM jobs").await?;
            for n in 0..500 {
                queue.add(&n.to_string(), None, "").await?;
            }
            drain(&queue, 1, async |_| Ok(())).await?;
            queue.add("last", None, "").await?;
            // Twice, because the first one may read more.
            pages_of_a_claim(&queue).await?;
            let with_old = pages_of_a_claim(&queue).await?;
            old.rollback().await?;
            // Other tests have transactions, too, but shorter ones.
            loop {
                queue.pool.execute("VACUUM jobs").await?;
                pages_of_a_claim(&queue).await?;
                let without = pages_of_a_claim(&queue).await?;
                if with_old > without * 2 {
                    break;
                }
                sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        })
        .await;
    }

    /// The connections through it are silent once their token is
    /// canceled, as if their machine had lost its power.
    #[cfg(unix)]
    async fn forward(
        server: sqlx::postgres::PgConnectOptions,
        listener: tokio::net::UnixListener,
        power: Arc<Mutex<CancellationToken>>,
    ) {
        let socket = server.get_socket().cloned();
        let socket = socket.unwrap_or("/var/run/postgresql".into());
        let file = format!(".s.PGSQL.{}", server.get_port());
        let socket = socket.join(file);
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            let (mut client, _) =
                listener.accept().await.expect("a client");
            let power = power.lock().expect("no panic").clone();
            let socket = socket.clone();
            tasks.spawn(async move {
                let server =
                    tokio::net::UnixStream::connect(socket).await;
                let mut server = server.expect("a server");
                let copy = tokio::io::copy_bidirectional(
                    &mut client,
                    &mut server,
                );
                if power.run_until_cancelled(copy).await.is_none() {
                    std::future::pending::<()>().await;
                }
            });
        }
    }

    /// The network drops every packet of the connections in use, and
    /// new ones reach the database again.
    #[cfg(unix)]
    #[tokio::test]
    async fn silence_of_the_network_doesnt_last() {
        use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
        on_both("network", async |queue| {
            let options = queue.pool.connect_options();
            let url = options.database_url.as_str();
            let Ok(server) = url.parse::<PgConnectOptions>() else {
                return Ok(()); // SQLite
            };
            if server.get_socket().is_none() {
                return Ok(());
            }
            let folder = tempfile::tempdir()?;
            let file = format!(".s.PGSQL.{}", server.get_port());
            let listener = tokio::net::UnixListener::bind(
                folder.path().join(file),
            )?;
            let power = Arc::new(Mutex::new(CancellationToken::new()));
            let url = server.clone().socket(folder.path());
            let url = url.to_url_lossy();
            let schema = "SELECT current_schema()::text";
            let schema: String = sqlx::query_scalar(schema)
                .fetch_one(&queue.pool)
                .await?;
            let url = format!("{url}&options[search_path]={schema}");
            let proxy = forward(server, listener, Arc::clone(&power));
            let proxy = tokio::spawn(proxy);
            let through = Queue {
                patience: Duration::from_millis(300),
                ..Queue::open(&url).await?
            };
            queue.add("a", None, "").await?;
            let eight = (0..8).map(|_| through.pool.acquire());
            let eight = futures::future::try_join_all(eight).await?;
            std::mem::take(&mut *power.lock().expect("no panic"))
                .cancel();
            drop(eight);
            assert!(through.claim().await.is_err());
            while through.claim().await.is_err() {}
            proxy.abort();
            Ok(())
        })
        .await;
    }

    /// Jobs that were added before it are in the future.
    #[tokio::test]
    async fn clock_that_was_set_back_delays_jobs() {
        on_both("back", async |queue| {
            queue.add("a", None, "").await?;
            let back = "UPDATE jobs SET visible_at = visible_at + 1000";
            sqlx::query(back).execute(&queue.pool).await?;
            assert!(queue.claim().await?.is_none());
            sleep(Duration::from_millis(1_100)).await;
            assert!(queue.claim().await?.is_some());
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn edges_an_error_with_a_zero_byte_is_recorded() {
        on_both("zero", async |queue| {
            let queue = Queue { attempts: 1, ..queue };
            queue.add("a", None, "").await?;
            let fail = async |_| Err("half\0done".into());
            drain(&queue, 1, fail).await?;
            let error = queue.rows().await?.remove(0).3;
            assert_eq!(error.as_deref(), Some("half\u{fffd}done"));
            Ok(())
        })
        .await;
    }

    /// A process is stopped for longer than its lease: its job takes no
    /// further step.
    #[tokio::test]
    async fn slow_steps_end_with_the_lease() {
        on_both("stall", async |queue| {
            queue.add("a", None, "").await?;
            let job = queue.claim().await?.expect("a job");
            let stop = CancellationToken::new();
            let run = async {
                sleep(Duration::from_millis(10)).await;
                let lease = queue.lease.mul_f64(1.2);
                std::thread::sleep(lease);
                tokio::task::yield_now().await;
                panic!("a step after the lease");
            };
            let ended = queue.attempt(&job, &stop, run).await?;
            assert_eq!(ended, Outcome::Lost);
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn stop_waits_for_a_job_and_releases_a_longer_one() {
        on_both("stop", async |queue| {
            let queue =
                Queue { grace: Duration::from_secs(1), ..queue };
            queue.add("short", None, "200").await?;
            queue.add("long", None, "60000").await?;
            let stop = CancellationToken::new();
            let started = tokio::sync::Semaphore::new(0);
            let run = async |job: Job| {
                started.add_permits(1);
                let pause = job.payload.parse()?;
                sleep(Duration::from_millis(pause)).await;
                Ok(())
            };
            let work = || queue.work(&stop, run, |_| ());
            let ask = async {
                let both = started.acquire_many(2).await;
                drop(both.expect("it isn't closed"));
                stop.cancel();
            };
            let all = async { tokio::join!(work(), work(), ask) };
            within(Duration::from_secs(10), all).await;
            let rows = queue.rows().await?;
            let states = rows.iter().map(|row| (&*row.1, row.2));
            let expected = [("done", 1), ("open", 0)];
            assert_eq!(states.collect::<Vec<_>>(), expected);
            // It needn't wait for the end of the lease.
            let job = queue.claim().await?.expect("it was released");
            assert_eq!(
                (&*job.key, job.attempt, job.token),
                ("long", 1, 2)
            );
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn stop_ends_an_idle_worker() {
        on_both("idle", async |queue| {
            let queue = Queue { poll: MINUTE, ..queue };
            let stop = CancellationToken::new();
            let run = async |_: Job| Ok(());
            let ask = async {
                sleep(Duration::from_millis(50)).await;
                stop.cancel();
            };
            let work = queue.work(&stop, run, |_| ());
            let work = async { tokio::join!(work, ask) };
            within(Duration::from_secs(10), work).await;
            Ok(())
        })
        .await;
    }

    /// Drops one more `begin` while a slow server executes it. Then each
    /// connection of the pool can change the same row, so none is left
    /// inside a transaction.
    async fn all_are_clean(pool: &AnyPool) {
        use futures::FutureExt as _;
        use sqlx::Connection as _;
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
            for _ in 0..8 {
                let mut one = pool.acquire().await.expect("it");
                let update =
                    "UPDATE jobs SET lane = lane WHERE key = 'first'";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    /// Dropped at any poll, the job is added or it isn't.
    #[tokio::test]
    async fn cancel_of_a_caller_adds_all_or_nothing() {
        on_both("caller", async |queue| {
            queue.add("first", None, "").await?;
            hazards::at_every_poll(async |cancel| {
                let key = cancel.polls().to_string();
                let added = cancel.run(queue.add(&key, Some("a"), ""));
                let added = added.await.transpose().expect("it");
                all_are_clean(&queue.pool).await;
                let again = queue.add(&key, Some("a"), "").await;
                let again = again.expect("nothing is locked");
                assert!(!(again && added.is_some()));
                let rows = queue.rows().await.expect("jobs");
                assert_eq!(
                    rows.iter().filter(|it| it.0 == key).count(),
                    1
                );
            })
            .await;
            Ok(())
        })
        .await;
    }

    /// Dropped at any poll, it loses no job: another worker does it.
    #[tokio::test]
    async fn cancel_a_worker_and_another_one_does_the_job() {
        on_both("cancel", async |queue| {
            let queue =
                Queue { lease: Duration::from_millis(100), ..queue };
            let number = Mutex::new(0);
            hazards::at_every_poll(async |cancel| {
                let number = {
                    let mut number = number.lock().expect("no panic");
                    *number += 1;
                    *number
                };
                let key = format!("{number}");
                queue.add(&key, None, "").await.expect("added");
                let stop = CancellationToken::new();
                let run = async |_: Job| {
                    tokio::task::yield_now().await;
                    Ok(())
                };
                cancel.run(queue.next(&stop, run)).await;
                let drained = drain(&queue, 1, async |_| Ok(())).await;
                drained.expect("it's done");
            })
            .await;
            all_are(&queue, "done").await?;
            // No connection is inside a transaction.
            assert!(queue.add("last", None, "").await?);
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn owner_gone_leaves_no_task_and_the_job_is_done_later() {
        on_both("owner", async |queue| {
            queue.add("a", None, "").await?;
            let started = Arc::new(tokio::sync::Notify::new());
            let worker = tokio::spawn({
                let (queue, started) =
                    (queue.clone(), Arc::clone(&started));
                async move {
                    let run = |_| {
                        started.notify_one();
                        std::future::pending()
                    };
                    let stop = CancellationToken::new();
                    queue.work(&stop, run, |_| ()).await;
                }
            });
            started.notified().await;
            worker.abort();
            assert!(worker.await.is_err_and(|it| it.is_cancelled()));
            let runs = drain(&queue, 1, async |_| Ok(())).await?;
            assert_eq!(runs, [("a".to_owned(), Outcome::Done)]);
            assert_eq!(queue.rows().await?[0].2, 2);
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn edges_of_keys_lanes_and_payloads() {
        on_both("edges", async |queue| {
            assert_eq!(queue.claim().await?.map(|job| job.id), None);
            let texts = ["", "z\u{142}oty", "'; DROP TABLE jobs; --"];
            for text in texts {
                assert!(queue.add(text, Some(text), text).await?);
            }
            let runs = drain(&queue, 2, async |job| {
                assert_eq!(job.key, job.payload);
                Ok(())
            });
            assert_eq!(runs.await?.len(), 3);
            // A single attempt, and a lease of no time.
            let queue = Queue { attempts: 1, ..queue };
            queue.add("a", None, "").await?;
            drain(&queue, 2, async |_| Err("busy".into())).await?;
            let none = Queue { lease: Duration::ZERO, ..queue };
            none.add("b", None, "").await?;
            let job = none.claim().await?.expect("a job");
            let stop = CancellationToken::new();
            let run = std::future::pending();
            let ended = none.attempt(&job, &stop, run).await?;
            assert_eq!(ended, Outcome::Lost);
            Ok(())
        })
        .await;
    }

    /// The commit of the claim fails, because a trigger breaks a
    /// deferred constraint.
    #[tokio::test]
    async fn failure_of_a_claims_commit_is_an_error() {
        on_both("commit", async |queue| {
            queue.add("a", None, "").await?;
            let trigger: &[&str] = match queue.words == SQLITE {
                true => &["CREATE TRIGGER breaks AFTER UPDATE ON jobs
                    BEGIN INSERT INTO broken VALUES (7); END"],
                false => &[
                    "CREATE FUNCTION breaks() RETURNS trigger
                     LANGUAGE plpgsql AS $$ BEGIN
                     INSERT INTO broken VALUES (7); RETURN NEW; END $$",
                    "CREATE TRIGGER breaks AFTER UPDATE ON jobs
                     FOR EACH ROW EXECUTE FUNCTION breaks()",
                ],
            };
            for statement in [
                "CREATE TABLE nobody (id BIGINT PRIMARY KEY)",
                "CREATE TABLE broken (id BIGINT REFERENCES nobody (id)
                 DEFERRABLE INITIALLY DEFERRED)",
            ]
            .iter()
            .chain(trigger)
            {
                sqlx::query(*statement).execute(&queue.pool).await?;
            }
            let claim = queue.claim().await;
            assert!(matches!(claim, Err(QueueError::Database(_))));
            assert_eq!(queue.rows().await?[0].2, 0);
            // What the claim doesn't use.
            let early =
                "UPDATE jobs SET attempts = 7 RETURNING attempts";
            let early = sqlx::query_scalar::<_, i64>(early);
            let early = early.fetch_optional(&queue.pool).await?;
            assert_eq!(early, Some(7));
            assert_eq!(queue.rows().await?[0].2, 0);
            Ok(())
        })
        .await;
    }

    // ANCHOR: process
    /// A process of the crash tests: it adds jobs and does jobs, and it
    /// logs both to a file. It stops when its stdin is closed.
    #[tokio::test]
    async fn a_worker_process() -> Result<(), JobError> {
        let Ok(address) = env("QUEUE_ADDRESS") else {
            return drains_a_small_queue().await;
        };
        let (queue, log) = &queue_and_log(&address).await?;
        let run = async |job: Job| {
            if job.payload == "poison" {
                std::process::abort();
            }
            sleep(random_pause()).await;
            // The effect of the job, outside of the database.
            log.line("effect", job.id, job.token)?;
            sleep(random_pause()).await;
            Ok(())
        };
        let report = |ended: Result<(Job, Outcome), QueueError>| {
            if let Ok((job, Outcome::Lost)) = ended {
                let lost = log.line("lost", job.id, job.token);
                lost.expect("it can be written");
            }
        };
        let stop = CancellationToken::new();
        let produce = produce(queue, log, &stop);
        log.line("ready", 0, 0)?;
        let work = queue.work(&stop, run, report);
        let ((), produced, ()) =
            tokio::join!(work, produce, stop_with_stdin(&stop));
        produced
    }
    // ANCHOR_END: process

    async fn queue_and_log(
        address: &str,
    ) -> Result<(Queue, Log), JobError> {
        let mut queue = short_leases(Queue::open(address).await?);
        if let Ok(attempts) = env("QUEUE_ATTEMPTS") {
            queue.attempts = attempts.parse()?;
        }
        let worker = env("QUEUE_WORKER")?.parse()?;
        fastrand::seed(worker ^ env("QUEUE_SEED")?.parse::<u64>()?);
        Ok((queue, Log { path: env("QUEUE_LOG")?.into(), worker }))
    }

    /// Adds jobs with random lanes, and logs those that are accepted.
    async fn produce(
        queue: &Queue,
        log: &Log,
        stop: &CancellationToken,
    ) -> Result<(), JobError> {
        let is_producer = env("QUEUE_PRODUCES").is_ok();
        let mut number = 0;
        while is_producer && !stop.is_cancelled() {
            number += 1;
            let key = format!("{}-{number}", log.worker);
            let lane = fastrand::u8(0..12).to_string();
            if queue.add(&key, Some(&lane), "").await.is_ok() {
                log.line("accepted", number, 0)?;
            }
            sleep(random_pause() * 5).await;
        }
        Ok(())
    }

    /// Cancels when the parent closes the pipe, or dies.
    async fn stop_with_stdin(stop: &CancellationToken) {
        let wait = || std::io::read_to_string(std::io::stdin());
        let _ = tokio::task::spawn_blocking(wait).await;
        stop.cancel();
    }

    /// The same workers, in this process.
    async fn drains_a_small_queue() -> Result<(), JobError> {
        let place = Place::new(None, "small").await?;
        let queue = short_leases(place.queue.clone());
        for n in 0..20 {
            queue.add(&n.to_string(), Some("lane"), "").await?;
        }
        let runs = drain(&queue, 3, async |_| Ok(())).await?;
        assert_eq!(runs.len(), 20);
        all_are(&queue, "done").await?;
        place.remove().await
    }

    fn short_leases(queue: Queue) -> Queue {
        Queue {
            lease: Duration::from_secs(1),
            poll: Duration::from_millis(10),
            backoff: Duration::from_millis(10),
            attempts: 3,
            ..queue
        }
    }

    fn random_pause() -> Duration {
        Duration::from_micros(fastrand::u64(0..8_000))
    }

    /// A file that processes write to: each line in a single write, so
    /// that a killed process leaves no half line.
    struct Log {
        path: std::path::PathBuf,
        worker: u64,
    }

    impl Log {
        fn line(
            &self,
            what: &str,
            job: i64,
            token: i64,
        ) -> std::io::Result<()> {
            let worker = self.worker;
            let line = format!("{what} {worker} {job} {token}\n");
            let mut file = std::fs::File::options();
            let mut file =
                file.create(true).append(true).open(&self.path)?;
            file.write_all(line.as_bytes())
        }

        /// The worker, the job, and the token in the lines about this.
        fn all(&self, what: &str) -> Vec<(u64, i64, i64)> {
            let text = std::fs::read_to_string(&self.path);
            let text = text.unwrap_or_default();
            let parsed = |line: &str| {
                let words = line.split_whitespace().collect::<Vec<_>>();
                let [it, worker, job, token] = words[..] else {
                    panic!("half a line: {line:?}");
                };
                (it == what).then(|| {
                    let number =
                        |it: &str| it.parse().expect("a number");
                    let worker = worker.parse().expect("a number");
                    (worker, number(job), number(token))
                })
            };
            text.lines().filter_map(parsed).collect()
        }
    }

    /// Starts worker processes.
    struct Processes<'a> {
        place: &'a Place,
        _folder: tempfile::TempDir,
        log: Log,
        seed: u64,
        started: u64,
    }

    impl<'a> Processes<'a> {
        fn new(place: &'a Place, seed: u64) -> std::io::Result<Self> {
            let folder = tempfile::tempdir()?;
            let log =
                Log { path: folder.path().join("log"), worker: 0 };
            Ok(Self { place, _folder: folder, log, seed, started: 0 })
        }

        fn start(
            &mut self,
            options: &[(&str, &str)],
        ) -> std::io::Result<(u64, Child)> {
            self.started += 1;
            let module = module_path!().split_once("::");
            let module = module.map_or("", |(_, path)| path);
            let mut process = Command::new(std::env::current_exe()?);
            process
                .arg(format!("{module}::a_worker_process"))
                .arg("--exact")
                .env("QUEUE_ADDRESS", &self.place.address)
                .env("QUEUE_LOG", &self.log.path)
                .env("QUEUE_SEED", self.seed.to_string())
                .env("QUEUE_WORKER", self.started.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .envs(options.iter().copied())
                .kill_on_drop(true);
            Ok((self.started, process.spawn()?))
        }
    }

    use std::process::Stdio;

    use tokio::process::{Child, Command};

    // ANCHOR: kills
    /// Kills worker processes at random moments, `BOOK_KILLS` times.
    async fn kill_workers(
        place: &Place,
        seed: u64,
    ) -> Result<(), JobError> {
        let kills = env("BOOK_KILLS");
        let kills: u32 = kills.map_or(Ok(30), |it| it.parse())?;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut processes = Processes::new(place, seed)?;
        let produces =
            [("QUEUE_PRODUCES", "1"), ("QUEUE_ATTEMPTS", "1000")];
        let mut running = Vec::new();
        for _ in 0..3 {
            running.push(processes.start(&produces)?);
        }
        let mut killed = BTreeSet::new();
        for _ in 0..kills {
            sleep(Duration::from_millis(random.u64(10..120))).await;
            let which = random.usize(0..running.len());
            let (worker, mut child) = running.swap_remove(which);
            child.start_kill()?; // SIGKILL: no destructor runs.
            child.wait().await?;
            killed.insert(worker);
            running.push(processes.start(&produces)?);
        }
        for (worker, mut child) in running {
            child.start_kill()?;
            child.wait().await?;
            killed.insert(worker);
        }
        // Another process finishes what is open, and isn't killed.
        let (_, last) = processes.start(&produces[1..])?;
        place.queue.drained().await?;
        // Closes its stdin, and waits.
        let ended = last.wait_with_output().await?;
        assert!(ended.status.success());
        check_order(&place.queue, &processes.log).await?;
        check(&place.queue, &processes.log, &killed).await
    }
    // ANCHOR_END: kills

    use std::collections::BTreeSet;

    // ANCHOR: check
    async fn check(
        queue: &Queue,
        log: &Log,
        killed: &BTreeSet<u64>,
    ) -> Result<(), JobError> {
        let jobs = "SELECT id, key, state, token FROM jobs";
        let jobs: Vec<(i64, String, String, i64)> =
            sqlx::query_as(jobs).fetch_all(&queue.pool).await?;
        let effects = log.all("effect");
        let lost: BTreeSet<_> = log.all("lost").into_iter().collect();
        // No accepted job is lost, and each is done at least once.
        for (worker, number, _) in log.all("accepted") {
            let key = format!("{worker}-{number}");
            assert!(jobs.iter().any(|it| it.1 == key), "{key} is lost");
        }
        let mut doubles = [0, 0];
        for (id, _, state, token) in &jobs {
            assert_eq!(state, "done", "job {id}");
            let of_job = effects.iter().filter(|it| it.1 == *id);
            assert!(of_job.clone().any(|it| it.2 == *token));
            // All other effects of the job are doubles: the worker was
            // killed before it could say "done", or lost the lease.
            for double in of_job.filter(|it| it.2 != *token) {
                let last = effects.iter().rfind(|it| it.0 == double.0);
                let is_last = last == Some(double);
                let is_killed = killed.contains(&double.0) && is_last;
                assert!(is_killed || lost.contains(double));
                doubles[usize::from(!is_killed)] += 1;
            }
        }
        let (killed, jobs) = (killed.len(), jobs.len());
        let (effects, [kills, lost]) = (effects.len(), doubles);
        let told = format!(
            "killed: {killed}, jobs: {jobs}, effects: {effects}, doubles \
             after a kill: {kills}, after a lost lease: {lost}"
        );
        writeln!(std::io::stderr(), "{told}")?;
        Ok(())
    }
    // ANCHOR_END: check

    // ANCHOR: order
    /// The effects of a lane are in the order of its jobs.
    async fn check_order(
        queue: &Queue,
        log: &Log,
    ) -> Result<(), JobError> {
        let jobs = "SELECT id, lane FROM jobs";
        let jobs: Vec<(i64, String)> =
            sqlx::query_as(jobs).fetch_all(&queue.pool).await?;
        let lanes: BTreeMap<_, _> = jobs.into_iter().collect();
        let lost: BTreeSet<_> = log.all("lost").into_iter().collect();
        let mut latest = BTreeMap::new();
        for effect in log.all("effect") {
            // A worker that lost its lease may be late.
            if !lost.contains(&effect) {
                let latest =
                    latest.entry(&lanes[&effect.1]).or_default();
                assert!(
                    *latest <= effect.1,
                    "{effect:?} is out of order"
                );
                *latest = effect.1;
            }
        }
        Ok(())
    }
    // ANCHOR_END: order

    use std::env::var as env;

    /// Runs a test with an empty place, on SQLite or on PostgreSQL.
    async fn in_a_place<F>(
        name: &str,
        server: Option<String>,
        test: impl Fn(Arc<Place>) -> F,
    ) -> Result<(), JobError>
    where
        F: Future<Output = Result<(), JobError>>,
    {
        let schema = format!("jobs_{name}_{}", std::process::id());
        let place = Place::new(server.as_deref(), &schema).await?;
        let place = Arc::new(place);
        test(Arc::clone(&place)).await?;
        match Arc::into_inner(place) {
            Some(place) => place.remove().await,
            None => Err("the test keeps the place".into()),
        }
    }

    fn a_seed() -> Result<u64, JobError> {
        let seed = env("BOOK_SEED");
        let seed =
            seed.map_or(Ok(fastrand::u64(..)), |it| it.parse())?;
        writeln!(std::io::stderr(), "BOOK_SEED={seed}")?;
        Ok(seed)
    }

    #[tokio::test]
    async fn crash_of_workers_in_sqlite() -> Result<(), JobError> {
        let test = async |place: Arc<Place>| {
            kill_workers(&place, a_seed()?).await
        };
        in_a_place("killed", None, test).await
    }

    #[tokio::test]
    async fn crash_of_workers_in_postgresql() -> Result<(), JobError> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            return Ok(()); // The tests on both say so.
        };
        let test = async |place: Arc<Place>| {
            kill_workers(&place, a_seed()?).await
        };
        in_a_place("killed", Some(server), test).await
    }

    async fn in_places<F>(
        name: &str,
        test: impl Fn(Arc<Place>) -> F,
    ) -> Result<(), JobError>
    where
        F: Future<Output = Result<(), JobError>>,
    {
        in_a_place(name, None, &test).await?;
        match std::env::var("DATABASE_URL") {
            Ok(server) => in_a_place(name, Some(server), &test).await,
            Err(_) => Ok(()), // The tests on both say so.
        }
    }

    // ANCHOR: poison
    /// One job kills each worker that runs it.
    #[tokio::test]
    async fn crash_of_every_worker_makes_a_dead_letter()
    -> Result<(), JobError> {
        in_places("poison", async |place| {
            let queue = &place.queue;
            queue.add("a", None, "").await?;
            queue.add("b", None, "poison").await?;
            queue.add("c", None, "").await?;
            let mut processes = Processes::new(&place, 0)?;
            let mut deaths = 0;
            let (_, mut child) = processes.start(&[])?;
            while queue.rows().await?[1].1 == "open" {
                if child.try_wait()?.is_some() {
                    deaths += 1;
                    child = processes.start(&[])?.1;
                }
                sleep(Duration::from_millis(10)).await;
            }
            queue.drained().await?;
            let rows = queue.rows().await?;
            let states = rows.iter().map(|row| (&*row.1, row.2));
            let expected = [("done", 1), ("dead", 4), ("done", 1)];
            assert_eq!(states.collect::<Vec<_>>(), expected);
            let error = rows[1].3.as_deref();
            assert_eq!(error, Some("no attempt has finished"));
            assert_eq!(deaths, 3);
            Ok(())
        })
        .await
    }
    // ANCHOR_END: poison

    // ANCHOR: fair
    /// Four processes share the jobs: each does at least a third of
    /// what would be its fair share.
    #[tokio::test]
    async fn overload_is_shared_fairly() -> Result<(), JobError> {
        in_places("fair", async |place| {
            let mut processes = Processes::new(&place, 0)?;
            let mut running = Vec::new();
            for _ in 0..4 {
                running.push(processes.start(&[])?.1);
            }
            while processes.log.all("ready").len() < 4 {
                sleep(Duration::from_millis(5)).await;
            }
            // All of them in one commit.
            let mut transaction = place.queue.begin().await?;
            for n in 0..200 {
                let (key, queue) = (n.to_string(), &place.queue);
                queue.enqueue(&mut transaction, &key, None, "").await?;
            }
            transaction.commit().await?;
            place.queue.drained().await?;
            drop(running);
            let mut shares = BTreeMap::<_, u32>::new();
            for (worker, _, _) in processes.log.all("effect") {
                *shares.entry(worker).or_default() += 1;
            }
            writeln!(std::io::stderr(), "{shares:?}")?;
            let fair = 200 / 4;
            assert!(shares.values().all(|share| *share >= fair / 3));
            assert_eq!(shares.len(), 4);
            Ok(())
        })
        .await
    }
    // ANCHOR_END: fair
}
