//! Other writers, failures, and cancels.

use super::solution::{TransferError, transfer};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqlitePool};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

exam::tests! {
    current it_moves_and_records,
    threads concurrent_transfers_succeed,
    threads a_writer_is_waited_for,
    current a_transfer_to_oneself_changes_nothing,
    current a_failure_changes_nothing,
    current a_cancel_leaves_nothing_open,
}

/// Accounts 1 to 4 with 1000 each.
async fn bank(connections: u32) -> (TempDir, SqlitePool) {
    let folder = tempfile::tempdir().expect("a folder");
    let pool = open(&folder, connections).await;
    for statement in [
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
        "CREATE TABLE history (source INTEGER NOT NULL, target INTEGER NOT NULL,
             amount INTEGER NOT NULL)",
        "INSERT INTO accounts VALUES (1, 1000), (2, 1000), (3, 1000), (4, 1000)",
    ] {
        run(&pool, statement).await;
    }
    (folder, pool)
}

async fn open(folder: &TempDir, connections: u32) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("bank.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(connections);
    pool.connect_with(options).await.expect("a database")
}

async fn run(pool: &SqlitePool, statement: &str) {
    let ended = sqlx::query(AssertSqlSafe(statement)).execute(pool).await;
    ended.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn numbers(pool: &SqlitePool, statement: &str) -> Vec<i64> {
    let numbers = sqlx::query_scalar(AssertSqlSafe(statement))
        .fetch_all(pool)
        .await;
    numbers.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

async fn balances(pool: &SqlitePool) -> Vec<i64> {
    numbers(pool, "SELECT balance FROM accounts ORDER BY id").await
}

async fn history(pool: &SqlitePool) -> Vec<i64> {
    numbers(pool, "SELECT amount FROM history ORDER BY rowid").await
}

async fn it_moves_and_records() {
    let (_folder, pool) = bank(1).await;
    for amount in [300, 700] {
        let moved = timeout(Duration::from_secs(4), transfer(&pool, 1, 2, amount)).await;
        moved
            .expect("one connection isn't enough")
            .expect("the balance suffices");
    }
    assert_eq!(balances(&pool).await, [0, 2000, 1000, 1000]);
    assert_eq!(history(&pool).await, [300, 700]);
}

async fn concurrent_transfers_succeed() {
    let (_folder, pool) = bank(8).await;
    let mut tasks = JoinSet::new();
    for n in 0..64 {
        let pool = pool.clone();
        tasks.spawn(async move { transfer(&pool, n % 4 + 1, (n + 1) % 4 + 1, 5).await });
    }
    for ended in tasks.join_all().await {
        ended.expect("a transfer failed because others run");
    }
    assert_eq!(
        balances(&pool).await,
        [1000; 4],
        "everybody gave and got the same"
    );
    assert_eq!(history(&pool).await.len(), 64, "entries in the history");
}

async fn a_writer_is_waited_for() {
    let (folder, pool) = bank(2).await;
    let other = open(&folder, 1).await;
    let mut writer = other
        .begin_with("BEGIN IMMEDIATE")
        .await
        .expect("nobody else writes");
    let pays = "UPDATE accounts SET balance = balance - 600 WHERE id = 1";
    sqlx::query(pays)
        .execute(&mut *writer)
        .await
        .expect("it has the lock");
    let own = pool.clone();
    let moved = tokio::spawn(async move { transfer(&own, 1, 2, 600).await });
    sleep(Duration::from_millis(400)).await;
    writer.commit().await.expect("it has the lock");
    let moved = moved.await.expect("no panic");
    let is_late = matches!(moved, Err(TransferError::Insufficient(400)));
    assert!(
        is_late,
        "another process had taken 600, and it returned {moved:?}"
    );
    assert_eq!(balances(&pool).await, [400, 1000, 1000, 1000]);
}

async fn a_transfer_to_oneself_changes_nothing() {
    let (_folder, pool) = bank(2).await;
    // Whether it's refused is open.
    drop(transfer(&pool, 1, 1, 300).await);
    assert_eq!(
        balances(&pool).await,
        [1000; 4],
        "after a transfer to oneself"
    );
}

async fn a_failure_changes_nothing() {
    let (_folder, pool) = bank(1).await;
    let few = transfer(&pool, 1, 2, 1001).await;
    assert!(
        matches!(few, Err(TransferError::Insufficient(1000))),
        "1001 of 1000: {few:?}"
    );
    for (from, to) in [(9, 1), (1, 9)] {
        let none = transfer(&pool, from, to, 10).await;
        assert!(
            matches!(none, Err(TransferError::NoAccount(9))),
            "without account 9: {none:?}"
        );
    }
    run(
        &pool,
        "CREATE TRIGGER fails BEFORE INSERT ON history WHEN NEW.amount = 7
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .await;
    let failed = transfer(&pool, 1, 2, 7).await;
    assert!(
        matches!(failed, Err(TransferError::Database(_))),
        "no history: {failed:?}"
    );
    assert_eq!(balances(&pool).await, [1000; 4], "after failures");
    transfer(&pool, 1, 2, 8)
        .await
        .expect("the balance suffices");
    assert_eq!(history(&pool).await, [8], "after failures");
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

async fn a_cancel_leaves_nothing_open() {
    let (folder, pool) = bank(1).await;
    let other = open(&folder, 1).await;
    // A slow statement, and a cancel after it has the lock.
    for statement in [
        "CREATE TABLE numbers (number INTEGER)",
        "INSERT INTO numbers WITH RECURSIVE n (number) AS
             (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < 250) SELECT * FROM n",
        "CREATE TRIGGER slow AFTER INSERT ON history WHEN NEW.amount = 7
         BEGIN SELECT COUNT(*) FROM numbers a, numbers b, numbers c; END",
    ] {
        run(&pool, statement).await;
    }
    run(&other, "PRAGMA busy_timeout = 0").await;
    tokio::select! {
        ended = transfer(&pool, 1, 2, 7) => ended.expect("the balance suffices"),
        () = is_locked(&other) => {}
    }
    run(&other, "PRAGMA busy_timeout = 5000").await;
    assert_clean(&pool, &other, "during its transaction").await;

    for polls in 0.. {
        let ended = polled(transfer(&pool, 1, 2, 1), polls).await;
        assert_clean(&pool, &other, &format!("at poll {polls}")).await;
        if let Some(ended) = ended {
            ended.expect("the balance suffices");
            return;
        }
    }
}

/// Returns when another connection has the lock to write. By the first try, it usually has.
async fn is_locked(pool: &SqlitePool) {
    sleep(Duration::from_millis(100)).await;
    while let Ok(transaction) = pool.begin_with("BEGIN IMMEDIATE").await {
        drop(transaction);
        sleep(Duration::from_millis(1)).await;
    }
}

/// Asserts that other processes and the pool can write, and that nothing was moved by half.
async fn assert_clean(pool: &SqlitePool, other: &SqlitePool, canceled: &str) {
    let writes = run(
        other,
        "UPDATE accounts SET balance = balance + 1 WHERE id = 3",
    );
    let written = timeout(Duration::from_secs(4), writes).await;
    written.unwrap_or_else(|_| panic!("still locked after a cancel {canceled}"));
    let next = timeout(Duration::from_secs(4), transfer(pool, 4, 2, 0)).await;
    let next = next.unwrap_or_else(|_| panic!("no connection after a cancel {canceled}"));
    next.unwrap_or_else(|error| panic!("after a cancel {canceled}: {error:?}"));
    let both = "SELECT 1000 - balance FROM accounts WHERE id = 1
        UNION ALL SELECT COALESCE(SUM(amount), 0) FROM history";
    let both = numbers(pool, both).await;
    assert_eq!(
        both[0], both[1],
        "moved and recorded, after a cancel {canceled}"
    );
    let sum = numbers(pool, "SELECT SUM(balance) FROM accounts WHERE id IN (1, 2)").await;
    assert_eq!(sum, [2000], "moved from and to, after a cancel {canceled}");
}
