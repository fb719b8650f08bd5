//! Retry a transaction with an unknown outcome: use an idempotency key.

// ANCHOR: place
use sqlx::{AnyConnection, Error};

impl Shop {
    /// Places an order and charges for it, once for each key. It's
    /// safe to call it again with the same key and amount after any
    /// error, or if it was canceled.
    async fn place(&self, key: &str, cents: i64) -> Result<(), Failed> {
        for attempt in 0..4 {
            let error = match self.try_place(key, cents).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if attempt == 3 || !worth_another_try(&error) {
                return Err(Failed { attempts: attempt + 1, error });
            }
            let longest = 50 << attempt;
            let pause = fastrand::u64(longest / 2..=longest);
            sleep(Duration::from_millis(pause)).await;
        }
        unreachable!("the last attempt returns")
    }

    async fn try_place(
        &self,
        key: &str,
        cents: i64,
    ) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        // An earlier attempt may have committed, although it failed.
        if insert(&mut transaction, key, cents).await? {
            charge(&mut transaction, cents).await?;
        }
        self.network.commit(transaction).await
    }
}

// ANCHOR_END: place

// ANCHOR: insert
/// Inserts the order. Returns false if the key already has one.
async fn insert(
    connection: &mut AnyConnection,
    key: &str,
    cents: i64,
) -> Result<bool, Error> {
    let inserted = sqlx::query(
        "INSERT INTO orders (key, cents) VALUES ($1, $2)
         ON CONFLICT (key) DO NOTHING",
    );
    let inserted = inserted.bind(key).bind(cents).execute(connection);
    Ok(inserted.await?.rows_affected() == 1)
}
// ANCHOR_END: insert

fn worth_another_try(error: &Error) -> bool {
    match error {
        // Unknown, so it's only safe with a key.
        Error::Io(_) => true,
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let sqlite = code.parse::<u32>().map(|code| code & 0xff);
            match &*code {
                "40001" | "40P01" | "40003" | "57P01" | "57P02"
                | "57P03" | "57P05" | "53300" | "55P03" => true,
                code if code.len() == 5 => code.starts_with("08"),
                _ => matches!(sqlite, Ok(5 | 6)),
            }
        }
        _ => false,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the order isn't placed after {attempts} attempts")]
struct Failed {
    attempts: u32,
    #[source]
    error: Error,
}

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use sqlx::{
    Any, AnyPool, AssertSqlSafe, Executor, Transaction,
    any::{AnyPoolOptions, install_default_drivers},
};
use tokio::time::sleep;

struct Shop {
    pool: AnyPool,
    network: Network,
}

/// Loses the next `lose` answers.
#[derive(Default)]
struct Network {
    lose: AtomicU32,
}

impl Network {
    /// Commits. If the answer is lost, the caller gets the error that
    /// sqlx returns then.
    async fn commit(
        &self,
        transaction: Transaction<'static, Any>,
    ) -> Result<(), Error> {
        transaction.commit().await?;
        let lose = self.lose.fetch_update(
            Ordering::Relaxed,
            Ordering::Relaxed,
            |left| left.checked_sub(1),
        );
        match lose {
            Ok(_) => {
                let lost = std::io::ErrorKind::UnexpectedEof;
                Err(Error::Io(lost.into()))
            }
            Err(_) => Ok(()),
        }
    }
}

async fn charge(
    connection: &mut AnyConnection,
    cents: i64,
) -> Result<(), Error> {
    let charge = "UPDATE accounts SET cents = cents - $1";
    sqlx::query(charge).bind(cents).execute(connection).await?;
    Ok(())
}

/// Opens a schema on the server, or else a file in the folder.
async fn open(
    server: Option<&str>,
    folder: &std::path::Path,
    schema: &str,
) -> Result<Shop, Error> {
    install_default_drivers();
    let address = match server {
        None => {
            let file = folder.join("orders.db");
            format!("sqlite://{}?mode=rwc", file.display())
        }
        Some(server) => {
            let and = if server.contains('?') { '&' } else { '?' };
            // Without limits, an attempt could wait forever.
            format!(
                "{server}{and}options=-c%20search_path%3D{schema}\
                 %20-c%20lock_timeout%3D1s\
                 %20-c%20statement_timeout%3D5s"
            )
        }
    };
    let pool = AnyPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        // On PostgreSQL, a dropped `begin` leaves its transaction open.
        .after_release(|connection, _| {
            Box::pin(async move {
                let end = connection.execute("BEGIN; ROLLBACK");
                let end =
                    tokio::time::timeout(Duration::from_secs(5), end)
                        .await;
                end.map_err(std::io::Error::from)??;
                // sqlx counts one that SQLite has rolled back.
                Ok(!sqlx::Connection::is_in_transaction(connection))
            })
        })
        .connect(&address)
        .await?;
    let first = match server {
        None => "PRAGMA journal_mode = WAL".to_owned(),
        Some(_) => format!("CREATE SCHEMA {schema}"),
    };
    for statement in [
        &first,
        "CREATE TABLE accounts (cents BIGINT NOT NULL)",
        "INSERT INTO accounts VALUES (10000)",
        "CREATE TABLE orders (key TEXT PRIMARY KEY,
         cents BIGINT NOT NULL)",
    ] {
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(Shop { pool, network: Network::default() })
}

async fn close(
    shop: Shop,
    server: Option<&str>,
    schema: &str,
) -> Result<(), Error> {
    if server.is_some() {
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        sqlx::query(AssertSqlSafe(drop)).execute(&shop.pool).await?;
    }
    shop.pool.close().await;
    Ok(())
}

/// How many orders there are, and how much is left in the account.
async fn state(shop: &Shop) -> Result<(i64, i64), Error> {
    let state = "SELECT (SELECT COUNT(*) FROM orders), cents
        FROM accounts";
    sqlx::query_as(state).fetch_one(&shop.pool).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::var("DATABASE_URL").ok();
    let (server, folder) = (server.as_deref(), tempfile::tempdir()?);
    let schema = format!("commit_unknown_{}", std::process::id());
    let shop = open(server, folder.path(), &schema).await?;
    shop.network.lose.store(1, Ordering::Relaxed);
    shop.place("order-7", 300).await?;
    let (orders, left) = state(&shop).await?;
    println!("orders: {orders}, in the account: {left}");
    close(shop, server, &schema).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs a test on SQLite, and on PostgreSQL if `DATABASE_URL` names
    /// a server, as in `.ci/run`, in a schema of its own.
    async fn on_both(
        name: &str,
        test: impl AsyncFn(&Shop),
    ) -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let shop = open(None, folder.path(), "").await?;
        test(&shop).await;
        close(shop, None, "").await?;
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let schema = format!("unknown_{name}_{}", std::process::id());
        let server = Some(&*server);
        let shop = open(server, folder.path(), &schema).await?;
        test(&shop).await;
        close(shop, server, &schema).await
    }

    #[tokio::test]
    async fn again_after_a_lost_answer() -> Result<(), Error> {
        on_both("again", async |shop| {
            shop.network.lose.store(1, Ordering::Relaxed);
            shop.place("a", 300).await.expect("placed");
            assert_eq!(state(shop).await.expect("it"), (1, 9_700));
            // The caller retries, too. Another amount is ignored.
            shop.place("a", 300).await.expect("placed");
            shop.place("a", 500).await.expect("placed");
            assert_eq!(state(shop).await.expect("it"), (1, 9_700));
        })
        .await
    }

    #[tokio::test]
    async fn failure_of_every_attempt_is_reported() -> Result<(), Error>
    {
        on_both("failure", async |shop| {
            shop.network.lose.store(9, Ordering::Relaxed);
            let failed = shop.place("a", 300).await;
            let failed = failed.expect_err("no answer arrives");
            assert_eq!(failed.attempts, 4);
            assert!(matches!(failed.error, Error::Io(_)));
            assert_eq!(state(shop).await.expect("it"), (1, 9_700));
            // A bug isn't tried again.
            let drop = "DROP TABLE accounts";
            sqlx::query(drop).execute(&shop.pool).await.expect("it");
            let failed = shop.place("b", 300).await;
            assert_eq!(failed.expect_err("no table").attempts, 1);
        })
        .await
    }

    /// Drops one more `begin` while a slow server executes it. Then each
    /// connection of the pool can change the same row, so none is left
    /// inside a transaction.
    async fn all_are_clean(pool: &AnyPool) {
        use futures::FutureExt as _;
        use sqlx::Connection as _;
        let check = async {
            {
                let mut one = pool.acquire().await.expect("it");
                if one.backend_name() == "PostgreSQL" {
                    let slowly = "BEGIN; SELECT pg_sleep(0.05)";
                    let begin = one.begin_with(slowly);
                    assert!(begin.now_or_never().is_none());
                }
            }
            let mut all = Vec::new();
            for _ in 0..4 {
                let mut one = pool.acquire().await.expect("it");
                let update = "UPDATE accounts SET cents = cents";
                one.execute(update).await.expect("not locked");
                all.push(one);
            }
        };
        hazards::within(Duration::from_secs(10), check).await;
    }

    #[tokio::test]
    async fn cancel_and_again() -> Result<(), Error> {
        on_both("cancel", async |shop| {
            let mut orders = 0;
            hazards::at_every_poll(async |cancel| {
                orders += 1;
                let key = orders.to_string();
                cancel.run(shop.place(&key, 1)).await;
                all_are_clean(&shop.pool).await;
                shop.place(&key, 1).await.expect("placed");
                let state = state(shop).await.expect("it");
                assert_eq!(state, (orders, 10_000 - orders));
            })
            .await;
        })
        .await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_overload_with_one_key() -> Result<(), Error> {
        on_both("threads", async |shop| {
            shop.network.lose.store(3, Ordering::Relaxed);
            let calls = (0..9).map(|_| shop.place("a", 300));
            let calls = futures::future::join_all(calls).await;
            assert!(calls.iter().all(Result::is_ok), "{calls:?}");
            assert_eq!(state(shop).await.expect("it"), (1, 9_700));
        })
        .await
    }

    /// Another transaction locks the orders, and doesn't continue.
    #[tokio::test]
    async fn silence_of_a_lock_is_an_error() -> Result<(), Error> {
        on_both("silence", async |shop| {
            let begin =
                match shop.pool.connect_options().database_url.scheme()
                {
                    "sqlite" => "BEGIN IMMEDIATE",
                    _ => "BEGIN",
                };
            let locked = shop.pool.begin_with(begin).await;
            let mut locked = locked.expect("a transaction");
            if begin == "BEGIN" {
                let lock = "LOCK TABLE orders";
                locked.execute(lock).await.expect("a lock");
            }
            let limit = Duration::from_secs(30);
            let waits = tokio::time::timeout(limit, shop.place("a", 1));
            let failed = waits.await.expect("it has a limit");
            assert_eq!(failed.expect_err("a lock").attempts, 4);
            drop(locked);
            shop.place("a", 1).await.expect("placed");
            assert_eq!(state(shop).await.expect("it"), (1, 9_999));
        })
        .await
    }

    #[tokio::test]
    async fn edges_of_keys() -> Result<(), Error> {
        on_both("edges", async |shop| {
            for key in ["", "\u{17c}\u{f3}\u{142}w", "'; --"] {
                shop.place(key, 0).await.expect("placed");
            }
            assert_eq!(state(shop).await.expect("it"), (3, 10_000));
        })
        .await
    }

    /// As if the server had closed it because it was idle.
    #[tokio::test]
    async fn failure_of_an_idle_connection_may_be_over()
    -> Result<(), Error> {
        on_both("idle", async |shop| {
            let options = shop.pool.connect_options();
            if options.database_url.scheme() == "sqlite" {
                return;
            }
            let raise = "DO $$ BEGIN RAISE SQLSTATE '57P05'; END $$";
            let raised = sqlx::query(raise).execute(&shop.pool).await;
            assert!(worth_another_try(&raised.expect_err("raised")));
        })
        .await
    }

    #[test]
    fn edges_of_errors() {
        assert!(!worth_another_try(&Error::RowNotFound));
        assert!(!worth_another_try(&Error::PoolTimedOut));
        let broken = std::io::ErrorKind::BrokenPipe;
        assert!(worth_another_try(&Error::Io(broken.into())));
    }
}
