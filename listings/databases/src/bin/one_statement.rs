//! Read and write in one statement, so nothing can come in between.

// ANCHOR: take
use sqlx::AnyPool;

/// Takes one unit from the stock, a table with one row, if there is a
/// unit. If the call is canceled, it may or may not have been taken.
async fn take(pool: &AnyPool) -> sqlx::Result<bool> {
    let taken = sqlx::query(
        "UPDATE stock SET amount = amount - 1 WHERE amount > 0",
    )
    .execute(pool)
    .await?;
    Ok(taken.rows_affected() == 1)
}
// ANCHOR_END: take

use futures::future::join_all;
use sqlx::any::{AnyPoolOptions, install_default_drivers};

/// Runs orders concurrently on a stock of five. Returns how many got a
/// unit, and the remaining stock.
async fn run(
    pool: &AnyPool,
    orders: u32,
) -> sqlx::Result<(usize, i64)> {
    let taken = join_all((0..orders).map(|_| take(pool))).await;
    let taken: Vec<bool> =
        taken.into_iter().collect::<Result<_, _>>()?;
    let taken = taken.into_iter().filter(|taken| *taken).count();
    let left = sqlx::query_scalar("SELECT amount FROM stock");
    Ok((taken, left.fetch_one(pool).await?))
}

/// Creates a table with a stock of five in a new file or schema of this
/// name.
async fn open(
    address: &str,
    connections: u32,
) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(connections)
        .connect(address)
        .await?;
    for statement in [
        "CREATE TABLE stock (amount BIGINT NOT NULL)",
        "INSERT INTO stock VALUES (5)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

fn in_folder(folder: &tempfile::TempDir) -> String {
    let file = folder.path().join("stock.db");
    format!("sqlite://{}?mode=rwc", file.display())
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let name = format!("one_statement_{}", std::process::id());
    let (address, on_server) = match std::env::var("DATABASE_URL") {
        Ok(server) => (schema(&server, &name).await?, true),
        Err(_) => (in_folder(&folder), false),
    };
    let pool = open(&address, 4).await?;
    let (taken, left) = run(&pool, 20).await?;
    println!("20 orders: {taken} taken, {left} left");
    if on_server {
        let drop = format!("DROP SCHEMA {name} CASCADE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

/// Creates a schema, and returns an address that leads there.
async fn schema(address: &str, name: &str) -> sqlx::Result<String> {
    install_default_drivers();
    let server = AnyPool::connect(address).await?;
    let sql = format!(
        "DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&server).await?;
    server.close().await;
    let and = if address.contains('?') { '&' } else { '?' };
    Ok(format!(
        "{address}{and}options=-c%20search_path%3D{name}\
         %20-c%20lock_timeout%3D5s%20-c%20statement_timeout%3D10s"
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_takes_each_one_once() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&in_folder(&folder), 4).await?;
        assert_eq!(run(&pool, 20).await?, (5, 0));
        Ok(())
    }

    #[tokio::test]
    async fn edges_of_none_nothing_is_taken() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&in_folder(&folder), 1).await?;
        assert_eq!(run(&pool, 0).await?, (0, 5));
        assert_eq!(run(&pool, 5).await?, (5, 0));
        assert!(!take(&pool).await?);
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_database_is_returned() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open(&in_folder(&folder), 1).await?;
        sqlx::query("DROP TABLE stock").execute(&pool).await?;
        assert!(take(&pool).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn cancel_takes_one_at_most() -> sqlx::Result<()> {
        hazards::at_every_poll(async |cancel| {
            let folder = tempfile::tempdir().expect("a folder");
            let pool = open(&in_folder(&folder), 1).await;
            let pool = pool.expect("a database");
            cancel.run(take(&pool)).await;
            let (_, left) = run(&pool, 0).await.expect("a database");
            assert!(left == 5 || left == 4, "{left}");
            assert!(take(&pool).await.is_ok());
        })
        .await;
        Ok(())
    }

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_in_postgresql() -> sqlx::Result<()> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let name = format!("one_statement_test_{}", std::process::id());
        let inside = schema(&address, &name).await?;
        let pool = open(&inside, 4).await?;
        assert_eq!(run(&pool, 20).await?, (5, 0));
        let drop = format!("DROP SCHEMA {name} CASCADE");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }
}
