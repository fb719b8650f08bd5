//! Wrong: a deferred transaction fails when it writes after a read.

// ANCHOR: wrong
use sqlx::{Sqlite, SqlitePool, Transaction};

/// Starts a transaction and reads the stock.
async fn look(
    pool: &SqlitePool,
) -> sqlx::Result<(Transaction<'static, Sqlite>, i64)> {
    // Wrong: acquires the write lock only at its first write.
    let mut transaction = pool.begin().await?;
    let stock = sqlx::query_scalar("SELECT amount FROM stock")
        .fetch_one(&mut *transaction)
        .await?;
    Ok((transaction, stock))
}

/// Writes the stock, reduced by one, and commits.
async fn take(
    (mut transaction, stock): (Transaction<'static, Sqlite>, i64),
) -> sqlx::Result<()> {
    sqlx::query("UPDATE stock SET amount = $1")
        .bind(stock - 1)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Two orders at the same time. Returns their results.
async fn two_orders(pool: &SqlitePool) -> sqlx::Result<[String; 2]> {
    let (one, other) = (look(pool).await?, look(pool).await?);
    Ok([told(take(one).await), told(take(other).await)])
}
// ANCHOR_END: wrong

fn told(taken: sqlx::Result<()>) -> String {
    match taken {
        Ok(()) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

use std::path::Path;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
};

/// Opens a file with a stock of five. Writers wait for each other.
async fn open(folder: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("stock.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await?;
    sqlx::query("CREATE TABLE stock (amount INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::query("INSERT INTO stock VALUES (5)").execute(&pool).await?;
    Ok(pool)
}

async fn run() -> sqlx::Result<([String; 2], i64)> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let ended = two_orders(&pool).await?;
    let left = sqlx::query_scalar("SELECT amount FROM stock")
        .fetch_one(&pool)
        .await?;
    pool.close().await;
    Ok((ended, left))
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
        assert_eq!(one, "taken");
        assert!(other.contains("database is locked"), "{other}");
        assert_eq!(left, 4);
        Ok(())
    }
}
