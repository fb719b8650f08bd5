//! Clients of servers and databases.

use crate::row::{agrees, drop_pending};
use deadpool::managed::Pool;
use futures::FutureExt;
use sqlx::sqlite::SqlitePoolOptions;
use std::error::Error;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
        "the response; the server may still process the request",
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
    agrees("pool_acquire", "place_only", "the position in the queue");
    Ok(())
}

/// Makes connections whose test takes a while.
#[derive(Clone, Default)]
struct Tested {
    /// A connection was used while an answer was outstanding.
    has_mixed_up: Arc<AtomicBool>,
}

/// A connection, and whether the answer to its test is outstanding.
#[derive(Default)]
struct Connection {
    is_asked: bool,
}

impl Tested {
    async fn test(&self, connection: &mut Connection) {
        if connection.is_asked {
            self.has_mixed_up.store(true, Ordering::Relaxed);
        }
        connection.is_asked = true;
        tokio::task::yield_now().await;
        connection.is_asked = false;
    }
}

impl bb8::ManageConnection for Tested {
    type Connection = Connection;
    type Error = std::convert::Infallible;

    async fn connect(&self) -> Result<Connection, Self::Error> {
        Ok(Connection::default())
    }

    async fn is_valid(
        &self,
        connection: &mut Connection,
    ) -> Result<(), Self::Error> {
        self.test(connection).await;
        Ok(())
    }

    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

#[tokio::test]
async fn bb8_get() -> Result<(), Box<dyn Error>> {
    let connections = Tested::default();
    let pool = bb8::Pool::builder()
        .max_size(1)
        .test_on_check_out(true)
        .build(connections.clone())
        .await?;
    drop(pool.get().await?);
    drop_pending!(pool.get());
    assert!(!connections.has_mixed_up.load(Ordering::Relaxed));
    // It went back into the pool, and its answer is outstanding.
    drop(pool.get().await?);
    assert!(connections.has_mixed_up.load(Ordering::Relaxed));
    agrees(
        "bb8_get",
        "not_safe",
        "the reply to the test query, which the next user of the connection reads",
    );
    Ok(())
}

impl deadpool::managed::Manager for Tested {
    type Type = Connection;
    type Error = std::convert::Infallible;

    async fn create(&self) -> Result<Connection, Self::Error> {
        Ok(Connection::default())
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Self::Error> {
        self.test(connection).await;
        Ok(())
    }
}

#[tokio::test]
async fn deadpool_get() -> Result<(), Box<dyn Error>> {
    let connections = Tested::default();
    let pool = Pool::<Tested>::builder(connections.clone())
        .max_size(1)
        .build()?;
    drop(pool.get().await?);
    assert_eq!(pool.status().size, 1);
    drop_pending!(pool.get());
    // It was closed, and its place is free.
    assert_eq!(pool.status().size, 0);
    drop(pool.get().await?);
    assert!(!connections.has_mixed_up.load(Ordering::Relaxed));
    agrees(
        "deadpool_get",
        "place_only",
        "the position in the queue, and the connection, which is closed",
    );
    Ok(())
}

#[tokio::test]
async fn transaction_commit() -> Result<(), sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    sqlx::query("CREATE TABLE orders (id INTEGER)")
        .execute(&pool)
        .await?;
    // Its thread may answer so quickly that there is no wait.
    let mut inserted = 0;
    let mut has_waited = false;
    while !has_waited && inserted < 10_000 {
        let mut transaction = pool.begin().await?;
        sqlx::query("INSERT INTO orders VALUES (1)")
            .execute(&mut *transaction)
            .await?;
        inserted += 1;
        let mut commit = pin!(transaction.commit());
        has_waited = futures::poll!(commit.as_mut()).is_pending();
    }
    assert!(has_waited, "it was never dropped while it waited");
    // It was asked for, and happened: nobody got the answer.
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM orders")
        .fetch_one(&pool)
        .await?;
    assert_eq!(rows, inserted);
    agrees(
        "transaction_commit",
        "not_safe",
        "the result: the transaction may or may not be committed",
    );
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
    agrees("transaction", "safe", "nothing, because the transaction is rolled back");
    Ok(())
}
