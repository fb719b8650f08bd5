//! Wrong: the pool is closed while tasks still need it.

// ANCHOR: wrong
use sqlx::SqlitePool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Stops the program's parts.
async fn stop_all(
    stop: CancellationToken,
    tasks: TaskTracker,
    pool: SqlitePool,
) {
    stop.cancel();
    // Wrong: a task that stops may have one more order to write.
    pool.close().await;
    tasks.close();
    tasks.wait().await;
}
// ANCHOR_END: wrong

use sqlx::sqlite::SqlitePoolOptions;
use tokio::sync::oneshot;

/// Collects orders, and writes them at the stop.
async fn collect(
    pool: SqlitePool,
    stop: CancellationToken,
) -> sqlx::Result<()> {
    stop.cancelled().await;
    sqlx::query("INSERT INTO orders (id) VALUES (7)")
        .execute(&pool)
        .await?;
    Ok(())
}

/// Stops while an order is waiting to be written. Returns how writing
/// it went.
async fn stop_with_one_order() -> sqlx::Result<sqlx::Result<()>> {
    // One connection, because each has an in-memory database of its own.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // A check that is canceled would close it, with its database.
        .test_before_acquire(false)
        .connect("sqlite::memory:")
        .await?;
    sqlx::query("CREATE TABLE orders (id INTEGER PRIMARY KEY) STRICT")
        .execute(&pool)
        .await?;
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (tell, told) = oneshot::channel();
    let collecting = collect(pool.clone(), stop.clone());
    tasks.spawn(async move {
        // The other side waits for it below.
        let _ = tell.send(collecting.await);
    });
    stop_all(stop, tasks, pool).await;
    told.await.map_err(|_| sqlx::Error::WorkerCrashed)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    match stop_with_one_order().await? {
        Ok(()) => println!("the order is written"),
        Err(error) => println!("the order is lost: {error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_writes_the_last_order() -> sqlx::Result<()> {
        // It doesn't.
        let written = stop_with_one_order().await?;
        assert!(matches!(written, Err(sqlx::Error::PoolClosed)));
        Ok(())
    }
}
