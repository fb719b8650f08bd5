//! Classify a database's errors by what a caller can do about them.

// ANCHOR: advice
use sqlx::{Error, error::ErrorKind};

#[derive(Debug, PartialEq)]
enum Advice {
    /// A retry may succeed, and nothing was done: run the whole
    /// transaction again.
    TryAgain,
    /// A commit, or a statement outside of a transaction, may have
    /// been executed. Check that before you retry.
    Unknown,
    /// Another request was first, or a referenced row is missing.
    Conflict,
    /// The query or its data are wrong. It will fail again.
    GiveUp,
    /// We are shutting down.
    Closing,
}

fn advice(error: &Error) -> Advice {
    match error {
        Error::PoolTimedOut => Advice::TryAgain,
        Error::PoolClosed => Advice::Closing,
        Error::Io(_) => Advice::Unknown, // The connection broke.
        Error::Database(error) => match error.kind() {
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::ExclusionViolation => Advice::Conflict,
            _ => of_code(&error.code().unwrap_or_default()),
        },
        _ => Advice::GiveUp,
    }
}
// ANCHOR_END: advice

// ANCHOR: code
fn of_code(code: &str) -> Advice {
    match code {
        // PostgreSQL: not serializable, a deadlock, a lock that isn't
        // free, too many connections, starting up.
        "40001" | "40P01" | "55P03" | "53300" | "57P03" => {
            Advice::TryAgain
        }
        // Its connection broke, or the server is stopping.
        "40003" | "57P01" => Advice::Unknown,
        _ if code.len() == 5 && code.starts_with("08") => {
            Advice::Unknown
        }
        // SQLite: busy or locked. The bits above say why.
        _ if code.len() < 5 => match code.parse::<u32>() {
            Ok(code) if matches!(code & 0xff, 5 | 6) => {
                Advice::TryAgain
            }
            _ => Advice::GiveUp,
        },
        _ => Advice::GiveUp,
    }
}
// ANCHOR_END: code

use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};

/// Makes a database fail in five ways, and returns the advice on each.
/// The address says which database: SQLite in memory or in a file, or
/// PostgreSQL.
async fn fail_at(
    address: &str,
) -> Result<[(&'static str, Advice); 5], Error> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        // A check that is canceled would close it, with its database.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_millis(500))
        .connect(address)
        .await?;
    // It exists as long as its connection, of which there is one.
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

    let advised = |result: Result<_, Error>| match result {
        Ok(_) => panic!("it must fail"),
        Err(error) => advice(&error),
    };
    Ok([
        ("the same key again", advised(again)),
        ("no such table", advised(no_table)),
        ("no SQL", advised(no_sql)),
        ("no connection left", advised(none_left)),
        ("the pool is closed", advised(closed)),
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

    use sqlx::{AnyConnection, Connection};

    const EXPECTED: [Advice; 5] = [
        Advice::Conflict,
        Advice::GiveUp,
        Advice::GiveUp,
        Advice::TryAgain,
        Advice::Closing,
    ];

    #[test]
    fn edges_codes_of_both_databases() {
        for code in ["5", "6", "261", "262", "517", "773"] {
            assert_eq!(of_code(code), Advice::TryAgain, "{code}");
        }
        for code in ["08000", "08003", "08006", "57P01", "40003"] {
            assert_eq!(of_code(code), Advice::Unknown, "{code}");
        }
        // A number out of range: 22003 & 0xff is 0xf3, and 22277 isn't
        // one of SQLite's either, though its last bits are 5.
        for code in ["", "1", "22003", "22277", "42P01", "\u{e4}"] {
            assert_eq!(of_code(code), Advice::GiveUp, "{code}");
        }
    }

    /// PostgreSQL ends the connection, as it does when it restarts.
    #[tokio::test]
    async fn silence_of_a_server_that_stopped_is_unknown()
    -> Result<(), Error> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            return Ok(()); // A test below says so.
        };
        install_default_drivers();
        let mut one = AnyConnection::connect(&address).await?;
        let end = "SELECT pg_terminate_backend(pg_backend_pid())";
        let ended = run(&mut one, &[end]).await;
        assert_eq!(ended, Some(Advice::Unknown));
        let after = run(&mut one, &["SELECT 1"]).await;
        assert_eq!(after, Some(Advice::Unknown));
        Ok(())
    }

    async fn advice_at(address: &str) -> Result<[Advice; 5], Error> {
        Ok(fail_at(address).await?.map(|(_, advice)| advice))
    }

    #[tokio::test]
    async fn failure_in_memory() -> Result<(), Error> {
        assert_eq!(advice_at("sqlite::memory:").await?, EXPECTED);
        Ok(())
    }

    #[tokio::test]
    async fn failure_in_a_file() -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let address = format!("sqlite://{}?mode=rwc", file.display());
        assert_eq!(advice_at(&address).await?, EXPECTED);
        Ok(())
    }

    /// Where `DATABASE_URL` names a server, as in `.ci/run`.
    #[tokio::test]
    async fn failure_in_postgresql() -> Result<(), Error> {
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

    /// One after the other, in one transaction. Returns the advice on the last.
    async fn run(
        connection: &mut AnyConnection,
        queries: &[&'static str],
    ) -> Option<Advice> {
        let mut advised = None;
        for query in queries {
            let result = sqlx::query(*query).execute(&mut *connection);
            advised = result.await.err().map(|error| advice(&error));
        }
        advised
    }

    #[tokio::test]
    async fn overload_of_writers_in_sqlite() -> Result<(), Error> {
        install_default_drivers();
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let address = format!("sqlite://{}?mode=rwc", file.display());
        let mut one = AnyConnection::connect(&address).await?;
        let mut two = AnyConnection::connect(&address).await?;
        let set_up = [
            "PRAGMA journal_mode = WAL",
            "PRAGMA busy_timeout = 0",
            "CREATE TABLE orders (id INTEGER)",
            "BEGIN",
            "SELECT * FROM orders",
        ];
        assert_eq!(run(&mut one, &set_up).await, None);
        let writes = [
            "PRAGMA busy_timeout = 0",
            "BEGIN IMMEDIATE",
            "INSERT INTO orders VALUES (7)",
        ];
        assert_eq!(run(&mut two, &writes).await, None);
        // Another one writes: 5. It has written since this one's
        // transaction began: 517.
        let write = ["INSERT INTO orders VALUES (8)"];
        let again = Some(Advice::TryAgain);
        assert_eq!(run(&mut one, &write).await, again);
        assert_eq!(run(&mut two, &["COMMIT"]).await, None);
        assert_eq!(run(&mut one, &write).await, again);
        // All of the transaction, once more.
        let anew = ["ROLLBACK", "BEGIN IMMEDIATE", write[0], "COMMIT"];
        assert_eq!(run(&mut one, &anew).await, None);
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_writers_in_postgresql() -> Result<(), Error> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            return Ok(()); // The test above says so.
        };
        install_default_drivers();
        let mut one = AnyConnection::connect(&address).await?;
        let mut two = AnyConnection::connect(&address).await?;
        let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        let again = Some(Advice::TryAgain);

        // Each has what the other one wants.
        let lock_1 = "SELECT pg_advisory_xact_lock(1)";
        let lock_2 = "SELECT pg_advisory_xact_lock(2)";
        assert_eq!(run(&mut one, &[begin, lock_1]).await, None);
        assert_eq!(run(&mut two, &[begin, lock_2]).await, None);
        let (first, second) = tokio::join!(
            async {
                let told = run(&mut one, &[lock_2]).await;
                run(&mut one, &["ROLLBACK"]).await;
                told
            },
            async {
                let told = run(&mut two, &[lock_1]).await;
                run(&mut two, &["ROLLBACK"]).await;
                told
            },
        );
        assert!(first == again || second == again);
        assert!(first.is_none() || second.is_none());

        // Both read, and both write what the other one has read.
        let set_up = [
            "DROP TABLE IF EXISTS advised_orders",
            "CREATE TABLE advised_orders (id INTEGER)",
        ];
        assert_eq!(run(&mut one, &set_up).await, None);
        let write = [
            begin,
            "SELECT COUNT(*) FROM advised_orders",
            "INSERT INTO advised_orders VALUES (7)",
        ];
        assert_eq!(run(&mut one, &write).await, None);
        assert_eq!(run(&mut two, &write).await, None);
        assert_eq!(run(&mut one, &["COMMIT"]).await, None);
        assert_eq!(run(&mut two, &["COMMIT"]).await, again);
        let drop = "DROP TABLE advised_orders";
        assert_eq!(run(&mut one, &[drop]).await, None);
        Ok(())
    }
}
