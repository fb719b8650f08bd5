//! Wrong: in PgBouncer's transaction mode, named statements of two clients collide.

// ANCHOR: wrong
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgQueryResult},
};

/// By default, sqlx gives each new statement a name on its connection,
/// and remembers the name.
async fn sell(
    connection: &mut PgConnection,
    product: &str,
) -> sqlx::Result<PgQueryResult> {
    sqlx::query(
        "UPDATE stock SET amount = amount - 1
         WHERE product = $1 AND amount > 0",
    )
    .bind(product)
    .execute(connection)
    .await
}
// ANCHOR_END: wrong

use std::env;

use sqlx::AssertSqlSafe;

/// Two clients share the server's connections.
async fn run(
    pgbouncer: &PgConnectOptions,
) -> sqlx::Result<[(&'static str, String); 3]> {
    let pgbouncer = pgbouncer.clone().extra_float_digits(None);
    let mut alice = PgConnection::connect_with(&pgbouncer).await?;
    let mut bob = PgConnection::connect_with(&pgbouncer).await?;
    let first = outcome(sell(&mut alice, "kettle").await);
    let second = outcome(sell(&mut bob, "kettle").await);
    // While Bob's transaction uses that connection of the server, Alice
    // gets another one.
    let transaction = bob.begin().await?;
    let third = outcome(sell(&mut alice, "kettle").await);
    transaction.rollback().await?;
    Ok([("Alice", first), ("Bob", second), ("Alice", third)])
}

fn outcome(sold: sqlx::Result<PgQueryResult>) -> String {
    match sold {
        Ok(_) => "sold".to_owned(),
        Err(error) => match error.as_database_error() {
            Some(answer) => format!(
                "{}: {}",
                answer.code().unwrap_or_default(),
                answer.message()
            ),
            None => error.to_string(),
        },
    }
}

/// Creates a database with a stock. Returns the options for PgBouncer,
/// if both variables are set.
async fn fresh(name: &str) -> sqlx::Result<Option<PgConnectOptions>> {
    let (Ok(pgbouncer), Ok(server)) =
        (env::var("PGBOUNCER_URL"), env::var("DATABASE_URL"))
    else {
        return Ok(None);
    };
    let server: PgConnectOptions = server.parse()?;
    let mut admin = PgConnection::connect_with(&server).await?;
    for statement in [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name}"),
    ] {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut admin)
            .await?;
    }
    admin.close().await?;
    let server = server.database(name);
    let mut direct = PgConnection::connect_with(&server).await?;
    for statement in [
        "CREATE TABLE stock
         (product TEXT PRIMARY KEY, amount BIGINT NOT NULL)",
        "INSERT INTO stock VALUES ('kettle', 5)",
    ] {
        sqlx::query(statement).execute(&mut direct).await?;
    }
    direct.close().await?;
    let pgbouncer: PgConnectOptions = pgbouncer.parse()?;
    Ok(Some(pgbouncer.database(name)))
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(pgbouncer) = fresh("pgbouncer_prepared").await? else {
        println!("this program needs PgBouncer: set PGBOUNCER_URL");
        return Ok(());
    };
    for (client, outcome) in run(&pgbouncer).await? {
        println!("{client}: {outcome}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_more_clients_than_connections_and_units()
    -> sqlx::Result<()> {
        let Some(pgbouncer) = fresh("pgbouncer_prepared_test").await?
        else {
            return Ok(());
        };
        let [_, (_, bob), (_, alice)] = run(&pgbouncer).await?;
        assert!(bob.starts_with("42P05"), "{bob}");
        assert!(alice.starts_with("26000"), "{alice}");
        Ok(())
    }
}
