//! Wrong: create the tables at start, if they don't exist.

use sqlx::{AnyConnection, AnyPool};

// ANCHOR: wrong
const FIRST: &str = "CREATE TABLE IF NOT EXISTS orders
                     (id BIGINT PRIMARY KEY)";
const SECOND: &str = "CREATE TABLE IF NOT EXISTS orders
                      (id BIGINT PRIMARY KEY, note TEXT)";

/// Wrong: if the table exists, the database ignores the rest of the
/// statement, and the new column with it.
async fn start(
    connection: &mut AnyConnection,
    release: &'static str,
) -> sqlx::Result<()> {
    sqlx::query(release).execute(connection).await?;
    Ok(())
}
// ANCHOR_END: wrong

use std::time::Duration;

use sqlx::{
    AssertSqlSafe,
    any::{AnyPoolOptions, install_default_drivers},
};

async fn open(address: &str) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    AnyPoolOptions::new()
        .max_connections(3)
        .acquire_timeout(Duration::from_secs(10))
        .connect(address)
        .await
}

/// Upgrades from the first release to the second, and uses the column.
async fn upgraded(pool: &AnyPool) -> sqlx::Result<sqlx::Result<()>> {
    let mut connection = pool.acquire().await?;
    start(&mut connection, FIRST).await?;
    start(&mut connection, SECOND).await?;
    let order = "INSERT INTO orders (id, note) VALUES (1, 'a gift')";
    let order = sqlx::query(order).execute(&mut *connection).await;
    sqlx::query("DROP TABLE orders").execute(&mut *connection).await?;
    Ok(order.map(drop))
}

/// Starts two instances at the same time on PostgreSQL: the second one
/// waits for the first, whose transaction then commits.
async fn together(pool: &AnyPool) -> sqlx::Result<sqlx::Result<()>> {
    let mut one = pool.begin().await?;
    let mut other = pool.acquire().await?;
    start(&mut one, FIRST).await?;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *other)
        .await?;
    let (ended, committed) =
        tokio::join!(start(&mut other, FIRST), async {
            let waits = "SELECT COUNT(*) FROM pg_locks
                 WHERE pid = $1 AND NOT granted";
            loop {
                let waits = sqlx::query_scalar(waits).bind(pid);
                let waits: i64 = waits.fetch_one(pool).await?;
                if waits > 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            one.commit().await
        });
    committed?;
    Ok(ended)
}

struct Ended {
    upgraded: sqlx::Result<()>,
    together: Option<sqlx::Result<()>>,
}

async fn run(
    server: Option<&str>,
    schema: &str,
) -> sqlx::Result<Ended> {
    let Some(server) = server else {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("shop.db");
        let file = file.display();
        let pool = open(&format!("sqlite://{file}?mode=rwc")).await?;
        let upgraded = upgraded(&pool).await?;
        pool.close().await;
        return Ok(Ended { upgraded, together: None });
    };
    let and = if server.contains('?') { '&' } else { '?' };
    let options = format!("options=-c%20search_path%3D{schema}");
    let pool = open(&format!("{server}{and}{options}")).await?;
    let create = format!("CREATE SCHEMA {schema}");
    sqlx::query(AssertSqlSafe(create)).execute(&pool).await?;
    let upgraded = upgraded(&pool).await?;
    let together = Some(together(&pool).await?);
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    pool.close().await;
    Ok(Ended { upgraded, together })
}

fn code(ended: &sqlx::Result<()>) -> (String, &str) {
    let error = ended.as_ref().err();
    match error.and_then(|it| it.as_database_error()) {
        None => ("no error".to_owned(), ""),
        Some(error) => {
            let code = error.code().unwrap_or_default();
            (code.into_owned(), error.message())
        }
    }
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let server = std::env::var("DATABASE_URL").ok();
    let schema = format!("create_if_{}", std::process::id());
    let ended = run(server.as_deref(), &schema).await?;
    let (upgraded, message) = code(&ended.upgraded);
    println!("the second release:\n  {upgraded}: {message}");
    if let Some(together) = &ended.together {
        let (together, message) = code(together);
        println!("another instance:\n  {together}: {message}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn again_and_with_other_files() -> sqlx::Result<()> {
        let ended = run(None, "").await?;
        assert_eq!(code(&ended.upgraded).0, "1");
        let Ok(server) = std::env::var("DATABASE_URL") else {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let schema = format!("create_if_test_{}", std::process::id());
        let ended = run(Some(&server), &schema).await?;
        assert_eq!(code(&ended.upgraded).0, "42703");
        let together = ended.together.expect("on PostgreSQL");
        assert_eq!(code(&together).0, "23505");
        Ok(())
    }
}
