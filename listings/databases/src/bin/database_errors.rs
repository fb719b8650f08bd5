//! Classify a database's errors by what a caller can do about them.

// ANCHOR: advice
use sqlx::{Error, error::ErrorKind};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Advice {
    /// A retry may succeed, and nothing was done: run the whole
    /// transaction again.
    TryAgain,
    /// A commit, or a statement outside of a transaction, may have
    /// been executed. Check that before you retry.
    Unknown,
    /// Another request was first, or a referenced row is missing.
    Conflict,
    /// The query, its data, or the code that reads its rows is wrong.
    /// A retry will fail. If only reading failed, it was executed.
    GiveUp,
    /// We are shutting down.
    Closing,
}

fn advice(error: &Error) -> Advice {
    match error {
        Error::PoolTimedOut => Advice::TryAgain,
        Error::PoolClosed => Advice::Closing,
        Error::Io(_) => Advice::Unknown, // The connection broke.
        // An answer made no sense, or SQLite's thread panicked.
        Error::Protocol(_) | Error::WorkerCrashed => Advice::Unknown,
        Error::Database(error) => match error.kind() {
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::ExclusionViolation => Advice::Conflict,
            // SQLite implements RESTRICT as a trigger.
            _ if error.message() == RESTRICTED => Advice::Conflict,
            _ => of_code(&error.code().unwrap_or_default()),
        },
        _ => Advice::GiveUp,
    }
}
// ANCHOR_END: advice

// ANCHOR: code
const RESTRICTED: &str = "FOREIGN KEY constraint failed";

fn of_code(code: &str) -> Advice {
    match code {
        // PostgreSQL: not serializable, a deadlock, a lock that isn't
        // free, a timeout, too many connections, starting up, a
        // transaction that was idle or open for too long, a connection
        // that was idle for too long, a replica.
        "40001" | "40P01" | "55P03" | "57014" | "53300" | "57P03"
        | "25P03" | "25P04" | "57P05" | "25006" => Advice::TryAgain,
        // A RESTRICT foreign key, since PostgreSQL 18.
        "23001" => Advice::Conflict,
        // Its connection broke, or the server stops or has crashed.
        "40003" | "57P01" | "57P02" => Advice::Unknown,
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

use std::{path::Path, time::Duration};

use sqlx::{
    AnyConnection, AssertSqlSafe, Connection, PgConnection,
    any::{AnyPoolOptions, install_default_drivers},
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// What failed, with its code and message.
struct Failure {
    advice: Advice,
    code: String,
    message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Database(database) => (
                database.code().unwrap_or_default().into_owned(),
                database.message().to_owned(),
            ),
            // Which one depends on the moment.
            Error::Io(_) => ("Io".to_owned(), String::new()),
            other => (String::new(), other.to_string()),
        };
        Self { advice: advice(&error), code, message }
    }
}

/// Runs statements one after the other, on one connection. Returns the
/// error of the last one, which must fail.
async fn fail(
    connection: &mut AnyConnection,
    statements: &[&str],
) -> Failure {
    let mut last = None;
    for statement in statements {
        let statement = AssertSqlSafe((*statement).to_owned());
        let done = sqlx::query(statement).execute(&mut *connection);
        last = done.await.err();
    }
    last.expect("it must fail").into()
}

async fn run(
    connection: &mut AnyConnection,
    statements: &[&str],
) -> Result<(), Error> {
    for statement in statements {
        let statement = AssertSqlSafe((*statement).to_owned());
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
const REPEATABLE: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";
const COUNT: &str = "SELECT COUNT(*) FROM orders";
const UPDATE: &str = "UPDATE orders SET units = units + 1 WHERE id = 7";

/// Fails in the same way on both databases.
async fn on_both(address: &str) -> Result<Vec<Failure>, Error> {
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(500))
        .connect(address)
        .await?;
    let mut one = pool.acquire().await?;
    let insert = "INSERT INTO orders VALUES (7, 1)";
    let mut failures = vec![
        fail(&mut one, &[insert, insert]).await,
        fail(&mut one, &["SELECT * FROM invoices"]).await,
        fail(&mut one, &["SELEKT 1"]).await,
    ];
    let timed_out = sqlx::query("SELECT 1").execute(&pool).await;
    failures.push(timed_out.expect_err("it's in use").into());
    drop(one);
    pool.close().await;
    let closed = sqlx::query("SELECT 1").execute(&pool).await;
    failures.push(closed.expect_err("it's closed").into());
    Ok(failures)
}

async fn on_sqlite(address: &str) -> Result<Vec<Failure>, Error> {
    let mut one = AnyConnection::connect(address).await?;
    let mut two = AnyConnection::connect(address).await?;
    run(&mut one, &["PRAGMA busy_timeout = 0"]).await?;
    run(&mut two, &["BEGIN IMMEDIATE", UPDATE]).await?;
    let busy = fail(&mut one, &["BEGIN", COUNT, UPDATE]).await;
    // It has written since this transaction read.
    run(&mut two, &["COMMIT"]).await?;
    let snapshot = fail(&mut one, &[UPDATE]).await;
    // The whole transaction once more.
    run(&mut one, &["ROLLBACK", "BEGIN IMMEDIATE", UPDATE, "COMMIT"])
        .await?;
    one.close().await?;
    two.close().await?;
    Ok(vec![busy, snapshot])
}

async fn on_postgresql(
    address: &str,
    server: &str,
) -> Result<Vec<Failure>, Error> {
    let mut one = AnyConnection::connect(address).await?;
    let mut two = AnyConnection::connect(address).await?;
    let mut failures = Vec::new();

    run(&mut one, &[REPEATABLE, COUNT]).await?;
    run(&mut two, &[UPDATE]).await?;
    failures.push(fail(&mut one, &[UPDATE]).await);
    failures.push(fail(&mut one, &[UPDATE]).await); // Aborted.
    run(&mut one, &["ROLLBACK"]).await?;

    let insert = "INSERT INTO orders VALUES (8, 1)";
    run(&mut one, &[SERIALIZABLE, COUNT, insert]).await?;
    let insert = "INSERT INTO orders VALUES (9, 1)";
    run(&mut two, &[SERIALIZABLE, COUNT, insert]).await?;
    run(&mut one, &["COMMIT"]).await?;
    failures.push(fail(&mut two, &["COMMIT"]).await);

    let other = "UPDATE orders SET units = 1 WHERE id = 8";
    let quick = "SET deadlock_timeout = '300ms'";
    let slow = "SET deadlock_timeout = '60s'";
    run(&mut one, &[quick, "BEGIN", UPDATE]).await?;
    run(&mut two, &[slow, "BEGIN", other]).await?;
    let (waits, deadlock) =
        tokio::join!(run(&mut two, &[UPDATE]), async {
            let failure = fail(&mut one, &[other]).await;
            run(&mut one, &["ROLLBACK"]).await.map(|()| failure)
        });
    failures.push(deadlock?);
    waits?;

    // As on a replica, after a failover.
    let read_only = "BEGIN READ ONLY";
    failures.push(fail(&mut one, &[read_only, UPDATE]).await);
    run(&mut one, &["ROLLBACK"]).await?;

    run(&mut one, &["SET lock_timeout = '50ms'"]).await?;
    failures.push(fail(&mut one, &[UPDATE]).await);
    run(&mut two, &["ROLLBACK"]).await?;
    run(&mut one, &["SET statement_timeout = '50ms'"]).await?;
    failures.push(fail(&mut one, &["SELECT pg_sleep(5)"]).await);

    failures.extend(without_connections(&mut two, server).await?);

    let end = "SELECT pg_terminate_backend(pg_backend_pid())";
    failures.push(fail(&mut one, &[end]).await);
    failures.push(fail(&mut one, &["SELECT 1"]).await);
    two.close().await?;
    Ok(failures)
}

/// Connects as a role that may have no connection, without a pool and
/// in one.
async fn without_connections(
    connection: &mut AnyConnection,
    server: &str,
) -> Result<[Failure; 2], Error> {
    let role = format!("shop_{}", std::process::id());
    let create = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0");
    run(connection, &[&create]).await?;
    let options = server.parse::<PgConnectOptions>()?.username(&role);
    let refused = PgConnection::connect_with(&options).await;
    let mut refused =
        Failure::from(refused.expect_err("no connection"));
    refused.message = refused.message.replace(&role, "shop");
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(500))
        .connect_with(options)
        .await;
    let timed_out = Failure::from(pool.expect_err("no connection"));
    run(connection, &[&format!("DROP ROLE {role}")]).await?;
    Ok([refused, timed_out])
}

/// Fails on the server, or else on a SQLite file in the folder.
async fn failures(
    server: Option<&str>,
    folder: &Path,
) -> Result<Vec<Failure>, Error> {
    install_default_drivers();
    let schema = format!("database_errors_{}", std::process::id());
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY,
        units INTEGER NOT NULL)";
    let Some(server) = server else {
        let file = folder.join("orders.db");
        let address = format!("sqlite://{}?mode=rwc", file.display());
        let mut one = AnyConnection::connect(&address).await?;
        let wal = "PRAGMA journal_mode = WAL";
        run(&mut one, &[wal, table]).await?;
        one.close().await?;
        let mut failures = on_both(&address).await?;
        failures.extend(on_sqlite(&address).await?);
        return Ok(failures);
    };
    let and = if server.contains('?') { '&' } else { '?' };
    let address =
        format!("{server}{and}options=-c%20search_path%3D{schema}");
    let mut one = AnyConnection::connect(&address).await?;
    let create = format!("CREATE SCHEMA {schema}");
    run(&mut one, &[&create, table]).await?;
    let mut failures = on_both(&address).await?;
    failures.extend(on_postgresql(&address, server).await?);
    run(&mut one, &[&format!("DROP SCHEMA {schema} CASCADE")]).await?;
    one.close().await?;
    Ok(failures)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let server = std::env::var("DATABASE_URL").ok();
    let folder = tempfile::tempdir()?;
    let failures = failures(server.as_deref(), folder.path());
    for Failure { advice, code, message } in failures.await? {
        let advice = format!("{advice:?}");
        let line = format!("{advice:<9} {code:<6} {message}");
        println!("{}", line.trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn edges_codes_of_both_databases() {
        let postgresql =
            ["40001", "57014", "25P03", "25P04", "57P05", "25006"];
        let sqlite = ["5", "6", "261", "262", "517", "773"];
        for code in sqlite.into_iter().chain(postgresql) {
            assert_eq!(of_code(code), Advice::TryAgain, "{code}");
        }
        for code in ["08000", "08003", "08006", "57P01", "40003"] {
            assert_eq!(of_code(code), Advice::Unknown, "{code}");
        }
        // A number out of range: 22003 & 0xff is 0xf3, and 22277 isn't
        // one of SQLite's either, though its last bits are 5.
        assert_eq!(of_code("23001"), Advice::Conflict);
        for code in ["", "1", "22003", "22277", "42P01", "\u{e4}"] {
            assert_eq!(of_code(code), Advice::GiveUp, "{code}");
        }
    }

    #[tokio::test]
    async fn failure_to_read_a_row_comes_after_the_insert()
    -> Result<(), Error> {
        install_default_drivers();
        let mut one = AnyConnection::connect("sqlite::memory:").await?;
        run(&mut one, &["CREATE TABLE orders (id INTEGER)"]).await?;
        let insert = "INSERT INTO orders VALUES (7) RETURNING 'seven'";
        let read = sqlx::query_scalar::<_, i64>(insert);
        let error = read.fetch_one(&mut one).await.expect_err("text");
        assert_eq!(advice(&error), Advice::GiveUp, "{error}");
        let count = sqlx::query_scalar::<_, i64>(COUNT);
        assert_eq!(count.fetch_one(&mut one).await?, 1);
        Ok(())
    }

    /// With or without RESTRICT, no customer with orders is deleted.
    #[tokio::test]
    async fn failure_of_a_foreign_key_is_a_conflict()
    -> Result<(), Error> {
        install_default_drivers();
        for action in ["", "ON DELETE RESTRICT"] {
            let mut one =
                AnyConnection::connect("sqlite::memory:").await?;
            let orders = format!(
                "CREATE TABLE orders (customer INTEGER
                 REFERENCES customers {action})"
            );
            run(
                &mut one,
                &[
                    "CREATE TABLE customers (id INTEGER PRIMARY KEY)",
                    &orders,
                    "INSERT INTO customers VALUES (1)",
                    "INSERT INTO orders VALUES (1)",
                ],
            )
            .await?;
            let delete = "DELETE FROM customers";
            let failed = fail(&mut one, &[delete]).await;
            assert_eq!(failed.advice, Advice::Conflict, "{action}");
            // The code alone isn't enough: any trigger can return it.
            assert_eq!(of_code("1811"), Advice::GiveUp);
        }
        Ok(())
    }

    /// The statement may have been executed before that.
    #[test]
    fn failure_to_read_an_answer_is_unknown() {
        let protocol = Error::Protocol("unknown message type".into());
        for error in [protocol, Error::WorkerCrashed] {
            assert_eq!(advice(&error), Advice::Unknown, "{error}");
        }
    }

    fn advised(failures: &[Failure]) -> Vec<(Advice, &str)> {
        let advised = |it| {
            let Failure { advice, code, .. }: &Failure = it;
            (*advice, &**code)
        };
        failures.iter().map(advised).collect()
    }

    use Advice::{Closing, Conflict, GiveUp, TryAgain, Unknown};

    #[tokio::test]
    async fn overload_and_failures_in_sqlite() -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let failures = failures(None, folder.path()).await?;
        let expected = [
            (Conflict, "1555"),
            (GiveUp, "1"),
            (GiveUp, "1"),
            (TryAgain, ""),
            (Closing, ""),
            (TryAgain, "5"),
            (TryAgain, "517"),
        ];
        assert_eq!(advised(&failures), expected);
        Ok(())
    }

    #[tokio::test]
    async fn failure_and_overload_in_postgresql() -> Result<(), Error> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let failures = failures(Some(&server), Path::new("")).await?;
        let expected = [
            (Conflict, "23505"),
            (GiveUp, "42P01"),
            (GiveUp, "42601"),
            (TryAgain, ""),
            (Closing, ""),
            (TryAgain, "40001"),
            (GiveUp, "25P02"),
            (TryAgain, "40001"),
            (TryAgain, "40P01"),
            (TryAgain, "25006"),
            (TryAgain, "55P03"),
            (TryAgain, "57014"),
            (TryAgain, "53300"),
            (TryAgain, ""),
            (Unknown, "57P01"),
            (Unknown, "Io"),
        ];
        assert_eq!(advised(&failures), expected);
        Ok(())
    }

    /// PostgreSQL ends the connection, as it does when it restarts.
    #[tokio::test]
    async fn silence_of_a_server_that_stopped_is_unknown()
    -> Result<(), Error> {
        let Ok(server) = std::env::var("DATABASE_URL") else {
            return Ok(()); // Another test says so.
        };
        install_default_drivers();
        let mut one = AnyConnection::connect(&server).await?;
        let end = "SELECT pg_terminate_backend(pg_backend_pid())";
        let ended = fail(&mut one, &[end]).await;
        let after = fail(&mut one, &["SELECT 1"]).await;
        assert_eq!([ended.advice, after.advice], [Unknown, Unknown]);
        Ok(())
    }
}
