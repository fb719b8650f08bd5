//! On PostgreSQL, copy a database for each test from a template.

use sqlx::migrate::{MigrateError, Migrator};

// ANCHOR: copy
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Creates an empty, migrated database for the test of this name. If
/// the last run of the test left one, that one is dropped.
async fn database_for(
    test: &str,
    server: &PgConnectOptions,
    migrations: &Migrator,
) -> Result<PgPool, MigrateError> {
    // PostgreSQL would cut it off, and two tests could share a database.
    assert!(test.len() < 64, "the name {test} is too long");
    let mut admin = PgConnection::connect_with(server).await?;
    // One test at a time. Closing the connection releases the lock.
    let lock = "SELECT pg_advisory_lock(7042)";
    sqlx::query(lock).execute(&mut admin).await?;
    let template = template(&mut admin, server, migrations).await?;
    recreate(&mut admin, test, &template).await?;
    admin.close().await?;
    let options = PgPoolOptions::new().max_connections(2);
    Ok(options.connect_with(server.clone().database(test)).await?)
}

async fn recreate(
    admin: &mut PgConnection,
    name: &str,
    template: &str,
) -> sqlx::Result<()> {
    // FORCE: the pool of a test that panicked may still be open.
    for statement in [
        format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"),
        format!("CREATE DATABASE \"{name}\" TEMPLATE {template}"),
    ] {
        let statement = sqlx::query(AssertSqlSafe(statement));
        statement.execute(&mut *admin).await?;
    }
    Ok(())
}
// ANCHOR_END: copy

// ANCHOR: template
/// Runs the migrations, unless a test has done it before. Returns the
/// template's name, which changes with the migrations.
async fn template(
    admin: &mut PgConnection,
    server: &PgConnectOptions,
    migrations: &Migrator,
) -> Result<String, MigrateError> {
    let mut hash = std::hash::DefaultHasher::new();
    for migration in migrations.iter() {
        migration.checksum.hash(&mut hash);
    }
    let template = format!("shop_{:016x}", hash.finish());
    let exists = "SELECT COUNT(*) FROM pg_database WHERE datname = $1";
    let exists = sqlx::query(exists).bind(&template);
    if exists.fetch_one(&mut *admin).await?.get::<i64, _>(0) == 0 {
        recreate(admin, "shop_unfinished", "template0").await?;
        let unfinished = server.clone().database("shop_unfinished");
        let mut connection =
            PgConnection::connect_with(&unfinished).await?;
        migrations.run(&mut connection).await?;
        connection.close().await?;
        // It gets its name when it's complete, and accepts no more
        // connections, because PostgreSQL wouldn't copy it meanwhile.
        let rename = format!(
            "ALTER DATABASE shop_unfinished RENAME TO {template};
             ALTER DATABASE {template} ALLOW_CONNECTIONS false"
        );
        sqlx::raw_sql(AssertSqlSafe(rename)).execute(admin).await?;
    }
    Ok(template)
}
// ANCHOR_END: template

// ANCHOR: differs
/// Three tests, which either commit or leave the rollback to `drop`.
/// Returns what each of them finds.
async fn tests(pool: &PgPool, commit: bool) -> sqlx::Result<[bool; 3]> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("orders").await?;

    let mut test = pool.begin().await?;
    place(&mut test, 1, 1).await?;
    end(test, commit).await?;
    let orders = "SELECT COUNT(*) FROM orders";
    let orders = sqlx::query_scalar::<_, i64>(orders);
    let seen_by_others = orders.fetch_one(pool).await? == 1;

    pool.execute("NOTIFY orders, 'the end'").await?;
    let first = listener.recv().await?;
    let notified = first.payload() == "placed";

    let mut test = pool.begin().await?;
    // There's no such customer, which is checked by the commit.
    place(&mut test, 2, 99).await?;
    let rejected = end(test, commit).await.is_err();
    Ok([seen_by_others, notified, rejected])
}
// ANCHOR_END: differs

use std::hash::{Hash as _, Hasher as _};

use sqlx::{
    Executor as _, Postgres, SqlSafeStr as _, Transaction,
    migrate::Migration, postgres::PgListener,
};

async fn place(
    test: &mut PgConnection,
    order: i64,
    customer: i64,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders VALUES ($1, $2)")
        .bind(order)
        .bind(customer)
        .execute(&mut *test)
        .await?;
    test.execute("NOTIFY orders, 'placed'").await?;
    Ok(())
}

async fn end(
    test: Transaction<'_, Postgres>,
    commit: bool,
) -> sqlx::Result<()> {
    if commit { test.commit().await } else { test.rollback().await }
}

const TABLES: &str = "CREATE TABLE customers (id BIGINT PRIMARY KEY);
    INSERT INTO customers VALUES (1);
    CREATE TABLE orders (
        id BIGINT PRIMARY KEY,
        customer BIGINT REFERENCES customers
            DEFERRABLE INITIALLY DEFERRED)";

fn release(files: &[&'static str]) -> Migrator {
    use sqlx::migrate::MigrationType::Simple;
    let migrations = (1..).zip(files).map(|(version, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, "a file".into(), Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn server() -> Option<PgConnectOptions> {
    std::env::var("DATABASE_URL").ok()?.parse().ok()
}

async fn drop_all(
    server: &PgConnectOptions,
    name: &str,
) -> sqlx::Result<()> {
    let mut admin = PgConnection::connect_with(server).await?;
    let drop =
        format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
    admin.execute(AssertSqlSafe(drop)).await?;
    admin.close().await
}

/// Copies a database that has connections. Returns the error.
async fn copy_in_use(
    server: &PgConnectOptions,
    name: &str,
) -> sqlx::Result<Option<String>> {
    let mut admin = PgConnection::connect_with(server).await?;
    let copied = recreate(&mut admin, "shop_copy", name).await;
    admin.close().await?;
    let error = copied.err();
    let error = error.as_ref().and_then(|it| it.as_database_error());
    Ok(error.map(|error| {
        let code = error.code().unwrap_or_default();
        format!("{code}: {}", error.message().replace(name, "shop"))
    }))
}

#[tokio::main]
async fn main() -> Result<(), MigrateError> {
    let Some(server) = server() else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let migrations = release(&[TABLES]);
    println!("                     commit  rollback");
    let mut columns = Vec::new();
    let mut in_use = None;
    for commit in [true, false] {
        let test = format!("shop_main_{commit}_{}", std::process::id());
        let pool = database_for(&test, &server, &migrations).await?;
        columns.push(tests(&pool, commit).await?);
        if !commit {
            in_use = copy_in_use(&server, &test).await?;
        }
        pool.close().await;
        drop_all(&server, &test).await?;
    }
    let rows = ["seen by others", "notified", "rejected by commit"];
    for (row, name) in rows.iter().enumerate() {
        let [commit, rollback] = [columns[0][row], columns[1][row]];
        println!("{name:20} {commit:7} {rollback}");
    }
    if let Some(error) = in_use {
        println!("a copy of a database in use:\n  {error}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn on_server(
        test: impl AsyncFn(&PgConnectOptions, &Migrator, &str),
        name: &str,
    ) {
        let Some(server) = server() else {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}").expect("stderr");
            return;
        };
        let name = format!("shop_{name}_{}", std::process::id());
        test(&server, &release(&[TABLES]), &name).await;
        drop_all(&server, &name).await.expect("a server");
    }

    async fn orders(pool: &PgPool) -> i64 {
        let orders = "SELECT COUNT(*) FROM orders";
        let orders = sqlx::query_scalar(orders).fetch_one(pool).await;
        orders.expect("a table")
    }

    #[tokio::test]
    async fn again_with_an_empty_database() {
        let test = async |server: &_, migrations: &_, name: &str| {
            for _ in 0..2 {
                let pool = database_for(name, server, migrations).await;
                let pool = pool.expect("a database");
                assert_eq!(orders(&pool).await, 0);
                let ended = tests(&pool, true).await;
                assert_eq!(ended.expect("a database"), [true; 3]);
                // The pool stays open, as after a panic.
                std::mem::forget(pool);
            }
        };
        on_server(test, "again").await;
    }

    #[test]
    fn again_in_the_runtime_of_a_second_test() {
        for round in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let test = async |server: &_,
                              migrations: &_,
                              name: &str| {
                let pool = database_for(name, server, migrations).await;
                assert_eq!(orders(&pool.expect("one")).await, 0);
            };
            runtime
                .block_on(on_server(test, &format!("runtime{round}")));
        }
    }

    #[tokio::test]
    async fn overload_of_tests() {
        let test = async |server: &_, migrations: &_, name: &str| {
            let all = (0..4).map(async |one| {
                let name = format!("{name}_{one}");
                let pool =
                    database_for(&name, server, migrations).await;
                let pool = pool.expect("a database");
                let ended = tests(&pool, true).await;
                assert_eq!(ended.expect("a database"), [true; 3]);
                pool.close().await;
                drop_all(server, &name).await.expect("a server");
            });
            futures::future::join_all(all).await;
        };
        on_server(test, "overload").await;
    }

    #[tokio::test]
    async fn failure_of_a_migration_makes_no_template() {
        let test = async |server: &_, migrations: &_, name: &str| {
            let broken = [TABLES, "INSERT INTO missing VALUES (1)"];
            for _ in 0..2 {
                let broken = release(&broken);
                let error = database_for(name, server, &broken).await;
                assert!(matches!(
                    error,
                    Err(MigrateError::ExecuteMigration(_, 2))
                ));
            }
            let pool = database_for(name, server, migrations).await;
            assert_eq!(orders(&pool.expect("a database")).await, 0);
        };
        on_server(test, "failure").await;
    }

    #[tokio::test]
    async fn cancel_leaves_no_half_database() {
        let test = async |server: &_, migrations: &_, name: &str| {
            hazards::at_every_poll(async |cancel| {
                cancel
                    .run(database_for(name, server, migrations))
                    .await;
                let pool = database_for(name, server, migrations).await;
                let pool = pool.expect("a database");
                assert_eq!(orders(&pool).await, 0);
                pool.close().await;
            })
            .await;
        };
        on_server(test, "cancel").await;
    }

    #[tokio::test]
    async fn edges_of_names() {
        let test = async |server: &_, migrations: &_, name: &str| {
            let longest = format!("{name:x<63}");
            let upper = name.to_uppercase();
            let path = format!("{name}::tests::a-test");
            for name in [&longest, &upper, &path] {
                let pool = database_for(name, server, migrations).await;
                assert_eq!(orders(&pool.expect("it")).await, 0);
                drop_all(server, name).await.expect("a server");
            }
        };
        on_server(test, "names").await;
    }

    /// PostgreSQL would cut the names off after 63 bytes.
    #[tokio::test]
    #[should_panic(expected = "is too long")]
    async fn edges_of_a_name_that_is_too_long() {
        let server = PgConnectOptions::new();
        let long = "a".repeat(64);
        let pool = database_for(&long, &server, &release(&[])).await;
        pool.expect("the name is refused before");
    }
}
