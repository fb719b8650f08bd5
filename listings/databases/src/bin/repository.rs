//! Store orders in memory, SQLite, or PostgreSQL behind one trait.

// ANCHOR: domain
/// An order, in the terms of the shop.
#[derive(Clone, Debug, PartialEq)]
struct Order {
    /// Chosen by the client, so that it can retry (idempotency key).
    key: String,
    cents: i64,
    paid: bool,
}

/// The errors, in the terms of the shop.
#[derive(Debug, thiserror::Error)]
enum OrdersError {
    #[error("there is no order {0}")]
    Unknown(String),
    #[error("the key {0} was used for another order")]
    Different(String),
    #[error("order {0} is already paid")]
    Paid(String),
    /// Any other error of the store. The domain doesn't know which
    /// database that is.
    #[error("the orders can't be read or written")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

// ANCHOR_END: domain

// ANCHOR: trait
/// A store for orders.
trait Orders: Send + Sync {
    /// Places an order. If it's called again with the same key, it
    /// returns the existing order.
    fn place(
        &self,
        key: &str,
        cents: i64,
    ) -> impl Future<Output = Result<Order, OrdersError>> + Send;

    /// Pays an order and writes its receipt: both or neither.
    fn pay(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<(), OrdersError>> + Send;

    /// All orders, and for each whether it has a receipt.
    fn all(
        &self,
    ) -> impl Future<Output = Result<All, OrdersError>> + Send;
}

type All = Vec<(Order, bool)>;
// ANCHOR_END: trait

// ANCHOR: memory
/// For tests of code that uses orders, and for demos.
#[derive(Default)]
struct InMemory(Mutex<(BTreeMap<String, Order>, Vec<String>)>);

impl Orders for InMemory {
    async fn place(
        &self,
        key: &str,
        cents: i64,
    ) -> Result<Order, OrdersError> {
        let (orders, _) = &mut *self.lock();
        let placed = orders.entry(key.to_owned()).or_insert(Order {
            key: key.to_owned(),
            cents,
            paid: false,
        });
        same(placed.clone(), cents)
    }

    async fn pay(&self, key: &str) -> Result<(), OrdersError> {
        let (orders, receipts) = &mut *self.lock();
        match orders.get_mut(key) {
            None => Err(OrdersError::Unknown(key.to_owned())),
            Some(order) if order.paid => {
                Err(OrdersError::Paid(key.to_owned()))
            }
            Some(order) => {
                order.paid = true;
                receipts.push(key.to_owned());
                Ok(())
            }
        }
    }
    // ANCHOR_END: memory

    async fn all(&self) -> Result<All, OrdersError> {
        let (orders, receipts) = &*self.lock();
        let has_receipt = |it: &Order| receipts.contains(&it.key);
        let orders = orders.values();
        Ok(orders.map(|it| (it.clone(), has_receipt(it))).collect())
    }
}

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

impl InMemory {
    fn lock(
        &self,
    ) -> MutexGuard<'_, (BTreeMap<String, Order>, Vec<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the order if it's the same as the requested one.
fn same(order: Order, cents: i64) -> Result<Order, OrdersError> {
    match order.cents == cents {
        true => Ok(order),
        false => Err(OrdersError::Different(order.key)),
    }
}

// ANCHOR: database
use sqlx::{
    AnyConnection, AnyPool, Connection as _, Executor, Row,
    any::{AnyPoolOptions, AnyRow, install_default_drivers},
};
use tokio::time::timeout;

/// Works with SQLite and PostgreSQL, with the same statements.
struct InDatabase(AnyPool);

fn storage(error: sqlx::Error) -> OrdersError {
    OrdersError::Storage(error.into())
}

impl Orders for InDatabase {
    async fn place(
        &self,
        key: &str,
        cents: i64,
    ) -> Result<Order, OrdersError> {
        let mut connection = self.0.acquire().await.map_err(storage)?;
        sqlx::query(
            "INSERT INTO orders (key, cents, paid) VALUES ($1, $2, 0)
             ON CONFLICT (key) DO NOTHING",
        )
        .bind(key)
        .bind(cents)
        .execute(&mut *connection)
        .await
        .map_err(storage)?;
        let order = find(&mut connection, key).await?;
        same(order, cents)
    }

    // ANCHOR_END: database

    // ANCHOR: pay
    async fn pay(&self, key: &str) -> Result<(), OrdersError> {
        let mut transaction = self.0.begin().await.map_err(storage)?;
        let paid = sqlx::query(
            "UPDATE orders SET paid = 1 WHERE key = $1 AND paid = 0",
        )
        .bind(key)
        .execute(&mut *transaction)
        .await
        .map_err(storage)?;
        if paid.rows_affected() == 0 {
            find(&mut transaction, key).await?;
            return Err(OrdersError::Paid(key.to_owned()));
        }
        sqlx::query("INSERT INTO receipts (key) VALUES ($1)")
            .bind(key)
            .execute(&mut *transaction)
            .await
            .map_err(storage)?;
        transaction.commit().await.map_err(storage)
    }
    // ANCHOR_END: pay

    async fn all(&self) -> Result<All, OrdersError> {
        // One statement, because two could see different states.
        let rows = sqlx::query(
            "SELECT orders.*, (SELECT COUNT(*) FROM receipts
             WHERE receipts.key = orders.key) AS receipts
             FROM orders ORDER BY orders.key",
        );
        let rows = rows.fetch_all(&self.0).await.map_err(storage)?;
        let with_receipts = |row: &AnyRow| {
            let receipts: i64 = row.try_get("receipts")?;
            Ok((order_of(row)?, receipts == 1))
        };
        let all: sqlx::Result<_> =
            rows.iter().map(with_receipts).collect();
        all.map_err(storage)
    }
}

// ANCHOR: open
impl InDatabase {
    /// Opens a database whose tables a migration has created. For
    /// PostgreSQL, the address should set a time limit for locks.
    /// Otherwise, a call can wait forever for another call's row.
    async fn open(address: &str) -> sqlx::Result<Self> {
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            // If a `begin` is dropped, sqlx doesn't roll it back, and
            // on PostgreSQL its connection stays in the transaction.
            .after_release(|connection, _| {
                Box::pin(async move {
                    let end = connection.execute("BEGIN; ROLLBACK");
                    let end = timeout(Duration::from_secs(1), end);
                    end.await.map_err(std::io::Error::from)??;
                    // sqlx counts one that SQLite has rolled back.
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect(address)
            .await?;
        Ok(Self(pool))
    }
}
// ANCHOR_END: open

impl InDatabase {
    /// Opens an empty database and creates its tables, for this program
    /// and its tests.
    async fn create(address: &str) -> sqlx::Result<Self> {
        let orders = Self::open(address).await?;
        for table in [
            "CREATE TABLE orders (key TEXT PRIMARY KEY,
             cents BIGINT NOT NULL, paid BIGINT NOT NULL)",
            "CREATE TABLE receipts (key TEXT NOT NULL
             UNIQUE REFERENCES orders (key))",
        ] {
            sqlx::query(table).execute(&orders.0).await?;
        }
        Ok(orders)
    }
}

async fn find(
    connection: &mut AnyConnection,
    key: &str,
) -> Result<Order, OrdersError> {
    let found = sqlx::query("SELECT * FROM orders WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
        .map_err(storage)?;
    match found {
        Some(row) => order_of(&row).map_err(storage),
        None => Err(OrdersError::Unknown(key.to_owned())),
    }
}

/// Converts a row by column names, so new columns do no harm.
fn order_of(row: &AnyRow) -> sqlx::Result<Order> {
    Ok(Order {
        key: row.try_get("key")?,
        cents: row.try_get("cents")?,
        paid: row.try_get::<i64, _>("paid")? != 0,
    })
}

use std::time::Duration;

/// Places an order twice and pays it twice.
async fn sell(orders: &impl Orders) -> Result<String, OrdersError> {
    let placed = orders.place("7", 1250).await?;
    let again = orders.place("7", 1250).await?;
    orders.pay("7").await?;
    let told = [
        orders.pay("7").await.map(|()| "paid twice".to_owned()),
        orders.pay("8").await.map(|()| "paid".to_owned()),
    ];
    let told =
        told.map(|it| it.unwrap_or_else(|error| error.to_string()));
    assert_eq!(placed, again, "one key is one order");
    let all = orders.all().await?;
    let receipts = all.iter().filter(|(_, receipt)| *receipt).count();
    let (told, all) = (told.join("; "), all.len());
    Ok(format!("{told}; orders {all}, receipts {receipts}"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>>
{
    println!("memory: {}", sell(&InMemory::default()).await?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.db");
    let address = format!("sqlite://{}?mode=rwc", file.display());
    let orders = InDatabase::create(&address).await?;
    println!("SQLite: {}", sell(&orders).await?);
    orders.0.close().await;
    Ok(())
}

// ANCHOR: contract
#[cfg(test)]
mod tests {
    use std::{io::Write as _, sync::Arc};

    use super::*;

    /// The contract that every store must fulfill.
    async fn contract<S: Orders + 'static>(orders: S) {
        let orders = Arc::new(orders);
        a_key_is_one_order(&*orders).await;
        one_of_many_pays(&orders).await;
        cut_anywhere_it_is_whole(&*orders).await;
    }

    async fn a_key_is_one_order(orders: &impl Orders) {
        let placed = orders.place("a", 100).await.expect("placed");
        let again = orders.place("a", 100).await.expect("again");
        assert_eq!(placed, again);
        let other = orders.place("a", 200).await;
        assert!(matches!(other, Err(OrdersError::Different(_))));
        let unknown = orders.pay("b").await;
        assert!(matches!(unknown, Err(OrdersError::Unknown(_))));
    }

    async fn one_of_many_pays<S: Orders + 'static>(orders: &Arc<S>) {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let orders = Arc::clone(orders);
            tasks.spawn(async move { orders.pay("a").await });
        }
        let ended = tasks.join_all().await;
        let late = |it: &&_| matches!(it, Err(OrdersError::Paid(_)));
        let paid = ended.iter().filter(|it| it.is_ok()).count();
        let late = ended.iter().filter(late).count();
        assert_eq!((paid, late), (1, 19), "{ended:?}");
    }
    // ANCHOR_END: contract

    // ANCHOR: cut
    /// Drops `pay` at its first wait, at its second wait, and so on.
    async fn cut_anywhere_it_is_whole(orders: &impl Orders) {
        for waits in 0.. {
            let key = format!("cut-{waits}");
            orders.place(&key, 100).await.expect("placed");
            let ended = cut_at(waits, orders.pay(&key)).await;
            for (order, receipt) in orders.all().await.expect("all") {
                assert_eq!(order.paid, receipt, "{order:?}");
            }
            all_connections_are_clean(orders, &key).await;
            if ended {
                return;
            }
        }
    }

    /// Drops the future after this many waits. Returns whether it
    /// completed.
    async fn cut_at<T>(
        waits: u32,
        future: impl Future<Output = T>,
    ) -> bool {
        let mut future = std::pin::pin!(future);
        let mut waited = 0;
        std::future::poll_fn(|context| {
            match future.as_mut().poll(context).is_ready() {
                true => Poll::Ready(true),
                false if waited == waits => Poll::Ready(false),
                false => {
                    waited += 1;
                    Poll::Pending
                }
            }
        })
        .await
    }
    // ANCHOR_END: cut

    use std::task::Poll;

    /// Checks that no connection is still inside a transaction, where
    /// its writes would be invisible to others.
    async fn all_connections_are_clean(
        orders: &impl Orders,
        key: &str,
    ) {
        for number in 0..10 {
            let key = format!("{key}-after-{number}");
            orders.place(&key, 100).await.expect("placed");
            let all = orders.all().await.expect("all");
            assert!(all.iter().any(|(order, _)| order.key == key));
            let all = orders.all().await.expect("all");
            assert!(all.iter().any(|(order, _)| order.key == key));
        }
    }

    #[tokio::test]
    async fn again_in_memory() {
        contract(InMemory::default()).await;
    }

    #[tokio::test]
    async fn cancel_in_memory() {
        cut_anywhere_it_is_whole(&InMemory::default()).await;
    }

    async fn in_file() -> (tempfile::TempDir, InDatabase) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders.db");
        let address = format!("sqlite://{}?mode=rwc", file.display());
        let orders = InDatabase::create(&address).await;
        (folder, orders.expect("a database"))
    }

    #[tokio::test]
    async fn cancel_in_sqlite() {
        let (_folder, orders) = in_file().await;
        cut_anywhere_it_is_whole(&orders).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn overload_in_sqlite() {
        let (_folder, orders) = in_file().await;
        orders.place("a", 100).await.expect("placed");
        // Twenty callers share eight connections.
        one_of_many_pays(&Arc::new(orders)).await;
    }

    #[tokio::test]
    async fn edges_of_keys_and_amounts() {
        let memory = InMemory::default();
        let (_folder, database) = in_file().await;
        for key in
            ["", "\u{17c}\u{f3}\u{142}w", "'; DROP TABLE orders; --"]
        {
            let placed = memory.place(key, i64::MAX).await;
            let stored = database.place(key, i64::MAX).await;
            let placed = placed.expect("placed");
            assert_eq!(placed, stored.expect("placed"));
            memory.pay(key).await.expect("paid");
            database.pay(key).await.expect("paid");
        }
        let all = database.all().await.expect("all");
        assert_eq!(memory.all().await.expect("all"), all);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_in_sqlite()
    -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("orders.db");
        let address = format!("sqlite://{}?mode=rwc", file.display());
        contract(InDatabase::create(&address).await?).await;
        // The next program finds the orders.
        let all = InDatabase::open(&address).await?.all().await?;
        assert_eq!(all[0].0.key, "a");
        Ok(())
    }

    /// Runs if `DATABASE_URL` names a server, as in `.ci/run`, in its
    /// own schema, which is dropped afterwards.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_in_postgresql()
    -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        install_default_drivers();
        let server = AnyPool::connect(&address).await?;
        let schema = format!("contract_{}", std::process::id());
        let run = async |statement: String| {
            let statement = sqlx::AssertSqlSafe(statement);
            sqlx::query(statement).execute(&server).await
        };
        run(format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await?;
        run(format!("CREATE SCHEMA {schema}")).await?;
        let and = if address.contains('?') { '&' } else { '?' };
        let inside = format!(
            "{address}{and}options=-c%20search_path%3D{schema}"
        );
        let orders = InDatabase::create(&inside).await?;
        let pool = orders.0.clone();
        contract(orders).await;
        pool.close().await;
        run(format!("DROP SCHEMA {schema} CASCADE")).await?;
        Ok(())
    }

    #[tokio::test]
    async fn failure_reports_its_cause() {
        let orders = InDatabase::create("sqlite::memory:").await;
        let orders = orders.expect("a database");
        orders.0.close().await;
        let error = orders.pay("a").await.expect_err("it is closed");
        let told = error.to_string();
        assert_eq!(told, "the orders can't be read or written");
        assert!(std::error::Error::source(&error).is_some());
    }
}
