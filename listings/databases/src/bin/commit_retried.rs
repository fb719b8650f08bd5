//! Wrong: a transaction is retried although it may have committed.

use sqlx::{AnyConnection, Error};

// ANCHOR: wrong
impl Shop {
    async fn place(&self, cents: i64) -> Result<(), Error> {
        for _ in 0..3 {
            match self.try_place(cents).await {
                // Wrong: the commit may have taken effect.
                Err(Error::Io(_)) => continue,
                ended => return ended,
            }
        }
        self.try_place(cents).await
    }

    async fn try_place(&self, cents: i64) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        insert(&mut transaction, cents).await?;
        charge(&mut transaction, cents).await?;
        self.network.commit(transaction).await
    }
}
// ANCHOR_END: wrong

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{
    Any, AnyPool, Transaction,
    any::{AnyPoolOptions, install_default_drivers},
};

struct Shop {
    pool: AnyPool,
    network: Network,
}

/// Loses the next `lose` answers.
#[derive(Default)]
struct Network {
    lose: AtomicU32,
}

impl Network {
    /// Commits. If the answer is lost, the caller gets the error that
    /// sqlx returns then.
    async fn commit(
        &self,
        transaction: Transaction<'static, Any>,
    ) -> Result<(), Error> {
        transaction.commit().await?;
        let lose = self.lose.fetch_update(
            Ordering::Relaxed,
            Ordering::Relaxed,
            |left| left.checked_sub(1),
        );
        match lose {
            Ok(_) => {
                let lost = std::io::ErrorKind::UnexpectedEof;
                Err(Error::Io(lost.into()))
            }
            Err(_) => Ok(()),
        }
    }
}

async fn insert(
    connection: &mut AnyConnection,
    cents: i64,
) -> Result<(), Error> {
    let insert = "INSERT INTO orders (cents) VALUES ($1)";
    sqlx::query(insert).bind(cents).execute(connection).await?;
    Ok(())
}

async fn charge(
    connection: &mut AnyConnection,
    cents: i64,
) -> Result<(), Error> {
    let charge = "UPDATE accounts SET cents = cents - $1";
    sqlx::query(charge).bind(cents).execute(connection).await?;
    Ok(())
}

/// Loses one answer. Returns how many orders there are, and how much
/// is left in the account.
async fn run() -> Result<(i64, i64), Error> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect("sqlite::memory:")
        .await?;
    for statement in [
        "CREATE TABLE accounts (cents BIGINT NOT NULL)",
        "INSERT INTO accounts VALUES (10000)",
        "CREATE TABLE orders (cents BIGINT NOT NULL)",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    let shop = Shop { pool, network: Network::default() };
    shop.network.lose.store(1, Ordering::Relaxed);
    shop.place(300).await?;
    let state = "SELECT (SELECT COUNT(*) FROM orders), cents
        FROM accounts";
    sqlx::query_as(state).fetch_one(&shop.pool).await
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (orders, left) = run().await?;
    println!("orders: {orders}, in the account: {left}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn again_after_a_lost_answer() -> Result<(), Error> {
        assert_eq!(run().await?, (2, 9_400));
        Ok(())
    }
}
