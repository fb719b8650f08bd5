//! A library's error: one variant for each action of a caller.

// ANCHOR: error
/// Why there is no price. Each variant is an action of the caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum PriceError {
    /// Correct the request. A service answers 404.
    #[error("there is no product {0}")]
    NoProduct(u32),

    /// Try again later. A service answers 503.
    #[error("the supplier gave no price for product {product}")]
    Unavailable { product: u32, source: Cause },

    /// Nothing: a person must look at it. A service answers 500.
    #[error("cannot look up product {product}")]
    Broken { product: u32, source: Cause },
}

/// The cause, for the log. Boxed, so that neither sqlx nor reqwest
/// is part of this module's interface.
type Cause = Box<dyn Error + Send + Sync>;
// ANCHOR_END: error

// ANCHOR: price
/// Looks the product up, and asks its supplier for the price.
async fn price(
    shop: &Shop,
    product: u32,
) -> Result<String, PriceError> {
    let path: Option<String> =
        sqlx::query_scalar("SELECT path FROM products WHERE id = ?")
            .bind(product)
            .fetch_optional(&shop.database)
            .await
            .map_err(|error| of_database(product, error))?;
    let path = path.ok_or(PriceError::NoProduct(product))?;
    let answer = async {
        let url = format!("http://{}{path}", shop.supplier);
        let answer = shop.client.get(url).send().await?;
        answer.error_for_status()?.text().await
    };
    answer.await.map_err(|error| of_supplier(product, error))
}
// ANCHOR_END: price

// ANCHOR: classify
/// Waiting may help if the pool was busy or the connection broke.
fn of_database(product: u32, error: sqlx::Error) -> PriceError {
    use sqlx::Error::{Database, Io, PoolTimedOut};
    match error {
        Io(_) | PoolTimedOut => {
            PriceError::Unavailable { product, source: error.into() }
        }
        // sqlx's error prints the database's own error in its message
        // and also returns it as its source.
        Database(source) => PriceError::Broken { product, source },
        _ => PriceError::Broken { product, source: error.into() },
    }
}

/// Waiting doesn't help if the supplier doesn't accept our request, for
/// example because our password has expired (401).
fn of_supplier(product: u32, error: reqwest::Error) -> PriceError {
    // 408, 425, and 429 aren't refusals: they ask us to try again.
    let is_refused = error.status().is_some_and(|status| {
        let status = status.as_u16();
        // 501: the supplier doesn't support such requests.
        (status < 500 || status == 501)
            && ![408, 425, 429].contains(&status)
    });
    let is_ours = error.is_builder() || error.is_redirect();
    // The URL may hold a secret, and its port differs in each run.
    let source = error.without_url().into();
    match is_refused || is_ours {
        true => PriceError::Broken { product, source },
        false => PriceError::Unavailable { product, source },
    }
}
// ANCHOR_END: classify

use std::{error::Error, net::SocketAddr, time::Duration};

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinSet,
};

struct Shop {
    database: SqlitePool,
    client: reqwest::Client,
    supplier: SocketAddr,
    _running: JoinSet<()>,
}

impl Shop {
    /// A shop whose supplier knows the first product, fails at the
    /// second, hangs up in the middle of the third, refuses the fifth
    /// to the seventh, and is silent at the ninth.
    async fn open() -> Result<Self, Cause> {
        // One connection, because each has a database of its own.
        let database = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect("sqlite::memory:")
            .await?;
        let table = "CREATE TABLE products (id INTEGER, path TEXT);
            INSERT INTO products VALUES
                (1, '/tea'), (2, '/fails'), (3, '/half'),
                (5, '/refused'), (6, '/busy'), (7, '/cannot'),
                (9, '/silent');";
        sqlx::raw_sql(table).execute(&database).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let supplier = listener.local_addr()?;
        let mut running = JoinSet::new();
        running.spawn(supply(listener));
        // No proxy: the supplier is on this machine.
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2))
            .build()?;
        Ok(Self { database, client, supplier, _running: running })
    }
}

/// Answers one request of each client.
async fn supply(listener: TcpListener) {
    while let Ok((client, _)) = listener.accept().await {
        let mut client = BufReader::new(client);
        let mut request = String::new();
        let mut line = String::from("first");
        while !line.trim().is_empty() {
            line.clear();
            if client.read_line(&mut line).await.is_err() {
                break;
            }
            request.push_str(&line);
        }
        let answer = match request.split(' ').nth(1) {
            Some("/tea") => {
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n4.20"
            }
            Some("/silent") => std::future::pending().await,
            Some("/half") => {
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n4."
            }
            Some("/refused") => {
                "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Some("/busy") => {
                "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Some("/cannot") => {
                "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            _ => {
                "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
        };
        // A client that has disconnected doesn't read it.
        let _ = client.write_all(answer.as_bytes()).await;
    }
}

/// An error with all of its sources.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(&format!("\n  because: {error}"));
        source = error.source();
    }
    line
}

#[tokio::main]
async fn main() -> Result<(), Cause> {
    let shop = Shop::open().await?;
    for product in 1..=5 {
        match price(&shop, product).await {
            Ok(price) => println!("product {product}: {price}"),
            Err(error) => println!("{}", chain(&error)),
        }
    }
    sqlx::query("DROP TABLE products").execute(&shop.database).await?;
    if let Err(error) = price(&shop, 1).await {
        println!("{}", chain(&error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither the caller's log nor its reader sees another crate.
    fn source<T: Error + 'static>(error: &PriceError) -> Option<&T> {
        error.source()?.downcast_ref()
    }

    #[tokio::test]
    async fn failure_of_each_kind_has_its_variant() -> Result<(), Cause>
    {
        let shop = Shop::open().await?;
        assert_eq!(price(&shop, 1).await?, "4.20");
        for product in [2, 3, 6] {
            let error = price(&shop, product).await.expect_err("fails");
            assert!(source::<reqwest::Error>(&error).is_some());
            let line = error.to_string();
            assert!(line.ends_with(&format!("product {product}")));
            assert!(matches!(error, PriceError::Unavailable { .. }));
        }
        let none = price(&shop, 4).await;
        assert!(matches!(none, Err(PriceError::NoProduct(4))));
        for product in [5, 7] {
            let refused = price(&shop, product).await.expect_err("no");
            assert!(matches!(refused, PriceError::Broken { .. }));
        }
        shop.database.close().await;
        let error = price(&shop, 1).await.expect_err("it is closed");
        assert!(source::<sqlx::Error>(&error).is_some());
        assert!(matches!(error, PriceError::Broken { .. }));
        Ok(())
    }

    /// A busy pool isn't a bug that somebody has to look into.
    #[tokio::test]
    async fn failure_of_a_busy_pool_is_worth_another_try() {
        let error = of_database(7, sqlx::Error::PoolTimedOut);
        assert!(matches!(error, PriceError::Unavailable { .. }));
        assert!(source::<sqlx::Error>(&error).is_some());
    }

    #[tokio::test]
    async fn failure_prints_each_cause_once() -> Result<(), Cause> {
        let shop = Shop::open().await?;
        let drop = sqlx::query("DROP TABLE products");
        drop.execute(&shop.database).await?;
        let error = price(&shop, 1).await.expect_err("no table");
        let line = chain(&error);
        assert_eq!(line.matches("no such table").count(), 1, "{line}");
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_the_supplier_is_bounded() -> Result<(), Cause> {
        let shop = Shop::open().await?;
        let error = price(&shop, 9).await.expect_err("no answer");
        let error = source::<reqwest::Error>(&error);
        assert!(error.is_some_and(reqwest::Error::is_timeout));
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_number_that_no_product_has() -> Result<(), Cause> {
        let shop = Shop::open().await?;
        for product in [0, u32::MAX] {
            let none = price(&shop, product).await;
            assert!(matches!(none, Err(PriceError::NoProduct(it))
                if it == product));
        }
        Ok(())
    }

    #[tokio::test]
    async fn threads_may_run_it() -> Result<(), Cause> {
        let shop = Shop::open().await?;
        let task = tokio::spawn(async move { price(&shop, 2).await });
        assert!(task.await?.is_err());
        Ok(())
    }
}
