//! Late workers, crashes, and claims at the same moment.

use super::solution::{Job, Queue};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqlitePool};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

exam::tests! {
    current jobs_are_claimed_and_completed,
    threads no_job_is_claimed_twice,
    current a_late_worker_changes_nothing,
    current a_late_failure_frees_nothing,
    current a_job_that_crashes_is_given_up,
    current complete_is_final,
    current a_canceled_claim_loses_no_job,
}

async fn open(folder: &TempDir) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("jobs.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(4);
    pool.connect_with(options).await.expect("a database")
}

/// A file with some jobs, of three attempts each.
async fn queue(jobs: usize) -> (TempDir, Queue) {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = open(&folder).await;
    let create = "CREATE TABLE jobs (id INTEGER PRIMARY KEY, attempts INTEGER DEFAULT 0,
        free_at INTEGER DEFAULT 0, worker TEXT, result TEXT)";
    run(&pool, create).await;
    for _ in 0..jobs {
        run(&pool, "INSERT INTO jobs DEFAULT VALUES").await;
    }
    let worker = "this process".to_owned();
    (
        folder,
        Queue {
            pool,
            worker,
            lease: 100,
            attempts: 3,
        },
    )
}

async fn run(pool: &SqlitePool, statement: &str) {
    let ended = sqlx::query(AssertSqlSafe(statement)).execute(pool).await;
    ended.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn result(queue: &Queue, job: &Job) -> Option<String> {
    let select = sqlx::query_scalar("SELECT result FROM jobs WHERE id = ?").bind(job.id);
    select
        .fetch_one(&queue.pool)
        .await
        .expect("the job is there")
}

async fn claim(queue: &Queue, now: i64) -> Option<Job> {
    let claimed = queue.claim(now).await;
    claimed.unwrap_or_else(|error| panic!("a claim failed: {error}"))
}

async fn claim_one(queue: &Queue, now: i64) -> Job {
    claim(queue, now)
        .await
        .unwrap_or_else(|| panic!("no job is free at {now}"))
}

async fn complete(queue: &Queue, job: &Job, result: &str) -> bool {
    queue
        .complete(job, result)
        .await
        .expect("nobody else writes")
}

async fn fail(queue: &Queue, job: &Job) -> bool {
    queue.fail(job).await.expect("nobody else writes")
}

async fn jobs_are_claimed_and_completed() {
    let (_folder, queue) = queue(2).await;
    let (first, second) = (claim_one(&queue, 0).await, claim_one(&queue, 0).await);
    assert_eq!((first.id, second.id), (1, 2), "the order of the jobs");
    assert!(
        claim(&queue, 99).await.is_none(),
        "a job was claimed twice during its lease"
    );
    assert!(
        complete(&queue, &second, "done").await,
        "the job is this worker's"
    );
    assert_eq!(
        result(&queue, &second).await.as_deref(),
        Some("done"),
        "the result"
    );
    assert!(fail(&queue, &first).await, "the job is this worker's");
    let again = claim_one(&queue, 50).await;
    assert_eq!(again.id, first.id, "the job that failed");
    assert!(
        complete(&queue, &again, "done").await,
        "the job is this worker's"
    );
    assert!(
        claim(&queue, 1000).await.is_none(),
        "a job was claimed after it was completed"
    );
}

async fn no_job_is_claimed_twice() {
    let (folder, queue) = queue(8).await;
    let other = open(&folder).await;
    let mut claims = JoinSet::new();
    // Until the writer is ready, every claim gets as far as it can without writing.
    let writer = other
        .begin_with("BEGIN IMMEDIATE")
        .await
        .expect("nobody else writes");
    for n in 0..8 {
        let pool = if n % 2 == 0 {
            queue.pool.clone()
        } else {
            other.clone()
        };
        let worker = n.to_string();
        let queue = Queue {
            pool,
            worker,
            ..queue
        };
        claims.spawn(async move { claim_one(&queue, 0).await.id });
    }
    sleep(Duration::from_millis(400)).await;
    writer.commit().await.expect("it has the lock");
    let claimed: BTreeSet<i64> = claims.join_all().await.into_iter().collect();
    assert_eq!(claimed.len(), 8, "different jobs of eight claims");
}

async fn a_late_worker_changes_nothing() {
    let (_folder, queue) = queue(1).await;
    let late = claim_one(&queue, 0).await;
    let other = claim_one(&queue, 200).await;
    assert!(
        !complete(&queue, &late, "late").await,
        "a late worker completed another's job"
    );
    assert_eq!(
        result(&queue, &other).await,
        None,
        "the result of a late worker"
    );
    assert!(
        complete(&queue, &other, "right").await,
        "the owner couldn't complete its job"
    );
    assert!(
        !complete(&queue, &late, "late").await,
        "a late worker completed another's job"
    );
    assert_eq!(
        result(&queue, &other).await.as_deref(),
        Some("right"),
        "the result"
    );
}

async fn a_late_failure_frees_nothing() {
    let (_folder, queue) = queue(1).await;
    let late = claim_one(&queue, 0).await;
    let other = claim_one(&queue, 200).await;
    assert!(
        !fail(&queue, &late).await,
        "a late worker gave another's job back"
    );
    assert!(
        claim(&queue, 250).await.is_none(),
        "a job was claimed during another's lease"
    );
    assert!(
        complete(&queue, &other, "right").await,
        "the owner couldn't complete its job"
    );
    assert!(
        !fail(&queue, &late).await,
        "a late worker gave a complete job back"
    );
    assert!(
        claim(&queue, 1000).await.is_none(),
        "a complete job was claimed"
    );
}

async fn a_job_that_crashes_is_given_up() {
    let (_folder, queue) = queue(2).await;
    for now in [0, 100, 200] {
        let job = claim_one(&queue, now).await;
        assert_eq!(job.id, 1, "the job whose worker crashed");
    }
    let next = claim_one(&queue, 300).await;
    assert_eq!(next.id, 2, "the first job has crashed three times");
    assert!(fail(&queue, &next).await, "the job is this worker's");
    let next = claim_one(&queue, 310).await;
    assert!(fail(&queue, &next).await, "the job is this worker's");
    let next = claim_one(&queue, 320).await;
    assert_eq!(next.id, 2, "it has failed only twice");
    assert!(fail(&queue, &next).await, "the job is this worker's");
    assert!(
        claim(&queue, 1000).await.is_none(),
        "a job had more than three attempts"
    );
}

async fn complete_is_final() {
    let (_folder, queue) = queue(1).await;
    let job = claim_one(&queue, 0).await;
    assert!(
        complete(&queue, &job, "first").await,
        "the job is this worker's"
    );
    assert!(
        !complete(&queue, &job, "second").await,
        "a job was completed twice"
    );
    assert!(!fail(&queue, &job).await, "a complete job failed");
    assert_eq!(
        result(&queue, &job).await.as_deref(),
        Some("first"),
        "the result"
    );
}

/// Polls a future so many times, and drops it then.
async fn polled<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

async fn a_canceled_claim_loses_no_job() {
    let (_folder, queue) = queue(1).await;
    let queue = Queue {
        attempts: 1000,
        ..queue
    };
    let mut now = 0;
    for polls in 0.. {
        let ended = polled(queue.claim(now), polls).await;
        now += 100;
        let job = claim_one(&queue, now).await;
        assert!(fail(&queue, &job).await, "the job is this worker's");
        if let Some(ended) = ended {
            ended.expect("nobody else writes");
            return;
        }
    }
}
