//! Listen through PgBouncer in transaction mode.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener},
};
use tokio::time::timeout;

// ANCHOR: hears
/// Whether a notification arrives that is sent after `listen`.
async fn hears(
    listeners: &PgPool,
    sender: &PgPool,
    channel: &str,
) -> sqlx::Result<bool> {
    let mut listener = PgListener::connect_with(listeners).await?;
    listener.listen(channel).await?; // No error.
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(channel)
        .execute(sender)
        .await?;
    let received = timeout(Duration::from_secs(1), listener.recv());
    match received.await {
        Ok(received) => received.map(|_| true),
        Err(_) => Ok(false),
    }
}
// ANCHOR_END: hears

async fn connect(address: &str) -> sqlx::Result<PgPool> {
    let options = address.parse::<PgConnectOptions>()?;
    // PgBouncer refuses this startup parameter.
    PgPool::connect_with(options.extra_float_digits(None)).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let (Ok(server), Ok(bouncer)) =
        (std::env::var("DATABASE_URL"), std::env::var("PGBOUNCER_URL"))
    else {
        println!("this program needs PgBouncer: set PGBOUNCER_URL");
        return Ok(());
    };
    let channel = format!("orders_{}", std::process::id());
    let server = connect(&server).await?;
    let direct = hears(&server, &server, &channel).await?;
    println!("connected to the server: heard: {direct}");
    let bouncer = connect(&bouncer).await?;
    let pooled = hears(&bouncer, &server, &channel).await?;
    println!("connected to PgBouncer:   heard: {pooled}");
    Ok(())
}
