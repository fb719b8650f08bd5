//! Return the connection after each statement, before you call another service.

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, atomic::AtomicBool, atomic::Ordering::Relaxed},
    time::Duration,
};

use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::{
    sync::Notify,
    time::{error::Elapsed, timeout},
};

// ANCHOR: back
/// Pays for an order once. Returns false if the order isn't open, for
/// example because another call has claimed it.
async fn pay(
    pool: &SqlitePool,
    bank: &Bank,
    order: i64,
) -> Result<bool, PayError> {
    let claim = "UPDATE orders SET state = 'paying'
                 WHERE id = ? AND state = 'open'";
    // On the pool itself: uses a connection for one statement.
    let claim = sqlx::query(claim).bind(order).execute(pool).await?;
    if claim.rows_affected() == 0 {
        return Ok(false);
    }
    settle(pool, bank, order).await?;
    Ok(true)
}

/// Charges an order that is `paying`. After an error, a cancellation, or
/// a crash, a job calls this again. The order's number is the
/// idempotency key, so the bank charges only once.
async fn settle(
    pool: &SqlitePool,
    bank: &Bank,
    order: i64,
) -> Result<(), PayError> {
    let price = "SELECT price FROM orders WHERE id = ?";
    let price = sqlx::query_scalar(price).bind(order);
    let price: i64 = price.fetch_one(pool).await?;
    timeout(bank.patience, bank.charge(order, price)).await??;
    let paid = "UPDATE orders SET state = 'paid' WHERE id = ?";
    sqlx::query(paid).bind(order).execute(pool).await?;
    Ok(())
}
// ANCHOR_END: back

#[derive(Debug, thiserror::Error)]
enum PayError {
    #[error("the database")]
    Database(#[from] sqlx::Error),
    #[error("the bank doesn't answer")]
    Silence(#[from] Elapsed),
    #[error("the bank")]
    Bank(#[from] io::Error),
}

/// Answers when the test lets it, and charges an order once.
struct Bank {
    asked: Notify,
    answers: Notify,
    charged: Mutex<HashMap<i64, i64>>,
    is_down: AtomicBool,
    is_broken: AtomicBool,
    patience: Duration,
}

fn bank(patience: Duration) -> Bank {
    Bank {
        asked: Notify::new(),
        answers: Notify::new(),
        charged: Mutex::default(),
        is_down: false.into(),
        is_broken: false.into(),
        patience,
    }
}

impl Bank {
    async fn charge(&self, order: i64, price: i64) -> io::Result<()> {
        let charged = || self.charged.lock().expect("no panic");
        charged().entry(order).or_insert(price);
        self.asked.notify_one();
        self.answers.notified().await;
        // For the next one that asks.
        self.answers.notify_one();
        assert!(!self.is_broken.load(Relaxed), "a bug in the client");
        match self.is_down.load(Relaxed) {
            true => Err(io::Error::other("the answer is lost")),
            false => Ok(()),
        }
    }
}

/// A pool with one connection, as a pool is under load.
async fn open(address: &str) -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // A check that is canceled would close it, with its database.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(5))
        .connect(address)
        .await?;
    for statement in [
        "CREATE TABLE orders (
            id INTEGER PRIMARY KEY,
            price INTEGER NOT NULL,
            state TEXT NOT NULL
        ) STRICT",
        "INSERT INTO orders VALUES (7, 1250, 'open')",
    ] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

/// While the bank is asked, another request counts the orders. The
/// bank answers after that.
async fn count_meanwhile(
    pool: &SqlitePool,
) -> Result<sqlx::Result<i64>, PayError> {
    let bank = bank(Duration::from_secs(60));
    let counting = async {
        bank.asked.notified().await;
        let count = "SELECT count(*) FROM orders";
        let counted = sqlx::query_scalar(count).fetch_one(pool).await;
        bank.answers.notify_one();
        counted
    };
    let (paid, counted) = tokio::join!(pay(pool, &bank, 7), counting);
    paid.map(|_| counted)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match count_meanwhile(&open("sqlite::memory:").await?).await? {
        Ok(count) => println!("the other request: {count} order"),
        Err(error) => println!("the other request: {error}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{error::Error, sync::Arc};

    use hazards::at_every_poll;
    use tokio::task::JoinSet;

    use super::*;

    type Tested = Result<(), Box<dyn Error>>;

    async fn memory() -> sqlx::Result<SqlitePool> {
        open("sqlite::memory:").await
    }

    /// A bank that answers immediately.
    fn quick() -> Bank {
        let bank = bank(Duration::from_secs(60));
        bank.answers.notify_one();
        bank
    }

    async fn state(pool: &SqlitePool) -> sqlx::Result<String> {
        let state = "SELECT state FROM orders";
        sqlx::query_scalar(state).fetch_one(pool).await
    }

    fn charges(bank: &Bank) -> usize {
        bank.charged.lock().expect("no panic").len()
    }

    #[tokio::test]
    async fn slow_bank_and_another_request() -> Tested {
        let pool = memory().await?;
        assert_eq!(count_meanwhile(&pool).await??, 1);
        assert_eq!(state(&pool).await?, "paid");
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_the_bank_ends_with_an_error() -> Tested {
        let pool = memory().await?;
        let silent = bank(Duration::from_millis(20));
        let error = pay(&pool, &silent, 7).await.expect_err("silence");
        assert!(matches!(error, PayError::Silence(_)));
        assert_eq!(state(&pool).await?, "paying");
        Ok(())
    }

    #[tokio::test]
    async fn failure_with_an_unknown_outcome_charges_once() -> Tested {
        let (pool, bank) = (memory().await?, quick());
        bank.is_down.store(true, Relaxed);
        let error = pay(&pool, &bank, 7).await.expect_err("down");
        let cause = error.source().expect("it has one").to_string();
        assert_eq!(cause, "the answer is lost");
        bank.is_down.store(false, Relaxed);
        assert!(!pay(&pool, &bank, 7).await?);
        settle(&pool, &bank, 7).await?;
        assert_eq!(
            (charges(&bank), &*state(&pool).await?),
            (1, "paid")
        );
        Ok(())
    }

    /// In a file: a connection that a cancellation closes takes a
    /// database in memory with it.
    #[tokio::test]
    async fn cancel_charges_once() -> Tested {
        let folder = tempfile::tempdir()?;
        at_every_poll(async |cancel| {
            let file = folder.path().join(cancel.polls().to_string());
            let file = format!("sqlite:{}?mode=rwc", file.display());
            let pool = open(&file).await.expect("it opens");
            let bank = quick();
            let paid = cancel.run(pay(&pool, &bank, 7)).await;
            let found = state(&pool).await.expect("it is there");
            match &*found {
                "open" => {
                    assert_eq!(charges(&bank), 0);
                    assert!(paid.is_none());
                }
                "paying" => {
                    let settled = settle(&pool, &bank, 7).await;
                    assert!(settled.is_ok() && paid.is_none());
                    assert_eq!(charges(&bank), 1);
                }
                _ => assert_eq!(charges(&bank), 1),
            }
            pool.close().await;
        })
        .await;
        Ok(())
    }

    /// The process died after the charge, and before the mark.
    #[tokio::test]
    async fn crash_after_the_charge_charges_once() -> Tested {
        let (pool, bank) = (memory().await?, quick());
        bank.charge(7, 1250).await?;
        sqlx::query("UPDATE orders SET state = 'paying'")
            .execute(&pool)
            .await?;
        settle(&pool, &bank, 7).await?;
        assert_eq!(
            (charges(&bank), &*state(&pool).await?),
            (1, "paid")
        );
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_overload_pay_once() -> Tested {
        let pool = memory().await?;
        let bank = Arc::new(quick());
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            let (pool, bank) = (pool.clone(), Arc::clone(&bank));
            tasks.spawn(async move { pay(&pool, &bank, 7).await });
        }
        let mut paid = 0;
        for outcome in tasks.join_all().await {
            paid += usize::from(outcome?);
        }
        assert_eq!((paid, charges(&bank)), (1, 1));
        Ok(())
    }

    #[tokio::test]
    async fn overload_pays_once() -> Tested {
        let (pool, bank) = (memory().await?, quick());
        let all = (0..10).map(|_| pay(&pool, &bank, 7));
        let mut paid = 0;
        for outcome in futures::future::join_all(all).await {
            paid += usize::from(outcome?);
        }
        assert_eq!((paid, charges(&bank)), (1, 1));
        Ok(())
    }

    #[tokio::test]
    async fn again_pays_once() -> Tested {
        let (pool, bank) = (memory().await?, quick());
        assert!(pay(&pool, &bank, 7).await?);
        assert!(!pay(&pool, &bank, 7).await?);
        settle(&pool, &bank, 7).await?;
        assert_eq!(charges(&bank), 1);
        Ok(())
    }

    #[tokio::test]
    async fn edges_an_order_that_does_not_exist() -> Tested {
        let (pool, bank) = (memory().await?, quick());
        assert!(!pay(&pool, &bank, 8).await?);
        let error = settle(&pool, &bank, 8).await.expect_err("none");
        assert!(matches!(error, PayError::Database(_)));
        assert_eq!(charges(&bank), 0);
        Ok(())
    }

    #[tokio::test]
    async fn panic_after_the_charge_charges_once() -> Tested {
        let (pool, bank) = (memory().await?, Arc::new(quick()));
        bank.is_broken.store(true, Relaxed);
        let task = (pool.clone(), Arc::clone(&bank));
        let panics =
            tokio::spawn(async move { pay(&task.0, &task.1, 7).await });
        assert!(panics.await.is_err_and(|error| error.is_panic()));
        bank.is_broken.store(false, Relaxed);
        settle(&pool, &bank, 7).await?;
        assert_eq!(
            (charges(&bank), &*state(&pool).await?),
            (1, "paid")
        );
        Ok(())
    }
}
