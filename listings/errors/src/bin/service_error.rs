//! A library's error: one variant for each thing a caller can do.

// ANCHOR: error
/// Why there is no price.
#[derive(Debug, thiserror::Error)]
enum PriceError {
    /// The caller asked for something that is not there.
    #[error("there is no product {0}")]
    NoProduct(u32),

    /// The supplier did not answer, or not with a price.
    #[error("the supplier gave no price for product {product}")]
    Supplier { product: u32, source: reqwest::Error },

    /// Our own database failed.
    #[error("cannot read the products")]
    Database(#[from] sqlx::Error),
}

/// Looks the product up, and asks its supplier for the price.
async fn price(
    shop: &Shop,
    product: u32,
) -> Result<String, PriceError> {
    let path: Option<String> =
        sqlx::query_scalar("SELECT path FROM products WHERE id = ?")
            .bind(product)
            .fetch_optional(&shop.database)
            .await?;
    let path = path.ok_or(PriceError::NoProduct(product))?;
    let answer = async {
        let url = format!("http://{}{path}", shop.supplier);
        let answer = shop.client.get(url).send().await?;
        answer.error_for_status()?.text().await
    };
    answer.await.map_err(|error| PriceError::Supplier {
        product,
        // A URL may hold a secret, and here a port by chance.
        source: error.without_url(),
    })
}
// ANCHOR_END: error

use std::{error::Error, net::SocketAddr};

use sqlx::SqlitePool;
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
    /// A shop with three products, whose supplier knows the first one,
    /// fails at the second, and hangs up in the middle of the third.
    async fn open() -> Result<Self, Box<dyn Error>> {
        let database = SqlitePool::connect("sqlite::memory:").await?;
        let table = "CREATE TABLE products (id INTEGER, path TEXT);
            INSERT INTO products VALUES
                (1, '/tea'), (2, '/fails'), (3, '/half');";
        sqlx::raw_sql(table).execute(&database).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let supplier = listener.local_addr()?;
        let mut running = JoinSet::new();
        running.spawn(supply(listener));
        // No proxy: the supplier is on this machine.
        let client = reqwest::Client::builder().no_proxy().build()?;
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
            Some("/half") => {
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n4."
            }
            _ => {
                "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
        };
        // A client that has gone does not read it.
        let _ = client.write_all(answer.as_bytes()).await;
    }
}

/// An error with all of its sources.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told.push_str(&format!("\n  because: {error}"));
        source = error.source();
    }
    told
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let shop = Shop::open().await?;
    for product in 1..=4 {
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

    #[tokio::test]
    async fn each_cause_has_its_variant() -> Result<(), Box<dyn Error>>
    {
        let shop = Shop::open().await?;
        assert_eq!(price(&shop, 1).await?, "4.20");
        let fails = price(&shop, 2).await;
        assert!(matches!(
            fails,
            Err(PriceError::Supplier { product: 2, source })
                if source.is_status()
        ));
        let none = price(&shop, 4).await;
        assert!(matches!(none, Err(PriceError::NoProduct(4))));
        shop.database.close().await;
        let closed = price(&shop, 1).await;
        assert!(matches!(closed, Err(PriceError::Database(_))));
        Ok(())
    }
}
