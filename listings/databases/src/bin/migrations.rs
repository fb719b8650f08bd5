//! Apply every migration once, no matter how many instances start.

// ANCHOR: postgresql
use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};

/// If another instance is migrating the database, it waits. If it's
/// canceled or fails, the migrations that are complete stay.
async fn migrate_postgresql(
    migrations: &Migrator,
    options: &PgConnectOptions,
) -> Result<(), MigrateError> {
    // If this instance is stopped, the server cancels the statement.
    let check = [("client_connection_check_interval", "1s")];
    let options = options.clone().options(check);
    // Not a pool's connection: after an error, `run` leaves its advisory
    // lock on the connection, and only closing it releases the lock.
    let mut connection = PgConnection::connect_with(&options).await?;
    let done = migrations.run(&mut connection).await;
    // If the connection is broken, `done` says why.
    connection.close().await.ok();
    done
}
// ANCHOR_END: postgresql

// ANCHOR: sqlite
/// If another instance is migrating the database, it waits. If it's
/// canceled or fails, no migration of this run stays.
async fn migrate_sqlite(
    migrations: &Migrator,
    options: &SqliteConnectOptions,
) -> Result<(), MigrateError> {
    // With foreign keys on, a file that replaces a table would delete
    // the rows that refer to it, if their keys say ON DELETE CASCADE.
    let options = options.clone().foreign_keys(false);
    let mut connection =
        SqliteConnection::connect_with(&options).await?;
    // On SQLite, `run` takes no lock. Take the write lock before `run`
    // looks which migrations have been applied.
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrations.run(&mut *all).await?;
    let dangling = sqlx::query_scalar(DANGLING);
    let dangling: Option<String> =
        dangling.fetch_one(&mut *all).await?;
    if let Some(table) = dangling {
        let error = format!("{table} refers to rows that are missing");
        return Err(sqlx::Error::InvalidArgument(error).into());
    }
    all.commit().await?;
    connection.close().await?;
    Ok(())
}

/// If files were applied, finds a table with a broken foreign key.
const DANGLING: &str = r#"SELECT CASE WHEN total_changes() > 0
    THEN (SELECT "table" FROM pragma_foreign_key_check) END"#;
// ANCHOR_END: sqlite

use std::{io, time::Duration};

use sqlx::{AssertSqlSafe, SqlSafeStr as _, migrate::Migration};
use tokio::time::timeout;

// ANCHOR: releases
const LIMIT: Duration = Duration::from_secs(60);

/// What every instance does before it accepts requests.
async fn migrate(
    migrations: &Migrator,
    database: &Database,
) -> Result<(), MigrateError> {
    let run = async {
        match database {
            Postgresql(options) => {
                migrate_postgresql(migrations, options).await
            }
            Sqlite(options) => {
                migrate_sqlite(migrations, options).await
            }
        }
    };
    let done = timeout(LIMIT, run).await.map_err(io::Error::from);
    done.map_err(sqlx::Error::from)?
}

// In a service, each is a file in the folder `migrations`.
const ORDERS: &str = "CREATE TABLE orders (id BIGINT PRIMARY KEY);";
const NOTE: &str = "ALTER TABLE orders ADD COLUMN note TEXT;
    INSERT INTO orders VALUES (1, 'the first order');";
const BROKEN: &str = "CREATE TABLE invoices (id BIGINT PRIMARY KEY);
    INSERT INTO missing VALUES (1);";
const INVOICES: &str = "CREATE TABLE invoices (id BIGINT PRIMARY KEY);";
// ANCHOR_END: releases

use Database::{Postgresql, Sqlite};

#[derive(Clone)]
enum Database {
    Postgresql(Box<PgConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

/// The migrations of a release.
fn release(files: &[&'static str]) -> Migrator {
    use sqlx::migrate::MigrationType::Simple;
    let migrations = (1..).zip(files).map(|(version, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, "a file".into(), Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Runs statements, and returns the numbers that the last one selects.
async fn numbers(
    database: &Database,
    sql: &'static str,
) -> sqlx::Result<Vec<i64>> {
    match database {
        Postgresql(options) => {
            let mut connection =
                PgConnection::connect_with(options).await?;
            let found = sqlx::query_scalar(sql);
            let found = found.fetch_all(&mut connection).await;
            connection.close().await?;
            found
        }
        Sqlite(options) => {
            let mut connection =
                SqliteConnection::connect_with(options).await?;
            let found = sqlx::query_scalar(sql);
            let found = found.fetch_all(&mut connection).await;
            connection.close().await?;
            found
        }
    }
}

const APPLIED: &str =
    "SELECT version FROM _sqlx_migrations ORDER BY version";

/// An empty schema on the server.
async fn postgresql(
    server: &str,
    schema: &str,
) -> sqlx::Result<Database> {
    let options: PgConnectOptions = server.parse()?;
    let options = options.options([("search_path", schema)]);
    let mut connection = PgConnection::connect_with(&options).await?;
    let sql = AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"
    ));
    sqlx::raw_sql(sql).execute(&mut connection).await?;
    connection.close().await?;
    Ok(Postgresql(Box::new(options)))
}

/// An empty file.
fn sqlite(folder: &tempfile::TempDir) -> Database {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("shop.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(10));
    Sqlite(Box::new(options))
}

async fn close(database: &Database, schema: &str) -> sqlx::Result<()> {
    if let Postgresql(options) = database {
        let mut connection =
            PgConnection::connect_with(options).await?;
        let sql = format!("DROP SCHEMA {schema} CASCADE");
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(&mut connection).await?;
        connection.close().await?;
    }
    Ok(())
}

fn show(who: &str, done: Result<(), MigrateError>) {
    match done {
        Ok(()) => println!("{who}: ok"),
        Err(error) => {
            // Without the line of PostgreSQL's own source code.
            let message = error.to_string();
            let message = message.split(" at line ").next();
            println!("{who}: {}", message.unwrap_or_default());
            if let MigrateError::ExecuteMigration(error, _) = error {
                let database = error.as_database_error();
                let code = database.and_then(|it| it.code());
                println!("  code: {}", code.unwrap_or_default());
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let schema = format!("migrations_{}", std::process::id());
    let database = match std::env::var("DATABASE_URL") {
        Ok(server) => postgresql(&server, &schema).await?,
        Err(_) => sqlite(&folder),
    };

    let current = release(&[ORDERS, NOTE]);
    let (one, other) = tokio::join!(
        migrate(&current, &database),
        migrate(&current, &database)
    );
    show("one instance    ", one);
    show("another instance", other);
    let applied = numbers(&database, APPLIED).await?;
    let orders = numbers(&database, "SELECT id FROM orders").await?;
    println!("applied: {applied:?}, orders: {orders:?}");

    // A space after the last statement.
    let edited = "CREATE TABLE orders (id BIGINT PRIMARY KEY); ";
    let edited = release(&[edited, NOTE]);
    show("an edited file  ", migrate(&edited, &database).await);
    let old = release(&[ORDERS]);
    show("the old release ", migrate(&old, &database).await);
    let mut old = release(&[ORDERS]);
    old.set_ignore_missing(true);
    show("  missing is fine", migrate(&old, &database).await);

    let broken = release(&[ORDERS, NOTE, BROKEN]);
    show("a broken file   ", migrate(&broken, &database).await);
    let applied = numbers(&database, APPLIED).await?;
    println!("applied: {applied:?}");
    let fixed = release(&[ORDERS, NOTE, INVOICES]);
    show("the fixed file  ", migrate(&fixed, &database).await);
    let applied = numbers(&database, APPLIED).await?;
    println!("applied: {applied:?}");
    close(&database, &schema).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Runs the test on SQLite, and on PostgreSQL if there is a server.
    async fn on_each(name: &str, test: impl AsyncFn(&Database)) {
        let folder = tempfile::tempdir().expect("a folder");
        test(&sqlite(&folder)).await;
        let Ok(server) = std::env::var("DATABASE_URL") else {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}").expect("stderr");
            return;
        };
        let schema =
            format!("migrations_{name}_{}", std::process::id());
        let database = postgresql(&server, &schema).await;
        let database = database.expect("a server");
        test(&database).await;
        close(&database, &schema).await.expect("a schema");
    }

    /// Each migration was applied once, and so was each statement.
    async fn check(database: &Database) {
        let applied = numbers(database, APPLIED).await;
        assert_eq!(applied.expect("a table"), [1, 2]);
        let orders = numbers(database, "SELECT id FROM orders").await;
        assert_eq!(orders.expect("a table"), [1]);
    }

    #[tokio::test]
    async fn overload_of_instances() {
        on_each("overload", async |database| {
            // All instances look at an old schema.
            let old = release(&[ORDERS]);
            migrate(&old, database).await.expect("it starts");
            let current = release(&[ORDERS, NOTE]);
            let all = (0..8).map(|_| migrate(&current, database));
            let all = futures::future::try_join_all(all).await;
            all.expect("all instances start");
            check(database).await;
        })
        .await;
    }

    /// Each instance has a thread and a runtime of its own.
    #[tokio::test]
    async fn threads_of_instances() {
        on_each("threads", async |database| {
            let instances = (0..8).map(|_| {
                let database = database.clone();
                std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime")
                        .block_on(migrate(
                            &release(&[ORDERS, NOTE]),
                            &database,
                        ))
                })
            });
            for instance in instances.collect::<Vec<_>>() {
                let done = instance.join().expect("no panic");
                done.expect("the instance starts");
            }
            check(database).await;
        })
        .await;
    }

    #[tokio::test]
    async fn failure_doesnt_keep_the_next_instance_out() {
        on_each("failure", async |database| {
            for files in
                [&[BROKEN][..], &[ORDERS, BROKEN], &[ORDERS, NOTE, BROKEN]]
            {
                let done = migrate(&release(files), database).await;
                let error = done.expect_err("there's no such table");
                let broken = i64::try_from(files.len()).expect("few");
                assert!(matches!(error,
                    MigrateError::ExecuteMigration(_, n) if n == broken));
                assert!(error.to_string().contains("missing"));
                let left = numbers(database, "SELECT id FROM invoices");
                left.await.expect_err("it was rolled back");
            }
            let fixed = release(&[ORDERS, NOTE]);
            let fixed = migrate(&fixed, database);
            let fixed = timeout(Duration::from_secs(40), fixed).await;
            fixed.expect("no lock was left").expect("it starts");
            check(database).await;
        })
        .await;
    }

    /// The server ends the connection, and closing it fails, too.
    #[tokio::test]
    async fn failure_of_the_connection_is_the_error() {
        on_each("connection", async |database| {
            let Postgresql(_) = database else { return };
            let ends = "SELECT pg_terminate_backend(pg_backend_pid())";
            for _ in 0..10 {
                let done = migrate(&release(&[ends]), database).await;
                let Err(MigrateError::ExecuteMigration(error, 1)) =
                    done
                else {
                    panic!("{done:?}");
                };
                let code =
                    error.as_database_error().and_then(|it| it.code());
                assert_eq!(code.as_deref(), Some("57P01"));
            }
        })
        .await;
    }

    /// The way to change a column on SQLite.
    const REPLACED: &str = "CREATE TABLE new_orders
            (id BIGINT PRIMARY KEY, note TEXT NOT NULL DEFAULT '');
        INSERT INTO new_orders (id) SELECT id FROM orders;
        DROP TABLE orders;
        ALTER TABLE new_orders RENAME TO orders;";
    const LINES: &str = "CREATE TABLE lines (order_id BIGINT NOT NULL
            REFERENCES orders (id) ON DELETE CASCADE);
        INSERT INTO orders VALUES (1);
        INSERT INTO lines VALUES (1), (1);";

    #[tokio::test]
    async fn edges_a_replaced_table_keeps_the_rows_that_refer_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = sqlite(&folder);
        let current = release(&[ORDERS, LINES, REPLACED]);
        migrate(&current, &database).await.expect("it starts");
        let lines = "SELECT order_id FROM lines";
        let lines = numbers(&database, lines).await;
        assert_eq!(lines.expect("a table"), [1, 1]);
    }

    #[tokio::test]
    async fn failure_to_keep_a_row_that_is_referred_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = sqlite(&folder);
        let old = release(&[ORDERS, LINES]);
        migrate(&old, &database).await.expect("it starts");
        let broken = release(&[ORDERS, LINES, "DELETE FROM orders"]);
        let error = migrate(&broken, &database).await;
        let error = error.expect_err("lines without an order");
        let expected = "lines refers to rows that are missing";
        assert!(error.to_string().contains(expected), "{error}");
        let orders = numbers(&database, "SELECT id FROM orders").await;
        assert_eq!(orders.expect("a table"), [1]);
        migrate(&old, &database).await.expect("nothing to apply");
    }

    #[tokio::test]
    async fn again_and_with_other_files() {
        on_each("again", async |database| {
            let current = release(&[ORDERS, NOTE]);
            for _ in 0..3 {
                migrate(&current, database).await.expect("it starts");
                check(database).await;
            }
            let edited = release(&[ORDERS, "SELECT 1"]);
            let error = migrate(&edited, database).await;
            assert!(matches!(
                error,
                Err(MigrateError::VersionMismatch(2))
            ));
            let mut old = release(&[ORDERS]);
            let error = migrate(&old, database).await;
            assert!(matches!(
                error,
                Err(MigrateError::VersionMissing(2))
            ));
            old.set_ignore_missing(true);
            migrate(&old, database).await.expect("it starts");
            check(database).await;
        })
        .await;
    }

    #[tokio::test]
    async fn edges_no_migration_and_the_first() {
        on_each("edges", async |database| {
            let files = [ORDERS, NOTE];
            for count in 0..=2 {
                let some = release(&files[..count]);
                migrate(&some, database).await.expect("it starts");
            }
            check(database).await;
        })
        .await;
    }

    #[tokio::test]
    async fn cancel_lets_the_next_instance_finish() {
        on_each("cancel", async |database| {
            let current = release(&[ORDERS, NOTE]);
            hazards::at_every_poll(async |cancel| {
                cancel.run(migrate(&current, database)).await;
                let next = migrate(&current, database);
                let next = timeout(Duration::from_secs(40), next).await;
                next.expect("no lock was left").expect("it starts");
                check(database).await;
                for table in ["orders", "_sqlx_migrations"] {
                    let sql = if table == "orders" {
                        "DROP TABLE orders"
                    } else {
                        "DROP TABLE _sqlx_migrations"
                    };
                    numbers(database, sql).await.expect("a table");
                }
            })
            .await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server() -> std::io::Result<()> {
        let server =
            tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let options = PgConnectOptions::new()
            .host("127.0.0.1")
            .port(server.local_addr()?.port());
        let database = Postgresql(Box::new(options));
        let start = tokio::time::Instant::now();
        let done = migrate(&release(&[ORDERS]), &database).await;
        let error = done.expect_err("the server is silent");
        assert!(matches!(
            error,
            MigrateError::Execute(sqlx::Error::Io(error))
                if error.kind() == std::io::ErrorKind::TimedOut
        ));
        assert!(start.elapsed() < hazards::HOUR);
        Ok(())
    }

    /// An instance is stopped in the middle of a long migration. The
    /// next one has to fix it, and doesn't wait for it.
    #[tokio::test]
    async fn cancel_of_a_long_migration_ends_it_in_the_server() {
        on_each("long", async |database| {
            let Postgresql(_) = database else { return };
            let long = release(&[ORDERS, "SELECT pg_sleep(30)"]);
            let limit = Duration::from_millis(500);
            let stopped = timeout(limit, migrate(&long, database));
            assert!(stopped.await.is_err());
            let fixed = release(&[ORDERS, NOTE]);
            let fixed = migrate(&fixed, database);
            let fixed = timeout(Duration::from_secs(10), fixed).await;
            fixed.expect("no lock was left").expect("it starts");
            check(database).await;
        })
        .await;
    }

    /// A migration waits for a transaction that reads the table, and a
    /// later read waits for the migration, but only for a moment.
    #[tokio::test]
    async fn silence_of_a_reader_fails_a_file_with_a_lock_timeout() {
        on_each("locked", async |database| {
            let Postgresql(options) = database else { return };
            let old = release(&[ORDERS]);
            migrate(&old, database).await.expect("it starts");
            let reader = PgConnection::connect_with(options).await;
            let mut reader = reader.expect("a server");
            let mut reading = reader.begin().await.expect("a reader");
            let read = sqlx::query("SELECT id FROM orders");
            read.execute(&mut *reading).await.expect("no order");
            let careful = "SET LOCAL lock_timeout = '500ms';
                ALTER TABLE orders ADD COLUMN note TEXT;";
            let careful = release(&[ORDERS, careful]);
            let (failed, orders) =
                tokio::join!(migrate(&careful, database), async {
                    tokio::time::sleep(Duration::from_millis(200))
                        .await;
                    let read =
                        numbers(database, "SELECT id FROM orders");
                    timeout(Duration::from_secs(10), read).await
                });
            let Err(MigrateError::ExecuteMigration(error, 2)) = failed
            else {
                panic!("{failed:?}");
            };
            let code =
                error.as_database_error().and_then(|it| it.code());
            assert_eq!(code.as_deref(), Some("55P03"));
            let orders = orders.expect("in time").expect("a table");
            assert!(orders.is_empty());
            reading.rollback().await.expect("the reader ends");
            migrate(&careful, database).await.expect("it starts");
        })
        .await;
    }
}
