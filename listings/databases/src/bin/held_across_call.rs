//! Wrong: a connection is kept while another service is asked.

use std::time::Duration;

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::sync::Notify;

// ANCHOR: wrong
/// Pays for an order, and records the payment.
async fn pay(pool: &SqlitePool, bank: &Bank) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    let price = "SELECT price FROM orders WHERE id = 7";
    let price: i64 =
        sqlx::query_scalar(price).fetch_one(&mut *connection).await?;
    // Wrong: the connection is held while the bank is slow.
    bank.charge(price).await;
    sqlx::query("UPDATE orders SET paid = 1 WHERE id = 7")
        .execute(&mut *connection)
        .await?;
    Ok(())
}
// ANCHOR_END: wrong

/// Answers when the test lets it.
#[derive(Default)]
struct Bank {
    asked: Notify,
    answers: Notify,
}

impl Bank {
    async fn charge(&self, _price: i64) {
        self.asked.notify_one();
        self.answers.notified().await;
    }
}

/// A pool with one connection, as a pool is under load.
async fn open() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // A check that is canceled would close it, with its database.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_millis(500))
        .connect("sqlite::memory:")
        .await?;
    for statement in [
        "CREATE TABLE orders (
            id INTEGER PRIMARY KEY,
            price INTEGER NOT NULL,
            paid INTEGER NOT NULL
        ) STRICT",
        "INSERT INTO orders VALUES (7, 1250, 0)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

/// While the bank is asked, another request counts the orders. The
/// bank answers after that.
async fn count_meanwhile(
    pool: &SqlitePool,
) -> sqlx::Result<sqlx::Result<i64>> {
    let bank = Bank::default();
    let counting = async {
        bank.asked.notified().await;
        let count = "SELECT count(*) FROM orders";
        let counted = sqlx::query_scalar(count).fetch_one(pool).await;
        bank.answers.notify_one();
        counted
    };
    let (paid, counted) = tokio::join!(pay(pool, &bank), counting);
    paid.map(|()| counted)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    match count_meanwhile(&open().await?).await? {
        Ok(count) => println!("the other request: {count} order"),
        Err(error) => println!("the other request: {error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_bank_and_another_request() -> sqlx::Result<()> {
        let counted = count_meanwhile(&open().await?).await?;
        assert!(matches!(counted, Err(sqlx::Error::PoolTimedOut)));
        Ok(())
    }
}
