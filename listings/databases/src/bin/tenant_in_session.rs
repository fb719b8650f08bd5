//! Wrong: a session's setting stays on the shared connection, and the next client has it.

// ANCHOR: wrong
use sqlx::{Connection, PgConnection};

/// Counts the tenant's invoices.
async fn invoices(
    connection: &mut PgConnection,
    tenant: &str,
) -> sqlx::Result<i64> {
    // `false`: for the whole session, as with a plain SET.
    sqlx::query("SELECT set_config('shop.tenant', $1, false)")
        .bind(tenant)
        .persistent(false)
        .execute(&mut *connection)
        .await?;
    own_invoices(connection).await
}
// ANCHOR_END: wrong

async fn own_invoices(
    connection: &mut PgConnection,
) -> sqlx::Result<i64> {
    let mut transaction = connection.begin().await?;
    let invoices =
        sqlx::query_scalar("SELECT count(*) FROM own_invoices")
            .persistent(false)
            .fetch_one(&mut *transaction)
            .await?;
    transaction.commit().await?;
    Ok(invoices)
}

use std::env;

use sqlx::{AssertSqlSafe, postgres::PgConnectOptions};

/// Creates an empty database. Returns the options for PgBouncer and for
/// the server itself, if their variables are set.
async fn fresh(
    name: &str,
) -> sqlx::Result<Option<(PgConnectOptions, PgConnectOptions)>> {
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
    let pgbouncer: PgConnectOptions = pgbouncer.parse()?;
    Ok(Some((pgbouncer.database(name), server.database(name))))
}

/// A view that shows each tenant its own invoices: three of Ann's, and
/// one of Bob's.
async fn create(server: &PgConnectOptions) -> sqlx::Result<()> {
    let mut direct = PgConnection::connect_with(server).await?;
    for statement in [
        "CREATE TABLE invoices (tenant TEXT NOT NULL)",
        "INSERT INTO invoices VALUES ('ann'), ('ann'), ('ann'), ('bob')",
        "CREATE VIEW own_invoices AS SELECT * FROM invoices
         WHERE tenant = current_setting('shop.tenant', true)",
    ] {
        sqlx::query(statement).execute(&mut direct).await?;
    }
    direct.close().await
}

/// Ann's client sets the tenant. Returns what each client sees.
async fn run(pgbouncer: &PgConnectOptions) -> sqlx::Result<[i64; 2]> {
    let pgbouncer = pgbouncer.clone().extra_float_digits(None);
    let mut ann = PgConnection::connect_with(&pgbouncer).await?;
    let mut other = PgConnection::connect_with(&pgbouncer).await?;
    Ok([
        invoices(&mut ann, "ann").await?,
        own_invoices(&mut other).await?,
    ])
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some((pgbouncer, server)) = fresh("tenant_in_session").await?
    else {
        println!("this program needs PgBouncer: set PGBOUNCER_URL");
        return Ok(());
    };
    create(&server).await?;
    let [ann, other] = run(&pgbouncer).await?;
    println!("Ann's invoices: {ann}");
    println!("another client, without a tenant: {other} of Ann's");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_each_tenant_sees_its_own() -> sqlx::Result<()> {
        let Some((pgbouncer, server)) = fresh("ts_overload").await?
        else {
            return Ok(());
        };
        create(&server).await?;
        assert_eq!(run(&pgbouncer).await?, [3, 3], "it sees Ann's");
        Ok(())
    }
}
