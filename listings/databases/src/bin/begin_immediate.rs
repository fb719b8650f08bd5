//! Acquire the write lock when the transaction starts.

// ANCHOR: immediate
use sqlx::SqlitePool;

/// Takes one unit from the stock, if there is one. If it's canceled
/// before the commit, the transaction is rolled back.
async fn take(pool: &SqlitePool) -> sqlx::Result<bool> {
    // Waits here until no other transaction is writing.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let stock: i64 = sqlx::query_scalar("SELECT amount FROM stock")
        .fetch_one(&mut *transaction)
        .await?;
    if stock < 1 {
        return Ok(false);
    }
    sqlx::query("UPDATE stock SET amount = $1")
        .bind(stock - 1)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}
// ANCHOR_END: immediate

// ANCHOR: open
use std::{path::Path, time::Duration};

use sqlx::{
    Connection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
    },
};

/// Opens a database whose writers wait for each other.
async fn open(folder: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("stock.db"))
        .create_if_missing(true)
        // Readers and the writer don't wait for each other.
        .journal_mode(SqliteJournalMode::Wal)
        // How long a writer waits for another writer.
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        // Discards a connection whose transaction SQLite rolled back.
        .before_acquire(|connection, _| {
            Box::pin(async { Ok(!connection.is_in_transaction()) })
        })
        .connect_with(options)
        .await?;
    // ANCHOR_END: open
    sqlx::query("CREATE TABLE stock (amount INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::query("INSERT INTO stock VALUES (5)").execute(&pool).await?;
    Ok(pool)
}

fn outcome(taken: sqlx::Result<bool>) -> String {
    match taken {
        Ok(true) => "taken".to_owned(),
        Ok(false) => "sold out".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn left(pool: &SqlitePool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT amount FROM stock").fetch_one(pool).await
}

/// Runs two orders concurrently. Returns their results and the stock.
async fn run() -> sqlx::Result<([String; 2], i64)> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let (one, other) = tokio::join!(take(&pool), take(&pool));
    let ended = ([outcome(one), outcome(other)], left(&pool).await?);
    pool.close().await;
    Ok(ended)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let ([one, other], left) = run().await?;
    println!("one:   {one}");
    println!("other: {other}");
    println!("left:  {left}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_two_writers() -> sqlx::Result<()> {
        let ([one, other], left) = run().await?;
        assert_eq!((&*one, &*other), ("taken", "taken"));
        assert_eq!(left, 3);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_take_no_more_than_there_is() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path()).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let pool = pool.clone();
            tasks.spawn(async move { take(&pool).await });
        }
        let mut taken = 0;
        for order in tasks.join_all().await {
            taken += u32::from(order?);
        }
        assert_eq!((taken, left(&pool).await?), (5, 0));
        assert!(!take(&pool).await?);
        Ok(())
    }

    /// Without the write-ahead log, one would wait for the other.
    #[tokio::test]
    async fn overload_of_a_reader_and_a_writer() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path()).await?;
        let mut reading = pool.begin().await?;
        let amount = "SELECT amount FROM stock";
        let before = sqlx::query_scalar(amount);
        let before: i64 = before.fetch_one(&mut *reading).await?;
        assert!(take(&pool).await?);
        // The reader still sees the state at its own start.
        let after = sqlx::query_scalar(amount);
        let after: i64 = after.fetch_one(&mut *reading).await?;
        assert_eq!((before, after), (5, 5));
        reading.commit().await?;
        assert_eq!(left(&pool).await?, 4);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_takes_all_of_it_or_nothing() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path()).await?;
        hazards::at_every_poll(async |cancel| {
            let before = left(&pool).await.expect("a database");
            let taken = cancel.run(take(&pool)).await;
            let after = left(&pool).await.expect("a database");
            // If the commit is dropped, both results are possible.
            assert!(after == before || after == before - 1);
            assert!(taken.is_none() || after == before - 1);
            sqlx::query("UPDATE stock SET amount = 5")
                .execute(&pool)
                .await
                .expect("a connection that is not in a transaction");
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn edges_the_last_one_and_less_than_none() -> sqlx::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path()).await?;
        for (amount, taken) in [(1, true), (0, false), (-1, false)] {
            sqlx::query("UPDATE stock SET amount = $1")
                .bind(amount)
                .execute(&pool)
                .await?;
            assert_eq!(take(&pool).await?, taken);
            assert_eq!(left(&pool).await?, amount - i64::from(taken));
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_full_disk_stops_no_later_order()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path()).await?;
        let mut full = pool.begin_with("BEGIN IMMEDIATE").await?;
        let limit = sqlx::query("PRAGMA max_page_count = 1");
        limit.execute(&mut *full).await?;
        let large = "INSERT INTO stock VALUES (zeroblob(100000))";
        let large = sqlx::query(large).execute(&mut *full).await;
        assert!(large.is_err_and(|it| it.to_string().contains("full")));
        drop(full);
        for _ in 0..5 {
            assert!(take(&pool).await?);
        }
        assert_eq!(left(&pool).await?, 0);
        Ok(())
    }

    #[tokio::test]
    async fn failure_is_returned_and_locks_nobody_out()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(folder.path()).await?;
        sqlx::query("DELETE FROM stock").execute(&pool).await?;
        for _ in 0..5 {
            let taken = take(&pool).await;
            assert!(matches!(taken, Err(sqlx::Error::RowNotFound)));
        }
        sqlx::query("INSERT INTO stock VALUES (1)")
            .execute(&pool)
            .await?;
        assert!(take(&pool).await?);
        Ok(())
    }
}
