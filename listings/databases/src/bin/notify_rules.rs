//! When a notification is sent, and what it may contain.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, postgres::PgListener,
};
use tokio::time::timeout;

// ANCHOR: run
async fn run(server: &str, orders: &str) -> sqlx::Result<()> {
    let mut listener = PgListener::connect(server).await?;
    listener.listen(orders).await?;
    let mut shop = PgConnection::connect(server).await?;

    let mut transaction = shop.begin().await?;
    notify(&mut transaction, orders, "7").await?;
    println!("before the commit: {}", received(&mut listener).await?);
    notify(&mut transaction, orders, "7").await?;
    notify(&mut transaction, orders, "8").await?;
    transaction.commit().await?;
    println!("after the commit:  {}", received(&mut listener).await?);

    let mut transaction = shop.begin().await?;
    notify(&mut transaction, orders, "9").await?;
    transaction.rollback().await?;
    println!("after a rollback:  {}", received(&mut listener).await?);

    let upper = format!("NOTIFY {}", orders.to_uppercase());
    sqlx::query(AssertSqlSafe(upper)).execute(&mut shop).await?;
    println!("NOTIFY ORDERS:     {}", received(&mut listener).await?);
    let upper = orders.to_uppercase();
    notify(&mut shop, &upper, "10").await?;
    println!("pg_notify:         {}", received(&mut listener).await?);

    for length in [7_999, 8_000] {
        let payload = "x".repeat(length);
        match notify(&mut shop, orders, &payload).await {
            Ok(()) => println!("{length} bytes: sent"),
            Err(sqlx::Error::Database(error)) => println!(
                "{length} bytes: {} {}",
                error.code().unwrap_or_default(),
                error.message()
            ),
            Err(error) => return Err(error),
        }
    }
    // ANCHOR_END: run
    received(&mut listener).await?;
    let used = "SELECT pg_notification_queue_usage()";
    let used: f64 =
        sqlx::query_scalar(used).fetch_one(&mut shop).await?;
    println!("of the queue, in use: less than 1 %: {}", used < 0.01);
    shop.close().await
}

async fn notify(
    connection: &mut PgConnection,
    channel: &str,
    payload: &str,
) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(channel)
        .bind(payload)
        .execute(connection)
        .await?;
    Ok(())
}

/// The notifications that arrive within a moment.
async fn received(listener: &mut PgListener) -> sqlx::Result<String> {
    let moment = Duration::from_millis(700);
    let mut payloads = Vec::new();
    while let Ok(it) = timeout(moment, listener.recv()).await {
        payloads.push(it?.payload().to_owned());
    }
    Ok(format!("{payloads:?}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    run(&server, &format!("orders_{}", std::process::id())).await
}
