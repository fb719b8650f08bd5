//! Wait for another process to change a SQLite database.

// ANCHOR: changes
use std::{path::Path, time::Duration};

use sqlx::{
    Connection, SqliteConnection, sqlite::SqliteConnectOptions,
};

/// Notices what *other* connections commit.
struct Changes {
    /// Its own connection, which writes nothing.
    connection: SqliteConnection,
    version: i64,
}

impl Changes {
    async fn open(file: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection =
            SqliteConnection::connect_with(&options).await?;
        let version = version(&mut connection).await?;
        Ok(Self { connection, version })
    }

    /// Waits until something has been committed since the last call,
    /// or for `poll`. If it's canceled, the next call returns sooner.
    async fn wait(&mut self, poll: Duration) -> sqlx::Result<()> {
        let start = tokio::time::Instant::now();
        while start.elapsed() < poll {
            let version = version(&mut self.connection).await?;
            if version != self.version {
                self.version = version;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
// ANCHOR_END: changes

// ANCHOR: version
async fn version(
    connection: &mut SqliteConnection,
) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA data_version")
        .fetch_one(connection)
        .await
}
// ANCHOR_END: version

// ANCHOR: follow
/// Ships new orders until it's stopped. An order whose shipment fails,
/// or isn't marked, is shipped again by the next call.
async fn follow(
    pool: &SqlitePool,
    file: &Path,
    poll: Duration,
    stop: &CancellationToken,
    ship: impl AsyncFn(i64) -> sqlx::Result<()>,
) -> sqlx::Result<()> {
    // First the version, then the orders.
    let mut changes = Changes::open(file).await?;
    while !stop.is_cancelled() {
        let next = "SELECT id FROM orders WHERE shipped = 0
            ORDER BY id LIMIT 1";
        let next = sqlx::query_scalar(next).fetch_optional(pool);
        if let Some(order) = next.await? {
            ship(order).await?;
            mark_shipped(pool, order).await?;
        } else {
            let wait = changes.wait(poll);
            stop.run_until_cancelled(wait).await.unwrap_or(Ok(()))?;
        }
    }
    changes.connection.close().await
}
// ANCHOR_END: follow

use sqlx::{
    SqlitePool,
    sqlite::{SqliteJournalMode, SqlitePoolOptions},
};
use tokio_util::sync::CancellationToken;

async fn mark_shipped(
    pool: &SqlitePool,
    order: i64,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE orders SET shipped = 1 WHERE id = $1")
        .bind(order)
        .execute(pool)
        .await?;
    Ok(())
}

async fn open(file: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await?;
    let create = "CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY, shipped INTEGER NOT NULL DEFAULT 0)";
    sqlx::query(create).execute(&pool).await?;
    Ok(pool)
}

const PLACE: &str = "INSERT INTO orders (id) VALUES ($1)";

/// What changes the version, as another connection sees it.
async fn seen(file: &Path) -> sqlx::Result<()> {
    let pool = open(file).await?;
    let mut changes = Changes::open(file).await?;
    let told = |is: i64, was: i64| match is == was {
        true => "the same",
        false => "another version",
    };
    let was = changes.version;

    let mut transaction = pool.begin().await?;
    sqlx::query(PLACE).bind(1).execute(&mut *transaction).await?;
    transaction.rollback().await?;
    let is = version(&mut changes.connection).await?;
    println!("after a rollback:         {}", told(is, was));
    sqlx::query(PLACE).bind(2).execute(&mut changes.connection).await?;
    let is = version(&mut changes.connection).await?;
    println!("after its own commit:     {}", told(is, was));
    sqlx::query(PLACE).bind(3).execute(&pool).await?;
    let is = version(&mut changes.connection).await?;
    println!("after another's commit:   {}", told(is, was));
    changes.connection.close().await?;
    pool.close().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.db");
    seen(&file).await?;
    // As another process would open it.
    let (pool, other) = (open(&file).await?, open(&file).await?);
    let stop = CancellationToken::new();
    let poll = Duration::from_secs(10);
    follow(&pool, &file, poll, &stop, async |order| {
        println!("shipped order {order}");
        match order {
            3 => {
                let other = other.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    let place = sqlx::query(PLACE).bind(4);
                    place.execute(&other).await
                });
            }
            4 => stop.cancel(),
            _ => {}
        }
        Ok(())
    })
    .await?;
    other.close().await;
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Instant;

    async fn shipped(pool: &SqlitePool) -> i64 {
        let sum = "SELECT COALESCE(SUM(shipped), 0) FROM orders";
        let sum = sqlx::query_scalar(sum).fetch_one(pool).await;
        sum.expect("orders")
    }

    async fn place(pool: &SqlitePool, order: i64) {
        let placed = sqlx::query(PLACE).bind(order).execute(pool);
        placed.await.expect("placed");
    }

    const LATE: Duration = Duration::from_secs(20);

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_another_writer() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let (pool, other) = (open(&file).await?, open(&file).await?);
        let (stop, start) = (CancellationToken::new(), Instant::now());
        let writer = async {
            for order in 1..=50 {
                place(&other, order).await;
                let pause = fastrand::u64(0..20);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            while shipped(&other).await < 50 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let (followed, ()) = tokio::join!(
            follow(&pool, &file, LATE, &stop, async |_| Ok(())),
            writer
        );
        followed?;
        assert!(start.elapsed() < LATE, "it polls only");
        Ok(())
    }

    /// What is placed between the version and the orders is shipped.
    #[tokio::test]
    async fn failure_to_notice_is_impossible_at_the_start()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let pool = open(&file).await?;
        for order in 1..=3 {
            place(&pool, order).await;
        }
        let stop = CancellationToken::new();
        follow(&pool, &file, LATE, &stop, async |order| {
            match order {
                // Placed by this process, while it ships.
                1 => place(&pool, 4).await,
                4 => stop.cancel(),
                _ => {}
            }
            Ok(())
        })
        .await?;
        assert_eq!(shipped(&pool).await, 4);
        // A database that isn't there is an error.
        let none = folder.path().join("none.db");
        assert!(Changes::open(&none).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_shipment_leaves_the_order_unmarked()
    -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let pool = open(&file).await?;
        place(&pool, 1).await;
        let stop = CancellationToken::new();
        let failed = follow(&pool, &file, LATE, &stop, async |_| {
            Err(sqlx::Error::RowNotFound)
        });
        assert!(matches!(failed.await, Err(sqlx::Error::RowNotFound)));
        assert_eq!(shipped(&pool).await, 0);
        follow(&pool, &file, LATE, &stop, async |_| {
            stop.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(shipped(&pool).await, 1);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_loses_no_change() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let pool = open(&file).await?;
        let mut order = 0;
        let mut changes = Changes::open(&file).await?;
        hazards::at_every_poll(async |cancel| {
            order += 1;
            place(&pool, order).await;
            let start = Instant::now();
            if cancel.run(changes.wait(LATE)).await.is_none() {
                changes.wait(LATE).await.expect("a version");
            }
            assert!(start.elapsed() < LATE);
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn silence_is_bounded_by_the_poll() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let _pool = open(&file).await?;
        let mut changes = Changes::open(&file).await?;
        changes.wait(Duration::from_millis(50)).await?;
        changes.wait(Duration::ZERO).await
    }

    #[tokio::test]
    async fn stop_while_it_waits() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let pool = open(&file).await?;
        let stop = CancellationToken::new();
        let start = Instant::now();
        let (followed, ()) = tokio::join!(
            follow(&pool, &file, LATE, &stop, async |_| Ok(())),
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                stop.cancel();
            }
        );
        followed?;
        assert!(start.elapsed() < LATE);
        follow(&pool, &file, LATE, &stop, async |_| Ok(())).await
    }
}
