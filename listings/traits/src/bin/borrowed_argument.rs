//! Lend an async callback a transaction.

// ANCHOR: lent
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

/// Runs the work in a transaction and commits if the work succeeds.
/// If the work fails, or if the call is canceled before the commit,
/// everything is rolled back. During the transaction, nobody else can
/// write, so the work must not wait for anything but the database.
async fn in_transaction<T>(
    pool: &SqlitePool,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<T>,
) -> sqlx::Result<T> {
    let mut transaction: Transaction<'_, Sqlite> =
        pool.begin_with("BEGIN IMMEDIATE").await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// Moves units between two shelves, or fails if one doesn't exist. The
/// callback borrows its argument and the variables of its caller.
async fn relocate(
    pool: &SqlitePool,
    shelves: &[i64; 2],
    units: u32,
) -> sqlx::Result<()> {
    let units = i64::from(units);
    in_transaction(pool, async |connection| {
        for (shelf, change) in shelves.iter().zip([-units, units]) {
            let change = sqlx::query(CHANGE).bind(change).bind(shelf);
            let done = change.execute(&mut *connection).await?;
            if done.rows_affected() == 0 {
                return Err(sqlx::Error::RowNotFound);
            }
        }
        Ok(())
    })
    .await
}
// ANCHOR_END: lent

const CHANGE: &str =
    "UPDATE shelves SET units = units + $1 WHERE id = $2";

use sqlx::{Connection, sqlite::SqlitePoolOptions};
use tempfile::TempDir;

/// Opens a database with two shelves and five units on the first.
async fn open(folder: &TempDir) -> sqlx::Result<SqlitePool> {
    let file = folder.path().join("shop.db");
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // Discards a connection whose transaction SQLite rolled back.
        .before_acquire(|connection, _| {
            Box::pin(async { Ok(!connection.is_in_transaction()) })
        })
        .connect(&format!("sqlite://{}?mode=rwc", file.display()))
        .await?;
    for statement in [
        "CREATE TABLE shelves (id INTEGER PRIMARY KEY,
         units INTEGER NOT NULL CHECK (units >= 0))",
        "INSERT INTO shelves VALUES (1, 5), (2, 0)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

async fn units(pool: &SqlitePool) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("SELECT units FROM shelves ORDER BY id")
        .fetch_all(pool)
        .await
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let pool = open(&folder).await?;
    relocate(&pool, &[1, 2], 3).await?;
    println!("{:?}", units(&pool).await?);
    let more = relocate(&pool, &[1, 2], 3).await;
    println!("three more: {}", if more.is_ok() { "yes" } else { "no" });
    println!("{:?}", units(&pool).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_either_step_rolls_both_back() -> sqlx::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        relocate(&pool, &[1, 2], 3).await?;
        assert_eq!(units(&pool).await?, [2, 3]);
        assert!(relocate(&pool, &[1, 2], 3).await.is_err());
        assert_eq!(units(&pool).await?, [2, 3]);
        // The second step fails because the shelf doesn't exist.
        let lost = relocate(&pool, &[1, 99], 2).await;
        assert!(matches!(lost, Err(sqlx::Error::RowNotFound)));
        assert_eq!(units(&pool).await?, [2, 3]);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_disk_stops_no_later_call()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        let full = in_transaction(&pool, async |connection| {
            for statement in [
                "UPDATE shelves SET units = 9",
                "PRAGMA max_page_count = 1",
                "INSERT INTO shelves VALUES (3, zeroblob(100000))",
            ] {
                sqlx::query(statement)
                    .execute(&mut *connection)
                    .await?;
            }
            Ok(())
        });
        let full = full.await.expect_err("a full disk").to_string();
        assert!(full.contains("disk is full"), "{full}");
        assert_eq!(units(&pool).await?, [5, 0]);
        assert!(relocate(&pool, &[1, 99], 1).await.is_err());
        relocate(&pool, &[1, 2], 1).await?;
        assert_eq!(units(&pool).await?, [4, 1]);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_leaves_both_or_none() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        hazards::at_every_poll(async |cancel| {
            let before = units(&pool).await.expect("a database");
            let moved = relocate(&pool, &[1, 2], 1);
            let moved = cancel.run(moved).await;
            let after = units(&pool).await.expect("a database");
            assert_eq!(after.iter().sum::<i64>(), 5);
            assert!(moved.is_none() || after != before);
            let moved = u32::try_from(after[1]).expect("few units");
            relocate(&pool, &[2, 1], moved).await.expect("back");
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn overload_waits_for_the_only_connection() -> sqlx::Result<()>
    {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        let moved = (0..10).map(|_| relocate(&pool, &[1, 2], 1));
        let moved = futures::future::join_all(moved).await;
        assert_eq!(moved.iter().filter(|it| it.is_ok()).count(), 5);
        assert_eq!(units(&pool).await?, [0, 5]);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_units_and_the_same_shelf() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        relocate(&pool, &[1, 2], 0).await?;
        relocate(&pool, &[1, 1], 5).await?;
        assert!(relocate(&pool, &[1, 2], u32::MAX).await.is_err());
        assert_eq!(units(&pool).await?, [5, 0]);
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_the_callback_rolls_back() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        let inside = pool.clone();
        let task = tokio::spawn(async move {
            in_transaction(&inside, async |connection| {
                sqlx::query("UPDATE shelves SET units = 9")
                    .execute(connection)
                    .await?;
                assert!(units_of_a_broken_scale() > 0);
                Ok(())
            })
            .await
        });
        assert!(task.await.is_err_and(|error| error.is_panic()));
        assert_eq!(units(&pool).await?, [5, 0]);
        Ok(())
    }

    fn units_of_a_broken_scale() -> i64 {
        0
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_lose_no_unit() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&folder).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let pool = pool.clone();
            tasks.spawn(
                async move { relocate(&pool, &[1, 2], 1).await },
            );
        }
        for moved in tasks.join_all().await {
            moved?;
        }
        assert_eq!(units(&pool).await?, [0, 5]);
        Ok(())
    }
}
