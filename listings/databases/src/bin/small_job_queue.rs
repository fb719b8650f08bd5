//! Queue jobs in an SQLite file: leases, retries, and dead letters in a short program.

// ANCHOR: open
use std::{panic::AssertUnwindSafe, path::Path, time::Duration};

use futures::FutureExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode::Wal};
use sqlx::{Connection, SqliteExecutor, SqlitePool, sqlite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Runs each job at least once, or gives it up after `attempts`.
#[derive(Clone)]
struct Queue {
    pool: SqlitePool,
    attempts: i64, // Then, the job is dead: somebody must look.
    limit: Duration, // How long an attempt may take.
    lease: Duration, // `limit`, and time for two statements.
    backoff: Duration, // Doubled after each failure.
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS jobs (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
        payload TEXT NOT NULL, error TEXT,
        state TEXT NOT NULL DEFAULT 'open', -- Or 'done', or 'dead'.
        attempts INTEGER NOT NULL DEFAULT 0,
        token INTEGER NOT NULL DEFAULT 0, -- Greater with each claim.
        visible_at INTEGER NOT NULL -- In milliseconds.
            DEFAULT (unixepoch('subsec') * 1000));
    CREATE INDEX IF NOT EXISTS visible ON jobs (visible_at, id)
        WHERE state = 'open'";

async fn open(file: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(file);
    let options = options.create_if_missing(true).journal_mode(Wal);
    let pool = sqlite::SqlitePoolOptions::new();
    let pool = pool.before_acquire(|connection, _| {
        Box::pin(async { Ok(!connection.is_in_transaction()) })
    }); // Discards one whose transaction SQLite rolled back.
    let pool = pool.connect_with(options).await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await.map(|_| pool)
}
// ANCHOR_END: open

// ANCHOR: enqueue
/// Adds a job, unless there is one with this key. Call it in the
/// transaction of the change that needs the job.
async fn enqueue(
    database: impl SqliteExecutor<'_>,
    key: &str,
    payload: &str,
) -> sqlx::Result<bool> {
    let insert = "INSERT INTO jobs (key, payload) VALUES ($1, $2)
                  ON CONFLICT (key) DO NOTHING";
    let insert = sqlx::query(insert).bind(key).bind(payload);
    Ok(insert.execute(database).await?.rows_affected() == 1)
}

struct Job {
    id: i64,
    key: String, // Pass it on, because the job may run again.
    payload: String,
    attempts: i64,
    token: i64,
}
// ANCHOR_END: enqueue

// ANCHOR: claim
impl Queue {
    /// If this is dropped, the job is visible again after the lease.
    async fn claim(&self) -> sqlx::Result<Option<Job>> {
        let claim = "UPDATE jobs
            SET attempts = attempts + 1, token = token + 1,
                visible_at = unixepoch('subsec') * 1000 + $1
            WHERE id = (SELECT id FROM jobs
                WHERE state = 'open'
                AND visible_at <= unixepoch('subsec') * 1000
                ORDER BY visible_at, id LIMIT 1)
            RETURNING id, key, payload, attempts, token";
        let claim = sqlx::query_as(claim).bind(millis(self.lease));
        // All rows, because the first may come before the commit.
        let claimed = claim.fetch_all(&self.pool).await?.pop();
        let Some((id, key, payload, attempts, token)) = claimed else {
            return Ok(None);
        };
        Ok(Some(Job { id, key, payload, attempts, token }))
    }
}
// ANCHOR_END: claim

// ANCHOR: end
impl Queue {
    /// Returns false if the lease was lost, and changes nothing then.
    async fn end(
        &self,
        job: &Job,
        ended: &Result<(), String>,
    ) -> sqlx::Result<bool> {
        let state = match ended {
            Ok(()) => "done",
            Err(_) if job.attempts < self.attempts => "open",
            Err(_) => "dead",
        };
        let doubled = 1 << (job.attempts - 1).clamp(0, 10);
        let most = self.backoff.saturating_mul(doubled);
        let pause = most.mul_f64(0.5 + fastrand::f64() / 2.0);
        let update = "UPDATE jobs
            SET state = $1, error = $2,
                visible_at = unixepoch('subsec') * 1000 + $3
            WHERE id = $4 AND token = $5 AND state = 'open'";
        let update = sqlx::query(update)
            .bind(state)
            .bind(ended.as_ref().err())
            .bind(millis(pause))
            .bind(job.id)
            .bind(job.token);
        Ok(update.execute(&self.pool).await?.rows_affected() == 1)
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis().try_into().unwrap_or(i64::MAX / 2)
}
// ANCHOR_END: end

// ANCHOR: work
impl Queue {
    /// Works until `stop`, and finishes the job that it has started.
    async fn work<R>(&self, run: R, stop: &CancellationToken)
    where
        R: AsyncFn(&Job) -> anyhow::Result<()>,
    {
        while !stop.is_cancelled() {
            match self.next(&run).await {
                Ok(true) => continue,
                Ok(false) => {} // No job is visible.
                Err(error) => tracing::error!(%error, "the queue"),
            }
            stop.run_until_cancelled(sleep(POLL)).await;
        }
    }

    /// Runs a job. If this is dropped, it's retried after the lease.
    async fn next<R>(&self, run: &R) -> sqlx::Result<bool>
    where
        R: AsyncFn(&Job) -> anyhow::Result<()>,
    {
        let Some(job) = self.claim().await? else { return Ok(false) };
        let ended = if job.attempts > self.attempts {
            Err("each worker died, or lost its lease".to_owned())
        } else {
            let attempt =
                async { timeout(self.limit, run(&job)).await };
            match AssertUnwindSafe(attempt).catch_unwind().await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(error))) => Err(format!("{error:#}")),
                Ok(Err(_)) => Err("it took too long".to_owned()),
                Err(_) => Err("it panicked; see the log".to_owned()),
            }
        };
        if !self.end(&job, &ended).await? {
            tracing::warn!(job.key, "lost its lease, and runs again");
        }
        Ok(true)
    }
}
// ANCHOR_END: work

const POLL: Duration = Duration::from_millis(100);

impl Queue {
    fn new(pool: SqlitePool) -> Self {
        let second = Duration::from_secs(1);
        let (limit, lease) = (30 * second, 40 * second);
        Self { pool, attempts: 3, limit, lease, backoff: second / 20 }
    }

    async fn state(&self, key: &str) -> sqlx::Result<(String, String)> {
        let state = "SELECT state, coalesce(error, '') FROM jobs
                     WHERE key = $1";
        sqlx::query_as(state).bind(key).fetch_one(&self.pool).await
    }
}

/// The mail server refuses each customer's first mail.
async fn send(mail: &Job) -> anyhow::Result<()> {
    println!("{}, attempt {}", mail.key, mail.attempts);
    anyhow::ensure!(mail.payload != "nobody", "no such customer");
    anyhow::ensure!(mail.attempts > 1, "try again later");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let queue = Queue::new(open(&folder.path().join("shop")).await?);
    for key in ["mail-7", "mail-7"] {
        let mut order =
            queue.pool.begin_with("BEGIN IMMEDIATE").await?;
        let new = enqueue(&mut *order, key, "Ada").await?;
        order.commit().await?;
        println!("{key} is new: {new}");
    }
    let stop = CancellationToken::new();
    let done = async {
        for (key, to) in [("mail-7", "Ada"), ("mail-8", "nobody")] {
            enqueue(&queue.pool, key, to).await?;
            while queue.state(key).await?.0 == "open" {
                sleep(POLL).await;
            }
            println!("{key}: {:?}", queue.state(key).await?);
        }
        stop.cancel();
        anyhow::Ok(())
    };
    tokio::join!(queue.work(send, &stop), done).1
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use hazards::{at_every_poll, within};
    use tempfile::TempDir;

    use super::*;

    type Outcome = anyhow::Result<()>;

    const SOON: Duration = Duration::from_secs(10);

    /// A queue whose leases end soon.
    async fn hasty() -> anyhow::Result<(Queue, TempDir)> {
        let folder = tempfile::tempdir()?;
        let queue =
            Queue::new(open(&folder.path().join("shop")).await?);
        let short = Duration::from_millis(20);
        let queue = Queue {
            limit: short,
            lease: 2 * short,
            backoff: short,
            ..queue
        };
        enqueue(&queue.pool, "mail-7", "Ada").await?;
        Ok((queue, folder))
    }

    /// Works until the job isn't open.
    async fn work<R>(
        queue: &Queue,
        run: R,
    ) -> anyhow::Result<(String, String)>
    where
        R: AsyncFn(&Job) -> Outcome,
    {
        let stop = CancellationToken::new();
        let done = async {
            while queue.state("mail-7").await?.0 == "open" {
                sleep(POLL / 10).await;
            }
            stop.cancel();
            queue.state("mail-7").await
        };
        let both =
            async { tokio::join!(queue.work(run, &stop), done).1 };
        Ok(within(SOON, both).await?)
    }

    fn pair(state: &str, error: &str) -> (String, String) {
        (state.to_owned(), error.to_owned())
    }

    #[tokio::test]
    async fn cancel_runs_the_job_again() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let queue = Queue { attempts: 1000, ..queue };
        let mut number = 0;
        at_every_poll(async |cancel| {
            number += 1;
            let key = number.to_string();
            let new = enqueue(&queue.pool, &key, "Ada").await;
            assert!(new.expect("a new key"));
            let run = async |_: &Job| {
                tokio::task::yield_now().await;
                Ok(())
            };
            cancel.run(queue.next(&run)).await;
        })
        .await;
        assert_eq!(
            work(&queue, async |_: &Job| Ok(())).await?.0,
            "done"
        );
        let done = async {
            for key in 1..=number {
                while queue.state(&key.to_string()).await?.0 != "done" {
                    sleep(POLL / 10).await;
                    queue.next(&async |_: &Job| Ok(())).await?;
                }
            }
            anyhow::Ok(())
        };
        within(SOON, done).await
    }

    #[tokio::test]
    async fn failure_is_retried_and_kept() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let fails = async |job: &Job| match job.attempts {
            3 => Ok(()),
            number => Err(anyhow::anyhow!("{number}")),
        };
        assert_eq!(work(&queue, fails).await?, pair("done", ""));
        let (queue, _folder) = hasty().await?;
        let fails = async |_: &Job| {
            let full = anyhow::anyhow!("disk full");
            Err(full.context("no mail"))
        };
        let dead = pair("dead", "no mail: disk full");
        assert_eq!(work(&queue, fails).await?, dead);
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_the_longest_pause() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let queue = Queue { backoff: Duration::MAX, ..queue };
        let fails = async |_: &Job| Err(anyhow::anyhow!("disk full"));
        assert!(queue.next(&fails).await?);
        assert_eq!(queue.state("mail-7").await?.0, "open");
        assert!(!queue.next(&fails).await?);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_full_disk_loses_no_later_job() -> Outcome {
        let (queue, folder) = hasty().await?;
        let other = open(&folder.path().join("shop")).await?;
        let large = "x".repeat(100_000);
        for round in 0..20 {
            let mut order = queue.pool.begin().await?;
            let limit = sqlx::query("PRAGMA max_page_count = 1");
            limit.execute(&mut *order).await?;
            let full = enqueue(&mut *order, "large", &large).await;
            assert!(full.is_err());
            drop(order);
            // One order fails, and is rolled back. The next is fine.
            let mut order = queue.pool.begin().await?;
            assert!(enqueue(&mut *order, "failed", "Ada").await?);
            drop(order);
            let mut order = queue.pool.begin().await?;
            enqueue(&mut *order, &round.to_string(), "Ada").await?;
            order.commit().await?;
            let jobs = sqlx::query_scalar("SELECT count(*) FROM jobs");
            let jobs: i64 = jobs.fetch_one(&other).await?;
            assert_eq!(jobs, 2 + round); // And one of `hasty`.
        }
        Ok(())
    }

    /// The worker outlives an error of the database.
    #[tokio::test]
    async fn failure_of_the_database_is_survived() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let rename = "ALTER TABLE jobs RENAME TO lost";
        sqlx::query(rename).execute(&queue.pool).await?;
        let stop = CancellationToken::new();
        let repair = async {
            sleep(POLL / 2).await;
            let rename = "ALTER TABLE lost RENAME TO jobs";
            sqlx::query(rename).execute(&queue.pool).await?;
            sleep(POLL * 2).await;
            stop.cancel();
            anyhow::Ok(())
        };
        let done = async |_: &Job| Ok(());
        tokio::join!(queue.work(done, &stop), repair).1?;
        assert_eq!(queue.state("mail-7").await?.0, "done");
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_a_job_is_a_failure() -> Outcome {
        let (queue, _folder) = hasty().await?;
        enqueue(&queue.pool, "mail-8", "Bob").await?;
        let run = async |job: &Job| match &*job.key {
            "mail-7" => std::panic::resume_unwind(Box::new("a bug")),
            _ => Ok(()),
        };
        let dead = pair("dead", "it panicked; see the log");
        assert_eq!(work(&queue, run).await?, dead);
        assert_eq!(queue.state("mail-8").await?.0, "done");
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_job_ends_at_the_limit() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let silent = async |_: &Job| std::future::pending().await;
        let dead = pair("dead", "it took too long");
        assert_eq!(work(&queue, silent).await?, dead);
        Ok(())
    }

    /// The second claim is of the same worker, and yet the first is late.
    #[tokio::test]
    async fn again_a_late_worker_changes_nothing() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let queue = Queue { lease: SOON / 10, ..queue };
        assert!(!enqueue(&queue.pool, "mail-7", "Ada").await?);
        let late = queue.claim().await?.expect("a job");
        assert!(queue.claim().await?.is_none());
        sleep(queue.lease * 2).await;
        let job = queue.claim().await?.expect("visible again");
        for ended in [Ok(()), Err("late".to_owned())] {
            assert!(!queue.end(&late, &ended).await?);
        }
        assert_eq!(queue.state("mail-7").await?, pair("open", ""));
        assert!(queue.end(&job, &Ok(())).await?);
        assert!(!queue.end(&job, &Err("again".to_owned())).await?);
        assert_eq!(queue.state("mail-7").await?.0, "done");
        assert!(!enqueue(&queue.pool, "mail-7", "Ada").await?);
        Ok(())
    }

    /// Each worker dies with its job; the file is opened again each time.
    #[tokio::test]
    async fn crash_of_all_workers_leaves_a_dead_job() -> Outcome {
        let (mut queue, folder) = hasty().await?;
        for attempt in 1..=queue.attempts {
            let job = queue.claim().await?.expect("a job");
            assert_eq!(job.attempts, attempt);
            sleep(queue.lease * 2).await;
            queue.pool = open(&folder.path().join("shop")).await?;
        }
        let run = async |_: &Job| -> Outcome { unreachable!() };
        let dead = pair("dead", "each worker died, or lost its lease");
        assert_eq!(work(&queue, run).await?, dead);
        Ok(())
    }

    /// A retry gets its turn, however many new jobs there are.
    #[tokio::test]
    async fn overload_of_new_jobs_delays_no_retry() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let fails = async |_: &Job| Err(anyhow::anyhow!("later"));
        assert!(queue.next(&fails).await?);
        sleep(2 * queue.backoff).await;
        for number in 0..10 {
            enqueue(&queue.pool, &number.to_string(), "Ada").await?;
        }
        assert!(queue.next(&async |_: &Job| Ok(())).await?);
        assert_eq!(queue.state("mail-7").await?.0, "done");
        Ok(())
    }

    /// What isn't committed isn't queued.
    #[tokio::test]
    async fn crash_before_the_commit_enqueues_nothing() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let mut order =
            queue.pool.begin_with("BEGIN IMMEDIATE").await?;
        assert!(enqueue(&mut *order, "mail-8", "Bob").await?);
        drop(order);
        assert!(queue.state("mail-8").await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn stop_finishes_the_started_job() -> Outcome {
        let (queue, _folder) = hasty().await?;
        enqueue(&queue.pool, "mail-8", "Bob").await?;
        let stop = CancellationToken::new();
        let stopping = async |_: &Job| {
            stop.cancel();
            tokio::task::yield_now().await;
            Ok(())
        };
        within(SOON, queue.work(stopping, &stop)).await;
        assert_eq!(queue.state("mail-7").await?.0, "done");
        assert_eq!(queue.state("mail-8").await?.0, "open");
        within(SOON, queue.work(stopping, &stop)).await;
        assert_eq!(queue.state("mail-8").await?.0, "open");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_run_each_job_once() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let queue = Queue { limit: SOON, lease: 2 * SOON, ..queue };
        for number in 1..50 {
            enqueue(&queue.pool, &number.to_string(), "Ada").await?;
        }
        let runs = AtomicU32::new(0);
        let run = async |_: &Job| {
            runs.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let drain = async || {
            while queue.next(&run).await? {}
            anyhow::Ok(())
        };
        tokio::try_join!(drain(), drain(), drain(), drain())?;
        assert_eq!(runs.into_inner(), 50);
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_texts_and_an_empty_queue() -> Outcome {
        let (queue, _folder) = hasty().await?;
        let queue = Queue::new(queue.pool);
        let queue = Queue { backoff: 10 * SOON, ..queue };
        let text = "'; Jörg\0 漢";
        enqueue(&queue.pool, text, text).await?;
        let run = async |job: &Job| match &*job.key {
            "mail-7" => Ok(()),
            _ => Err(anyhow::anyhow!("{}", job.payload)),
        };
        assert!(queue.next(&run).await?);
        assert!(queue.next(&run).await?);
        assert!(!queue.next(&run).await?);
        assert_eq!(queue.state(text).await?.1, text);
        Ok(())
    }
}
