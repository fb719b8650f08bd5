//! A paused clock that doesn't jump: only `advance` moves it.

use std::{sync::mpsc, time::Duration};

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::{
    task::spawn_blocking,
    time::{Instant, advance},
};

// ANCHOR: hold
/// While this value lives, a paused clock doesn't jump.
struct HeldClock {
    _release: mpsc::Sender<()>,
}

/// A closure on the blocking pool holds the clock while it runs. This
/// one runs until the value is dropped, even by a panic. Until then, no
/// `sleep` ends and no `timeout` fires by itself. Drop the value before
/// the runtime, because the runtime waits for the closure.
fn hold_the_clock() -> HeldClock {
    let (release, released) = mpsc::channel();
    spawn_blocking(move || released.recv());
    HeldClock { _release: release }
}
// ANCHOR_END: hold

async fn connect() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect("sqlite::memory:")
        .await?;
    let create = "CREATE TABLE sessions (opened INTEGER NOT NULL)";
    sqlx::query(create).execute(&pool).await?;
    Ok(pool)
}

/// Ends all sessions that are at least half an hour old.
async fn expire(pool: &SqlitePool, now: Duration) -> sqlx::Result<u64> {
    let delete = "DELETE FROM sessions WHERE opened <= ?";
    let limit = now.as_secs() as i64 - 30 * 60;
    let deleted = sqlx::query(delete).bind(limit).execute(pool);
    Ok(deleted.await?.rows_affected())
}

// ANCHOR: expire
/// Opens a session, and returns how many end in each quarter hour.
async fn ended_by_quarter() -> sqlx::Result<Vec<u64>> {
    let _held = hold_the_clock();
    let pool = connect().await?;
    let start = Instant::now();
    sqlx::query("INSERT INTO sessions (opened) VALUES (0)")
        .execute(&pool)
        .await?;
    let mut ended = Vec::new();
    for _ in 0..3 {
        advance(Duration::from_secs(15 * 60)).await;
        ended.push(expire(&pool, start.elapsed()).await?);
    }
    pool.close().await;
    Ok(ended)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> sqlx::Result<()> {
    println!("ended: {:?}", ended_by_quarter().await?);
    Ok(())
}
// ANCHOR_END: expire

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_is_advanced_by_quarters_of_an_hour()
    -> sqlx::Result<()> {
        assert_eq!(ended_by_quarter().await?, [0, 1, 0]);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_database_and_a_sleep_that_waits_for_an_advance()
    -> sqlx::Result<()> {
        let _held = hold_the_clock();
        let minute = Duration::from_secs(60);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(sleep(minute));
        connect().await?;
        assert!(tasks.try_join_next().is_none());
        advance(minute).await;
        assert!(tasks.join_next().await.is_some());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_once_released_it_jumps_again() {
        drop(hold_the_clock());
        let minute = Duration::from_secs(60);
        assert!(timeout(2 * minute, sleep(minute)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn panic_releases_the_clock() {
        let minute = Duration::from_secs(60);
        let held = async {
            let _held = hold_the_clock();
            tokio::task::yield_now().await;
            panic!("in the middle");
        };
        assert!(tokio::spawn(held).await.is_err());
        assert!(timeout(2 * minute, sleep(minute)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_releases_the_clock() {
        let minute = Duration::from_secs(60);
        hazards::at_every_poll(async |cancel| {
            let held = async {
                let _held = hold_the_clock();
                tokio::task::yield_now().await;
            };
            cancel.run(held).await;
            assert!(timeout(2 * minute, sleep(minute)).await.is_ok());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_database_and_a_paused_clock() -> sqlx::Result<()> {
        let _held = hold_the_clock();
        // Without it, the pool's thirty seconds may be over first.
        for _ in 0..20 {
            connect().await?.close().await;
        }
        Ok(())
    }
}
