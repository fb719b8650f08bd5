//! Clients of servers and databases.

use crate::row::{agrees, drop_pending};
use futures::FutureExt;
use sqlx::sqlite::SqlitePoolOptions;
use std::error::Error;
use std::future::pending;
use std::pin::pin;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[tokio::test]
async fn http_request() -> Result<(), Box<dyn Error>> {
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/pay", server.local_addr()?);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut connection = {
        let mut request = pin!(client.post(url).send().fuse());
        let arrived = async {
            let (mut connection, _) = server.accept().await?;
            let mut verb = [0; 4];
            connection.read_exact(&mut verb).await?;
            assert_eq!(&verb, b"POST");
            std::io::Result::Ok(connection)
        };
        tokio::select! {
            biased;
            _ = &mut request => panic!("nobody has answered"),
            connection = arrived => connection?,
        }
    };
    // The request was dropped, and its connection closed.
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).await?;
    agrees(
        "http_request",
        "not_safe",
        "the answer; the server has the request, and may do it",
    );
    Ok(())
}

#[tokio::test]
async fn pool_acquire() -> Result<(), sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    let only = pool.acquire().await?;
    drop_pending!(pool.acquire());
    drop(only);
    drop(pool.acquire().await?);
    agrees("pool_acquire", "place_only", "the place in line");
    Ok(())
}

#[tokio::test]
async fn transaction() -> Result<(), sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    sqlx::query("CREATE TABLE orders (id INTEGER)")
        .execute(&pool)
        .await?;
    let (inserted, is_inserted) = oneshot::channel();
    let work = async {
        let mut transaction = pool.begin().await?;
        sqlx::query("INSERT INTO orders VALUES (1)")
            .execute(&mut *transaction)
            .await?;
        inserted.send(()).expect("it is awaited");
        pending::<()>().await;
        transaction.commit().await
    };
    tokio::select! {
        biased;
        _ = work => panic!("it never commits"),
        inserted = is_inserted => inserted.expect("it was inserted"),
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM orders")
        .fetch_one(&pool)
        .await?;
    assert_eq!(rows, 0);
    agrees("transaction", "safe", "nothing: it is rolled back");
    Ok(())
}
