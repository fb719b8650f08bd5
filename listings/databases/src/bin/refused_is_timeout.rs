//! The database is down, and the pool reports a timeout.

// ANCHOR: ask
use std::time::Duration;

use sqlx::{Connection, PgConnection, postgres::PgPoolOptions};

async fn through_the_pool(address: &str) -> sqlx::Result<()> {
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy(address)?;
    pool.acquire().await.map(drop)
}

/// The same without a pool, so the error shows the cause.
async fn by_itself(address: &str) -> sqlx::Result<()> {
    PgConnection::connect(address).await?.close().await
}
// ANCHOR_END: ask

/// The address of a server that is down.
async fn down() -> std::io::Result<String> {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = port.local_addr()?;
    Ok(format!("postgres://shop@{address}/shop?sslmode=disable"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = down().await?;
    if let Err(error) = through_the_pool(&address).await {
        println!("with the pool:    {error}");
    }
    if let Err(error) = by_itself(&address).await {
        println!("without the pool: {error}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_one_of_them_says_why()
    -> Result<(), Box<dyn std::error::Error>> {
        let address = down().await?;
        let pool = through_the_pool(&address).await;
        assert!(matches!(pool, Err(sqlx::Error::PoolTimedOut)));
        let alone = by_itself(&address).await;
        let Err(sqlx::Error::Io(error)) = alone else {
            panic!("{alone:?}");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        Ok(())
    }
}
