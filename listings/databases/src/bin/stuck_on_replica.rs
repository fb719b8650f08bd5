//! Wrong: a replica answers the pool's ping, so the pool keeps connections that can't write.

// ANCHOR: wrong
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

async fn open(server: PgConnectOptions) -> sqlx::Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(4);
    pool.connect_with(server).await
}

async fn book(pool: &PgPool, guest: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO bookings VALUES ($1)")
        .bind(guest)
        .execute(pool)
        .await?;
    Ok(())
}
// ANCHOR_END: wrong

use std::env;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Creates an empty database, and returns its options, if
/// `DATABASE_URL` names a server.
async fn fresh(name: &str) -> sqlx::Result<Option<PgConnectOptions>> {
    let Ok(server) = env::var("DATABASE_URL") else {
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
    sqlx::query("CREATE TABLE bookings (guest TEXT NOT NULL)")
        .execute(&mut direct)
        .await?;
    direct.close().await?;
    Ok(Some(server))
}

/// Does to all sessions of the pool what a failover does to the sessions
/// of the old primary: they can read, and every write fails.
async fn demote(pool: &PgPool) -> sqlx::Result<()> {
    let mut connections = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        connections.push(pool.acquire().await?);
    }
    let read_only =
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    for connection in &mut connections {
        sqlx::query(read_only).execute(&mut **connection).await?;
    }
    Ok(())
}

fn report(booked: sqlx::Result<()>) -> String {
    let error = match booked {
        Ok(()) => return "booked".to_owned(),
        Err(error) => error,
    };
    match error.as_database_error() {
        Some(answer) => format!(
            "{}: {}",
            answer.code().unwrap_or_default(),
            answer.message()
        ),
        None => error.to_string(),
    }
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Some(server) = fresh("stuck_on_replica").await? else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let pool = open(server).await?;
    println!(
        "before the failover: {}",
        report(book(&pool, "Ann").await)
    );
    demote(&pool).await?;
    for guest in ["Ben", "Cleo"] {
        let booked = report(book(&pool, guest).await);
        println!("after it: {booked}");
    }
    pool.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failure_of_the_primary_ends_with_new_connections()
    -> sqlx::Result<()> {
        let Some(server) = fresh("sr_failure").await? else {
            return Ok(());
        };
        let pool = open(server).await?;
        demote(&pool).await?;
        for _ in 0..8 {
            let booked = report(book(&pool, "Ben").await);
            assert!(booked.starts_with("25006"), "{booked}");
        }
        pool.close().await;
        Ok(())
    }
}
