//! What went wrong in a database, and what a caller can do about it.

// ANCHOR: advice
use sqlx::{Error, error::ErrorKind};

#[derive(Debug, PartialEq)]
enum Advice {
    /// It may pass: no connection, or one that broke.
    TryAgain,
    /// Somebody else was first, or what it refers to is gone.
    Conflict,
    /// The query or its data are wrong. It will fail again.
    GiveUp,
    /// We are shutting down.
    Closing,
}

fn advice(error: &Error) -> Advice {
    match error {
        Error::PoolTimedOut | Error::Io(_) => Advice::TryAgain,
        Error::PoolClosed => Advice::Closing,
        Error::Database(error) => match error.kind() {
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation => Advice::Conflict,
            _ => Advice::GiveUp,
        },
        _ => Advice::GiveUp,
    }
}
// ANCHOR_END: advice

use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};

/// Lets a database fail in five ways, and returns the advice on each.
/// The address says which one: SQLite in memory or in a file, or
/// PostgreSQL.
async fn fail_at(
    address: &str,
) -> Result<[(&'static str, Advice); 5], Error> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(500))
        .connect(address)
        .await?;
    // It ends with its connection, of which there is one.
    let table =
        "CREATE TEMPORARY TABLE orders (id INTEGER PRIMARY KEY)";
    sqlx::query(table).execute(&pool).await?;
    let insert = "INSERT INTO orders VALUES (7)";
    sqlx::query(insert).execute(&pool).await?;

    let again = sqlx::query(insert).execute(&pool).await;
    let no_table = sqlx::query("SELECT * FROM invoices");
    let no_table = no_table.execute(&pool).await;
    let no_sql = sqlx::query("SELEKT 1").execute(&pool).await;
    let taken = pool.acquire().await?;
    let none_left = sqlx::query("SELECT 1").execute(&pool).await;
    drop(taken);
    pool.close().await;
    let closed = sqlx::query("SELECT 1").execute(&pool).await;

    let told = |result: Result<_, Error>| match result {
        Ok(_) => panic!("it must fail"),
        Err(error) => advice(&error),
    };
    Ok([
        ("the same key again", told(again)),
        ("no such table", told(no_table)),
        ("no SQL", told(no_sql)),
        ("no connection left", told(none_left)),
        ("the pool is closed", told(closed)),
    ])
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    for (what, advice) in fail_at("sqlite::memory:").await? {
        println!("{what:<20} {advice:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const EXPECTED: [Advice; 5] = [
        Advice::Conflict,
        Advice::GiveUp,
        Advice::GiveUp,
        Advice::TryAgain,
        Advice::Closing,
    ];

    async fn advice_at(address: &str) -> Result<[Advice; 5], Error> {
        Ok(fail_at(address).await?.map(|(_, advice)| advice))
    }

    #[tokio::test]
    async fn sqlite_in_memory() -> Result<(), Error> {
        assert_eq!(advice_at("sqlite::memory:").await?, EXPECTED);
        Ok(())
    }

    #[tokio::test]
    async fn sqlite_in_a_file() -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let address = format!("sqlite://{}?mode=rwc", file.display());
        assert_eq!(advice_at(&address).await?, EXPECTED);
        Ok(())
    }

    /// Where `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn postgresql() -> Result<(), Error> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            // Aloud: past the test harness, which keeps what
            // passing tests print.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        assert_eq!(advice_at(&address).await?, EXPECTED);
        Ok(())
    }
}
