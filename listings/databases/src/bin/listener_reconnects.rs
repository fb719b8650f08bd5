//! What a listener returns after its connection was lost.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::time::timeout;

// ANCHOR: run
async fn run(server: &str, name: &str) -> sqlx::Result<()> {
    let (pool, listeners) = open(server, name).await?;
    let mut listener = PgListener::connect_with(&listeners).await?;
    listener.listen(name).await?;

    cut_and_notify(&pool, name, "1").await?;
    notify(&pool, name, "2").await?;
    println!("try_recv: {}", within_a_moment(&mut listener).await);
    notify(&pool, name, "3").await?;
    println!("try_recv: {}", within_a_moment(&mut listener).await);

    cut_and_notify(&pool, name, "4").await?;
    let received = timeout(Duration::from_secs(5), listener.recv());
    let (received, _) = tokio::join!(received, async {
        until_it_listens(&pool, name).await?;
        notify(&pool, name, "5").await
    });
    println!("recv:     {}", told(received.map(|it| it.map(Some))));

    listener.eager_reconnect(false);
    cut_and_notify(&pool, name, "6").await?;
    println!("lazy:     {}", within_a_moment(&mut listener).await);
    notify(&pool, name, "7").await?;
    println!("lazy:     {}", within_a_moment(&mut listener).await);
    listener.eager_reconnect(true);

    // All of the pool's other connections are in use.
    let waiting = listeners.acquire();
    let mut waiting = Box::pin(waiting);
    assert!((&mut waiting).now_or_never().is_none());
    cut_and_notify(&pool, name, "8").await?;
    let (refused, waited) =
        tokio::join!(within_a_moment(&mut listener), waiting);
    println!("refused:  {refused}");
    drop(waited?);
    println!("later:    {}", within_a_moment(&mut listener).await);
    // ANCHOR_END: run
    drop(listener);
    listeners.close().await;
    pool.close().await;
    Ok(())
}

use futures::FutureExt as _;

/// Two pools, of which the second one's connections have a name. The
/// channel has it, too: channels are shared by all of a database.
async fn open(
    server: &str,
    name: &str,
) -> sqlx::Result<(PgPool, PgPool)> {
    let options = server.parse::<PgConnectOptions>()?;
    let pool = PgPool::connect_with(options.clone()).await?;
    let listeners = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(1))
        .connect_with(options.application_name(name))
        .await?;
    Ok((pool, listeners))
}

async fn within_a_moment(listener: &mut PgListener) -> String {
    let moment = Duration::from_secs(2);
    told(timeout(moment, listener.try_recv()).await)
}

fn told(
    received: Result<
        sqlx::Result<Option<sqlx::postgres::PgNotification>>,
        tokio::time::error::Elapsed,
    >,
) -> String {
    match received {
        Ok(Ok(Some(it))) => format!("notification {}", it.payload()),
        Ok(Ok(None)) => "None".to_owned(),
        Ok(Err(error)) => format!("error: {error}"),
        Err(_) => "nothing".to_owned(),
    }
}

async fn notify(
    pool: &PgPool,
    name: &str,
    order: &str,
) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(name)
        .bind(order)
        .execute(pool)
        .await?;
    Ok(())
}

async fn cut_and_notify(
    pool: &PgPool,
    name: &str,
    order: &str,
) -> sqlx::Result<()> {
    let cut = "SELECT pg_terminate_backend(pid, 10000)
        FROM pg_stat_activity WHERE application_name = $1";
    sqlx::query(cut).bind(name).execute(pool).await?;
    notify(pool, name, order).await
}

/// Waits until a connection listens.
async fn until_it_listens(
    pool: &PgPool,
    name: &str,
) -> sqlx::Result<()> {
    let listening = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE application_name = $1 AND query LIKE 'LISTEN%'
        AND state = 'idle'";
    loop {
        let count = sqlx::query_scalar(listening).bind(name);
        let count: i64 = count.fetch_one(pool).await?;
        if count > 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let Ok(server) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    let name = format!("listener_reconnects_{}", std::process::id());
    run(&server, &name).await
}
