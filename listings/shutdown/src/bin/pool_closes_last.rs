//! Close the pool after the tasks that use it, before the deadline.

// ANCHOR: last
use sqlx::SqlitePool;
use tokio::time::{Duration, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Stops the program's tasks, and then closes the pool. Returns whether
/// both were done within the grace period: a task that is left may hold
/// a connection, and `close` would wait for it.
async fn stop_all(
    stop: CancellationToken,
    tasks: TaskTracker,
    pool: SqlitePool,
    grace: Duration,
) -> bool {
    stop.cancel();
    tasks.close();
    let ended = async {
        tasks.wait().await;
        // Waits until each connection was returned, and closes it.
        pool.close().await;
    };
    timeout(grace, ended).await.is_ok()
}
// ANCHOR_END: last

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
    stop_all(stop, tasks, pool, Duration::from_secs(10)).await;
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
        let written = stop_with_one_order().await?;
        assert!(written.is_ok());
        Ok(())
    }

    async fn pool() -> sqlx::Result<SqlitePool> {
        let options = SqlitePoolOptions::new().max_connections(1);
        options.connect("sqlite::memory:").await
    }

    /// A task that ignores the stop, and keeps its connection.
    #[tokio::test]
    async fn silence_ends_with_the_grace_period() -> sqlx::Result<()> {
        let pool = pool().await?;
        let tasks = TaskTracker::new();
        let kept = pool.acquire().await?;
        tasks.spawn(async move {
            let _kept = kept;
            std::future::pending::<()>().await;
        });
        let grace = Duration::from_millis(100);
        let token = CancellationToken::new();
        let stopping = stop_all(token, tasks, pool, grace);
        assert!(!hazards::within(100 * grace, stopping).await);
        Ok(())
    }

    /// A connection that is held outside of the tracker's tasks.
    #[tokio::test]
    async fn stop_does_not_wait_for_a_lost_connection()
    -> sqlx::Result<()> {
        let pool = pool().await?;
        let _kept = pool.acquire().await?;
        let grace = Duration::from_millis(100);
        let token = CancellationToken::new();
        let tasks = TaskTracker::new();
        let stopping = stop_all(token, tasks, pool.clone(), grace);
        assert!(!hazards::within(100 * grace, stopping).await);
        assert!(pool.is_closed());
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_a_task_returns_its_connection() -> sqlx::Result<()>
    {
        let pool = pool().await?;
        let tasks = TaskTracker::new();
        let held = pool.acquire().await?;
        tasks.spawn(async move {
            let _held = held;
            std::panic::resume_unwind(Box::new("broken"));
        });
        let grace = Duration::from_secs(10);
        let token = CancellationToken::new();
        assert!(stop_all(token, tasks, pool.clone(), grace).await);
        assert_eq!(pool.size(), 0);
        Ok(())
    }

    /// Dropped at any poll, it can be called again.
    #[tokio::test]
    async fn cancel_and_again_close_the_pool() -> sqlx::Result<()> {
        hazards::at_every_poll(async |cancel| {
            let pool = pool().await.expect("a pool");
            let (stop, tasks) =
                (CancellationToken::new(), TaskTracker::new());
            tasks.spawn(stop.clone().cancelled_owned());
            let grace = Duration::from_secs(10);
            let again = || {
                let (stop, tasks) = (stop.clone(), tasks.clone());
                stop_all(stop, tasks, pool.clone(), grace)
            };
            cancel.run(again()).await;
            assert!(again().await);
            assert_eq!(pool.size(), 0);
        })
        .await;
        Ok(())
    }

    #[tokio::test]
    async fn again_it_has_nothing_to_do() -> sqlx::Result<()> {
        let pool = pool().await?;
        for _ in 0..2 {
            let (stop, tasks) =
                (CancellationToken::new(), TaskTracker::new());
            let grace = Duration::from_secs(10);
            let pool = pool.clone();
            assert!(stop_all(stop, tasks, pool, grace).await);
        }
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_write_the_last_order() -> sqlx::Result<()> {
        for _ in 0..20 {
            assert!(stop_with_one_order().await?.is_ok());
        }
        Ok(())
    }

    #[tokio::test]
    async fn slow_task_is_waited_for() -> sqlx::Result<()> {
        let pool = pool().await?;
        let tasks = TaskTracker::new();
        let held = pool.acquire().await?;
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(held);
        });
        let grace = Duration::from_secs(10);
        let token = CancellationToken::new();
        assert!(stop_all(token, tasks, pool, grace).await);
        Ok(())
    }

    /// Aborted, it has asked the tasks to stop, and they do.
    #[tokio::test]
    async fn owner_gone_leaves_tasks_that_stop() -> sqlx::Result<()> {
        let pool = pool().await?;
        let (stop, tasks) =
            (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(stop.clone().cancelled_owned());
        let kept = pool.acquire().await?;
        let grace = Duration::from_secs(60);
        let stopping = stop_all(stop, tasks.clone(), pool, grace);
        let owner = tokio::spawn(stopping);
        tasks.wait().await;
        owner.abort();
        assert!(owner.await.is_err_and(|error| error.is_cancelled()));
        drop(kept);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_task_and_no_connection() -> sqlx::Result<()> {
        let options = SqlitePoolOptions::new();
        let pool = options.connect_lazy("sqlite::memory:")?;
        let grace = Duration::from_secs(10);
        let token = CancellationToken::new();
        let tasks = TaskTracker::new();
        assert!(stop_all(token, tasks, pool, grace).await);
        Ok(())
    }
}
