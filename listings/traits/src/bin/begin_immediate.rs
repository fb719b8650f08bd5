//! A transaction that will write says so when it begins.

// ANCHOR: immediate
use sqlx::{Sqlite, SqlitePool, Transaction};

/// Begins to take one from the stock: looks how much there is.
async fn look(
    pool: &SqlitePool,
) -> sqlx::Result<(Transaction<'static, Sqlite>, i64)> {
    // It waits here, until nobody else writes.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let stock = sqlx::query_scalar("SELECT amount FROM stock")
        .fetch_one(&mut *transaction)
        .await?;
    Ok((transaction, stock))
}

/// Writes down that there is one less.
async fn take(
    (mut transaction, stock): (Transaction<'static, Sqlite>, i64),
) -> sqlx::Result<()> {
    sqlx::query("UPDATE stock SET amount = $1")
        .bind(stock - 1)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Two orders at once. Returns how they end.
async fn two_orders(pool: &SqlitePool) -> sqlx::Result<[String; 2]> {
    let order = async || take(look(pool).await?).await;
    let (one, other) = tokio::join!(order(), order());
    Ok([told(one), told(other)])
}
// ANCHOR_END: immediate

fn told(taken: sqlx::Result<()>) -> String {
    match taken {
        Ok(()) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

use std::path::Path;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
};

/// A file with five in stock. Who writes waits for others who do.
async fn open(folder: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("stock.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await?;
    sqlx::query("CREATE TABLE stock (amount INTEGER NOT NULL)")
        .execute(&pool)
        .await?;
    sqlx::query("INSERT INTO stock VALUES (5)").execute(&pool).await?;
    Ok(pool)
}

async fn run() -> sqlx::Result<([String; 2], i64)> {
    let folder = tempfile::tempdir()?;
    let pool = open(folder.path()).await?;
    let ended = two_orders(&pool).await?;
    let left = sqlx::query_scalar("SELECT amount FROM stock")
        .fetch_one(&pool)
        .await?;
    pool.close().await;
    Ok((ended, left))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let ([one, other], left) = run().await?;
    println!("one:   {one}");
    println!("other: {other}");
    println!("left:  {left}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_are_taken() -> sqlx::Result<()> {
        let ([one, other], left) = run().await?;
        assert_eq!((&*one, &*other), ("taken", "taken"));
        assert_eq!(left, 3);
        Ok(())
    }

    use std::io::Write as _;

    use sqlx::{PgPool, Postgres};

    // ANCHOR: row
    /// The same in PostgreSQL: the row is locked when it is read.
    async fn look_in_postgresql(
        pool: &PgPool,
        for_update: bool,
    ) -> sqlx::Result<(Transaction<'static, Postgres>, i64)> {
        let statement = match for_update {
            true => "SELECT amount FROM stock FOR UPDATE",
            false => "SELECT amount FROM stock",
        };
        let mut transaction = pool.begin().await?;
        let stock = sqlx::query_scalar(statement)
            .fetch_one(&mut *transaction)
            .await?;
        Ok((transaction, stock))
    }

    /// Where `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn postgresql() -> sqlx::Result<()> {
        let Some(pool) = open_postgresql().await? else {
            return Ok(());
        };
        // Both read 5, both write 4, and neither gets an error.
        assert_eq!(left_of_two(&pool, false).await?, 4);
        assert_eq!(left_of_two(&pool, true).await?, 3);
        close_postgresql(pool).await
    }
    // ANCHOR_END: row

    /// Two orders at once, of five. Returns what is left.
    async fn left_of_two(
        pool: &PgPool,
        for_update: bool,
    ) -> sqlx::Result<i64> {
        sqlx::query("UPDATE stock SET amount = 5")
            .execute(pool)
            .await?;
        let both_have_read = tokio::sync::Barrier::new(2);
        let order = async || {
            let (mut transaction, stock) =
                look_in_postgresql(pool, for_update).await?;
            // With the lock, the other one cannot have read.
            if !for_update {
                both_have_read.wait().await;
            }
            sqlx::query("UPDATE stock SET amount = $1")
                .bind(stock - 1)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        tokio::try_join!(order(), order())?;
        sqlx::query_scalar("SELECT amount FROM stock")
            .fetch_one(pool)
            .await
    }

    /// A table in a schema of its own, if there is a server.
    async fn open_postgresql() -> sqlx::Result<Option<PgPool>> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            // Aloud: past the test harness, which keeps what
            // passing tests print.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(None);
        };
        let schema = schema();
        let options = address
            .parse::<sqlx::postgres::PgConnectOptions>()?
            .options([("search_path", &schema)]);
        let pool = PgPool::connect_with(options).await?;
        for statement in [
            format!("DROP SCHEMA IF EXISTS {schema} CASCADE"),
            format!("CREATE SCHEMA {schema}"),
            "CREATE TABLE stock (amount BIGINT NOT NULL)".to_owned(),
            "INSERT INTO stock VALUES (5)".to_owned(),
        ] {
            let statement = sqlx::AssertSqlSafe(statement);
            sqlx::query(statement).execute(&pool).await?;
        }
        Ok(Some(pool))
    }

    async fn close_postgresql(pool: PgPool) -> sqlx::Result<()> {
        let drop = format!("DROP SCHEMA {} CASCADE", schema());
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    fn schema() -> String {
        format!("stock_{}", std::process::id())
    }
}
