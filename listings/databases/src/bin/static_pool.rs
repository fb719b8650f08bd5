//! Wrong: a pool in a static, shared by tests with their own runtimes.

use std::{io, time::Duration};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    runtime::{Builder, Runtime},
    sync::OnceCell,
};

// ANCHOR: wrong
static POOL: OnceCell<PgPool> = OnceCell::const_new();

/// Wrong: the sockets of its connections belong to the runtime of the
/// test that opens them.
async fn pool() -> sqlx::Result<&'static PgPool> {
    POOL.get_or_try_init(|| {
        let address = std::env::var("DATABASE_URL").unwrap_or_default();
        let options = PgPoolOptions::new().max_connections(1);
        let options = options.acquire_timeout(Duration::from_secs(10));
        async move { options.connect(&address).await }
    })
    .await
}

/// What each of two tests does.
async fn one_and_one() -> sqlx::Result<i32> {
    let pool = pool().await?;
    // It takes some time, as a real query does.
    sqlx::query_scalar("SELECT 1 + 1 FROM pg_sleep(0.5)")
        .fetch_one(pool)
        .await
}
// ANCHOR_END: wrong

/// A runtime as that of `#[tokio::test]`.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Two tests at the same time, each on its own thread, and the first
/// returns while the second one waits for its answer.
fn verdicts() -> io::Result<[String; 2]> {
    let first = runtime()?;
    let one = verdict(first.block_on(async {
        let one = one_and_one().await;
        // The connection goes back to the pool.
        tokio::time::sleep(Duration::from_millis(50)).await;
        one
    }));
    let second = std::thread::spawn(|| {
        Ok(verdict(runtime()?.block_on(one_and_one())))
    });
    first.block_on(async {
        // Until the second test has the connection.
        while POOL.get().is_some_and(|pool| pool.num_idle() > 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    drop(first);
    let other: io::Result<_> = second.join().expect("no panic");
    Ok([one, other?])
}

fn verdict(done: sqlx::Result<i32>) -> String {
    match done {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("FAILED\n  {error}"),
    }
}

fn main() -> io::Result<()> {
    if std::env::var("DATABASE_URL").is_err() {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    }
    let [one, other] = verdicts()?;
    println!("the first test:  {one}");
    println!("the second test: {other}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn again_in_the_runtime_of_a_second_test() {
        if std::env::var("DATABASE_URL").is_err() {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(io::stderr(), "{told}").expect("stderr");
            return;
        }
        let [first, second] = verdicts().expect("two runtimes");
        assert_eq!(first, "ok");
        assert!(second.starts_with("FAILED"), "{second}");
    }
}
