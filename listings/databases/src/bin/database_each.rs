//! A database for each test, or a transaction that is rolled back.

use sqlx::{SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

// ANCHOR: each
/// In its own database, which no other test sees.
async fn an_order_is_listed() -> sqlx::Result<bool> {
    let pool = connect().await?;
    let mut connection = pool.acquire().await?;
    place(&mut connection, 17).await?;
    Ok(listed(&mut connection).await? == [17])
}

/// In a transaction that is dropped with the test, so its writes are
/// rolled back and no other test ever sees them.
async fn two_orders_are_listed(
    shared: &SqlitePool,
) -> sqlx::Result<bool> {
    let mut test = shared.begin().await?;
    place(&mut test, 18).await?;
    place(&mut test, 19).await?;
    Ok(listed(&mut test).await? == [18, 19])
}

async fn run_both() -> sqlx::Result<(bool, bool)> {
    let shared = connect().await?;
    let one = an_order_is_listed().await?;
    let two = two_orders_are_listed(&shared).await?
        && two_orders_are_listed(&shared).await?;
    Ok((one, two))
}
// ANCHOR_END: each

async fn connect() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect("sqlite::memory:")
        .await?;
    let create = "CREATE TABLE orders (id INTEGER PRIMARY KEY)";
    sqlx::query(create).execute(&pool).await?;
    Ok(pool)
}

async fn place(
    connection: &mut SqliteConnection,
    order: u32,
) -> sqlx::Result<()> {
    let insert = "INSERT INTO orders (id) VALUES (?)";
    sqlx::query(insert).bind(order).execute(connection).await?;
    Ok(())
}

async fn listed(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Vec<u32>> {
    let select = "SELECT id FROM orders ORDER BY id";
    sqlx::query_scalar(select).fetch_all(connection).await
}

fn verdict(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let (one, two) = run_both().await?;
    println!("test an_order_is_listed ... {}", verdict(one));
    println!("test two_orders_are_listed ... {}", verdict(two));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_in_any_order_and_what_each_test_finds()
    -> sqlx::Result<()> {
        assert_eq!(run_both().await?, (true, true));
        let shared = connect().await?;
        assert!(two_orders_are_listed(&shared).await?);
        assert!(an_order_is_listed().await?);
        let mut connection = shared.acquire().await?;
        assert!(listed(&mut connection).await?.is_empty());
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_tests_side_by_side() -> sqlx::Result<()> {
        let (one, other) = tokio::try_join!(
            an_order_is_listed(),
            an_order_is_listed()
        )?;
        assert!(one && other);
        Ok(())
    }

    #[tokio::test]
    async fn panic_of_a_test_leaves_nothing_behind() -> sqlx::Result<()>
    {
        let shared = connect().await?;
        let pool = shared.clone();
        let test = tokio::spawn(async move {
            let mut test = pool.begin().await.expect("a transaction");
            place(&mut test, 18).await.expect("a table");
            panic!("an assertion");
        });
        assert!(test.await.is_err());
        assert!(two_orders_are_listed(&shared).await?);
        Ok(())
    }

    #[tokio::test]
    async fn cancel_of_a_test_leaves_nothing_behind() -> sqlx::Result<()>
    {
        let shared = connect().await?;
        hazards::at_every_poll(async |cancel| {
            // Its connection comes back in a task of sqlx.
            while shared.num_idle() < 1 {
                tokio::task::yield_now().await;
            }
            cancel.run(two_orders_are_listed(&shared)).await;
            let next = two_orders_are_listed(&shared).await;
            assert!(next.expect("it runs"), "{}", cancel.polls());
        })
        .await;
        Ok(())
    }
}
