//! The same three conflicts at every isolation level.

// ANCHOR: two_reads
use sqlx::AnyPool;

/// Reads twice. In between, another connection takes one unit.
async fn two_reads(pool: &AnyPool, begin: Begin) -> Outcome {
    let mut reader = pool.begin_with(begin).await?;
    let first = number(AMOUNT).fetch_one(&mut *reader).await?;
    sqlx::query(TAKE).bind(1).execute(pool).await?;
    let second = number(AMOUNT).fetch_one(&mut *reader).await?;
    Ok(format!("reads {first}, then {second}"))
}
// ANCHOR_END: two_reads

// ANCHOR: conflicts
const AMOUNT: &str = "SELECT amount FROM stock WHERE shelf = 1";
const SET: &str = "UPDATE stock SET amount = $1 WHERE shelf = 1";
const BOTH: &str = "SELECT CAST(SUM(amount) AS BIGINT) FROM stock";
const TAKE: &str =
    "UPDATE stock SET amount = amount - 1 WHERE shelf = $1";

/// Two transactions read the amount, and each writes one less.
async fn lost_update(pool: &AnyPool, begin: Begin) -> Outcome {
    let mut one = pool.begin_with(begin).await?;
    let mut other = pool.begin_with(begin).await?;
    let seen = number(AMOUNT).fetch_one(&mut *one).await?;
    number(AMOUNT).fetch_one(&mut *other).await?;
    sqlx::query(SET).bind(seen - 1).execute(&mut *one).await?;
    one.commit().await?;
    sqlx::query(SET).bind(seen - 1).execute(&mut *other).await?;
    other.commit().await?;
    let left = number(AMOUNT).fetch_one(pool).await?;
    Ok(format!("sold 2 of {seen}, and {left} are left"))
}

/// One unit must stay on the shelves. Two transactions see two units,
/// and each takes one, from different shelves.
async fn write_skew(pool: &AnyPool, begin: Begin) -> Outcome {
    let mut one = pool.begin_with(begin).await?;
    let mut other = pool.begin_with(begin).await?;
    let seen = number(BOTH).fetch_one(&mut *one).await?;
    number(BOTH).fetch_one(&mut *other).await?;
    sqlx::query(TAKE).bind(1).execute(&mut *one).await?;
    one.commit().await?;
    sqlx::query(TAKE).bind(2).execute(&mut *other).await?;
    other.commit().await?;
    let left = number(BOTH).fetch_one(pool).await?;
    Ok(format!("took 2 of {seen}, and {left} are left"))
}
// ANCHOR_END: conflicts

use std::time::Duration;

use sqlx::{
    Any,
    any::{AnyArguments, AnyPoolOptions, install_default_drivers},
    query::QueryScalar,
};

type Begin = &'static str;
type Outcome = sqlx::Result<String>;

fn number(
    sql: &'static str,
) -> QueryScalar<'static, Any, i64, AnyArguments> {
    sqlx::query_scalar(sql)
}

const SQLITE: &[(&str, Begin)] = &[("SQLite", "BEGIN")];
const POSTGRESQL: &[(&str, Begin)] = &[
    ("READ COMMITTED", "BEGIN"),
    ("REPEATABLE READ", "BEGIN ISOLATION LEVEL REPEATABLE READ"),
    ("SERIALIZABLE", "BEGIN ISOLATION LEVEL SERIALIZABLE"),
];

/// The outcome, or the error's code and message.
fn told(outcome: Outcome) -> sqlx::Result<String> {
    match outcome {
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            Ok(format!("{code} {}", error.message()))
        }
        outcome => outcome,
    }
}

/// The three outcomes at one level.
async fn at_level(
    pool: &AnyPool,
    begin: Begin,
) -> sqlx::Result<[String; 3]> {
    let reset = async || {
        let reset = "UPDATE stock SET amount = 1";
        sqlx::query(reset).execute(pool).await
    };
    reset().await?;
    let reads = told(two_reads(pool, begin).await)?;
    reset().await?;
    let update = told(lost_update(pool, begin).await)?;
    reset().await?;
    let skew = told(write_skew(pool, begin).await)?;
    Ok([reads, update, skew])
}

/// Opens a pool and creates two shelves with one unit each.
async fn open(address: &str) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect(address)
        .await?;
    for statement in [
        "CREATE TABLE stock
         (shelf BIGINT PRIMARY KEY, amount BIGINT NOT NULL)",
        "INSERT INTO stock VALUES (1, 1), (2, 1)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
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
    Ok(format!("{address}{and}options=-c%20search_path%3D{name}"))
}

async fn drop_schema(pool: &AnyPool, name: &str) -> sqlx::Result<()> {
    let sql = format!("DROP SCHEMA {name} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
    pool.close().await;
    Ok(())
}

fn file(folder: &tempfile::TempDir) -> String {
    let file = folder.path().join("stock.db");
    format!("sqlite://{}?mode=rwc", file.display())
}

/// Prints the outcomes on SQLite, or on PostgreSQL if `DATABASE_URL`
/// names a server.
#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let folder = tempfile::tempdir()?;
    let schema_name = format!("isolation_{}", std::process::id());
    let (pool, levels, on_server) = match std::env::var("DATABASE_URL")
    {
        Ok(server) => {
            let address = schema(&server, &schema_name).await?;
            (open(&address).await?, POSTGRESQL, true)
        }
        Err(_) => (open_file(&folder).await?, SQLITE, false),
    };
    for (level, begin) in levels {
        let [reads, update, skew] = at_level(&pool, begin).await?;
        println!("{level}");
        println!("  two reads:   {reads}");
        println!("  lost update: {update}");
        println!("  write skew:  {skew}");
    }
    if on_server {
        drop_schema(&pool, &schema_name).await?;
    }
    pool.close().await;
    Ok(())
}

/// In WAL mode, where readers and the writer don't block each other.
async fn open_file(
    folder: &tempfile::TempDir,
) -> sqlx::Result<AnyPool> {
    let pool = open(&file(folder)).await?;
    sqlx::query("PRAGMA journal_mode = WAL").execute(&pool).await?;
    Ok(pool)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn sqlite_reports_each_conflict() -> sqlx::Result<()> {
        let folder = tempfile::tempdir()?;
        let pool = open_file(&folder).await?;
        let [reads, update, skew] = at_level(&pool, "BEGIN").await?;
        assert_eq!(reads, "reads 1, then 1");
        assert_eq!(update, "517 database is locked");
        assert_eq!(skew, "517 database is locked");
        pool.close().await;
        Ok(())
    }

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn postgresql_at_each_level() -> sqlx::Result<()> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let why = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{why}")?;
            return Ok(());
        };
        let name = format!("isolation_test_{}", std::process::id());
        let pool = open(&schema(&server, &name).await?).await?;
        let mut codes = Vec::new();
        for (_, begin) in POSTGRESQL {
            let outcomes = at_level(&pool, begin).await?;
            codes.push(outcomes.map(|it| it.starts_with("40001 ")));
        }
        drop_schema(&pool, &name).await?;
        assert_eq!(
            codes,
            [
                [false, false, false],
                [false, true, false],
                [false, true, true],
            ]
        );
        Ok(())
    }
}
