//! One connection for writes, and a pool of read-only connections.

// ANCHOR: database
use std::{path::Path, time::Duration};

use sqlx::{
    Connection, SqlitePool, SqliteTransaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
    },
};

struct Database {
    /// Its only connection is the lock: writers wait in this process.
    writer: SqlitePool,
    /// A write with one of these fails with "attempt to write a
    /// readonly database".
    readers: SqlitePool,
}

impl Database {
    async fn open(file: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // For writers in other processes.
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(Duration::from_secs(10));
        let write = options.clone().create_if_missing(true);
        let one = pool.clone().max_connections(1);
        let writer = connect(one, write).await?;
        let read = pool.max_connections(4);
        let readers =
            read.connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Waits for the writers before it, in the order of their calls.
    async fn write(&self) -> sqlx::Result<SqliteTransaction<'static>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }
}
// ANCHOR_END: database

// ANCHOR: connect
/// Switching a new file to WAL fails immediately if another process
/// does the same; the busy timeout doesn't apply.
async fn connect(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> sqlx::Result<SqlitePool> {
    // Discards a connection whose transaction SQLite rolled back.
    let pool = pool.before_acquire(|connection, _| {
        Box::pin(async { Ok(!connection.is_in_transaction()) })
    });
    let mut tries = 0;
    loop {
        let opened = pool.clone().connect_with(options.clone()).await;
        match opened {
            Err(error) if is_locked(&error) && tries < 50 => tries += 1,
            opened => return opened,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|it| it.code().as_deref() == Some("5"))
}
// ANCHOR_END: connect

// ANCHOR: use
impl Database {
    /// Sells one unit, if there is one. If the call is canceled before
    /// the commit, the transaction is rolled back.
    async fn sell(&self) -> sqlx::Result<bool> {
        let mut transaction = self.write().await?;
        let amount: i64 = sqlx::query_scalar(AMOUNT)
            .fetch_one(&mut *transaction)
            .await?;
        if amount < 1 {
            return Ok(false);
        }
        sqlx::query("UPDATE stock SET amount = $1")
            .bind(amount - 1)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Doesn't wait for writers.
    async fn amount(&self) -> sqlx::Result<i64> {
        sqlx::query_scalar(AMOUNT).fetch_one(&self.readers).await
    }

    /// The writer last: the last connection to close cleans up.
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

const AMOUNT: &str = "SELECT amount FROM stock";
// ANCHOR_END: use

async fn open(
    folder: &tempfile::TempDir,
    amount: i64,
) -> sqlx::Result<Database> {
    let database =
        Database::open(&folder.path().join("stock.db")).await?;
    sqlx::query("CREATE TABLE stock (amount INTEGER NOT NULL)")
        .execute(&database.writer)
        .await?;
    sqlx::query("INSERT INTO stock VALUES ($1)")
        .bind(amount)
        .execute(&database.writer)
        .await?;
    Ok(database)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let database = open(&folder, 5).await?;
    let sales = (0..20).map(|_| database.sell());
    let sales = futures::future::try_join_all(sales).await?;
    println!(
        "sold: {}",
        sales.into_iter().filter(|sold| *sold).count()
    );
    println!("left: {}", database.amount().await?);
    let write = sqlx::query("UPDATE stock SET amount = 9");
    if let Err(error) = write.execute(&database.readers).await {
        println!("a reader that writes: {error}");
    }
    database.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn overload_of_writers_waits() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 50).await?;
        let sales = (0..100).map(|_| database.sell());
        let sales = futures::future::try_join_all(sales).await?;
        assert_eq!(sales.iter().filter(|sold| **sold).count(), 50);
        assert_eq!(database.amount().await?, 0);
        database.close().await;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_read_while_others_write() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = Arc::new(open(&folder, 50).await?);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let writer = Arc::clone(&database);
            tasks.spawn(async move { writer.sell().await });
            let reader = Arc::clone(&database);
            tasks.spawn(async move {
                Ok((0..=50).contains(&reader.amount().await?))
            });
        }
        for done in tasks.join_all().await {
            assert!(done?);
        }
        assert_eq!(database.amount().await?, 0);
        database.close().await;
        Ok(())
    }

    /// A silent reader, and a silent writer: readers wait for neither.
    #[tokio::test]
    async fn silence_of_a_transaction_delays_no_reader()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        let mut reading = database.readers.begin().await?;
        let before: i64 =
            sqlx::query_scalar(AMOUNT).fetch_one(&mut *reading).await?;
        assert!(database.sell().await?);
        let writing = database.write().await?;
        assert_eq!((before, database.amount().await?), (5, 4));
        drop((reading, writing));
        assert!(database.sell().await?);
        database.close().await;
        Ok(())
    }

    /// Another process holds the lock for longer than the busy timeout.
    #[tokio::test]
    async fn slow_writers_elsewhere_are_an_error() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        let elsewhere =
            Database::open(&folder.path().join("stock.db")).await?;
        let slow = elsewhere.write().await?;
        let busy = database.sell().await.expect_err("it's locked");
        assert!(busy.to_string().contains("(code: 5)"), "{busy}");
        drop(slow);
        assert!(database.sell().await?);
        elsewhere.close().await;
        database.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn cancel_sells_all_of_it_or_nothing() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 500).await?;
        hazards::at_every_poll(async |cancel| {
            // On the same connection, after what was canceled before.
            let before = sqlx::query_scalar::<_, i64>(AMOUNT)
                .fetch_one(&database.writer)
                .await
                .expect("an amount");
            let sold = cancel.run(database.sell()).await;
            let after = sqlx::query_scalar::<_, i64>(AMOUNT)
                .fetch_one(&database.writer)
                .await
                .expect("an amount");
            assert!(after == before || after == before - 1);
            assert!(sold.is_none() || after == before - 1);
        })
        .await;
        database.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn failure_unlocks_the_writer() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        let limit = "CREATE TRIGGER broken BEFORE UPDATE ON stock
                     BEGIN SELECT RAISE(ABORT, 'broken'); END";
        sqlx::query(limit).execute(&database.writer).await?;
        for _ in 0..3 {
            assert!(database.sell().await.is_err());
        }
        sqlx::query("DROP TRIGGER broken")
            .execute(&database.writer)
            .await?;
        assert!(database.sell().await?);
        database.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_full_disk_stops_no_later_sale()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        let mut full = database.write().await?;
        let limit = sqlx::query("PRAGMA max_page_count = 1");
        limit.execute(&mut *full).await?;
        let large = "INSERT INTO stock VALUES (zeroblob(100000))";
        let large = sqlx::query(large).execute(&mut *full).await;
        assert!(large.is_err_and(|it| it.to_string().contains("full")));
        drop(full);
        for left in (0..5).rev() {
            assert!(database.sell().await?);
            assert_eq!(database.amount().await?, left);
        }
        database.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn edges_none_is_left() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 0).await?;
        assert!(!database.sell().await?);
        assert_eq!(database.amount().await?, 0);
        database.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn stop_leaves_one_file() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        database.amount().await?;
        assert!(folder.path().join("stock.db-wal").exists());
        database.close().await;
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        assert!(matches!(
            database.sell().await,
            Err(sqlx::Error::PoolClosed)
        ));
        Ok(())
    }

    /// Several processes start at the same time, on a new file.
    #[test]
    fn threads_that_open_a_new_file() -> std::io::Result<()> {
        for _ in 0..20 {
            let folder = tempfile::tempdir()?;
            let opened = (0..8).map(|_| {
                let file = folder.path().join("stock.db");
                std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime")
                        .block_on(async {
                            let database =
                                Database::open(&file).await?;
                            database.write().await?.commit().await?;
                            database.close().await;
                            Ok::<_, sqlx::Error>(())
                        })
                })
            });
            for opened in opened.collect::<Vec<_>>() {
                opened.join().expect("no panic").expect("opened");
            }
        }
        Ok(())
    }

    /// The pool closed its writer, because it was idle.
    #[tokio::test]
    async fn again_after_the_writer_was_idle() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        database.writer.close().await;
        assert_eq!(database.amount().await?, 5);
        database.readers.close().await;
        let database =
            Database::open(&folder.path().join("stock.db")).await?;
        assert_eq!(database.amount().await?, 5);
        assert!(database.sell().await?);
        database.close().await;
        Ok(())
    }

    /// The last connections are closed by the idle timeout, as in any
    /// order, and then a reader comes first.
    #[tokio::test]
    async fn again_after_all_were_idle() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 5).await?;
        let old =
            Database::open(&folder.path().join("stock.db")).await?;
        database.close().await;
        // As an idle timeout does.
        let one = old.writer.acquire().await?;
        one.close().await?;
        let one = old.readers.acquire().await?;
        one.close().await?;
        assert_eq!((old.writer.size(), old.readers.size()), (0, 0));
        assert_eq!(old.amount().await?, 5);
        assert!(old.sell().await?);
        assert_eq!(old.amount().await?, 4);
        old.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn slow_writer_lets_the_others_in_by_order()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let database = open(&folder, 50).await?;
        let slow = database.write().await?;
        let order = std::sync::Mutex::new(Vec::new());
        let order = &order;
        let database = &database;
        let sales = (0..20).map(|n| async move {
            let transaction = database.write().await?;
            order.lock().expect("no panic").push(n);
            transaction.commit().await
        });
        let sales = futures::future::try_join_all(sales);
        let (sold, slow) = tokio::join!(sales, async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            slow.commit().await
        });
        sold?;
        slow?;
        let order = order.lock().expect("no panic").clone();
        assert_eq!(order, (0..20).collect::<Vec<_>>());
        database.close().await;
        Ok(())
    }
}
