//! Turn a violated constraint into an error of the domain.

// ANCHOR: rejected
use sqlx::error::{DatabaseError, ErrorKind};

/// The rules that an order can break.
#[derive(Debug, PartialEq, thiserror::Error)]
enum Rejected {
    #[error("the key was used for another order")]
    KeyUsed,
    #[error("there is no such customer")]
    NoCustomer,
    #[error("an order has at least one unit")]
    NoUnits,
    #[error("the delivery slot is taken")]
    SlotTaken,
}

/// Translates the error of an `INSERT INTO orders`. A rule that isn't
/// listed here is a bug, and must not look like a user's mistake.
fn rejected(error: sqlx::Error) -> Result<Rejected, sqlx::Error> {
    use ErrorKind::*;
    let Some(database) = error.as_database_error() else {
        return Err(error);
    };
    // PostgreSQL reports the name. SQLite often reports another.
    match (database.kind(), constraint(database)) {
        (UniqueViolation, "orders_key" | "orders.key") => {
            Ok(Rejected::KeyUsed)
        }
        (ForeignKeyViolation, "orders_customer" | "") => {
            Ok(Rejected::NoCustomer)
        }
        (CheckViolation, "orders_units") => Ok(Rejected::NoUnits),
        (ExclusionViolation, "orders_slot") => Ok(Rejected::SlotTaken),
        _ => Err(error),
    }
}
// ANCHOR_END: rejected

// ANCHOR: constraint
/// In SQLite, `constraint` is always `None`. The message has the name
/// of a check, the columns of a unique index, and no foreign key.
fn constraint(error: &dyn DatabaseError) -> &str {
    let failed = error.message().split_once("constraint failed: ");
    let in_message = failed.map_or("", |(_, name)| name);
    error.constraint().unwrap_or(in_message)
}
// ANCHOR_END: constraint

// ANCHOR: table
const TABLE: &str = "CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL CONSTRAINT orders_key UNIQUE,
    customer INTEGER
        CONSTRAINT orders_customer REFERENCES customers,
    units INTEGER NOT NULL
        CONSTRAINT orders_units CHECK (units > 0))";

/// PostgreSQL only: two orders can't have overlapping slots.
const SLOT: &str = "ALTER TABLE orders ADD slot INT4RANGE,
    ADD CONSTRAINT orders_slot EXCLUDE USING gist (slot WITH &&)";
// ANCHOR_END: table

use std::time::Duration;

use sqlx::{
    AnyPool, AssertSqlSafe,
    any::{AnyPoolOptions, install_default_drivers},
};

const BAD_ORDERS: [&str; 6] = [
    "INSERT INTO orders VALUES (1, 'b', 1, 1)",
    "INSERT INTO orders VALUES (2, 'a', 1, 1)",
    "INSERT INTO orders VALUES (2, 'b', 9, 1)",
    "INSERT INTO orders VALUES (2, 'b', 1, 0)",
    "INSERT INTO orders VALUES (2, 'b', 1, NULL)",
    "INSERT INTO orders VALUES (2, 'b', 1, 1, '[9,11)')",
];

/// Opens a schema on the server, or else a database in memory.
async fn open(
    server: Option<&str>,
    schema: &str,
) -> sqlx::Result<AnyPool> {
    install_default_drivers();
    let address = match server {
        None => "sqlite::memory:".to_owned(),
        Some(server) => {
            let and = if server.contains('?') { '&' } else { '?' };
            format!("{server}{and}options=-c%20search_path%3D{schema}")
        }
    };
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(10))
        .connect(&address)
        .await?;
    let mut statements = vec![
        "CREATE TABLE customers (id INTEGER PRIMARY KEY)".to_owned(),
        TABLE.to_owned(),
        "INSERT INTO customers VALUES (1)".to_owned(),
    ];
    if server.is_some() {
        statements.insert(0, format!("CREATE SCHEMA {schema}"));
        statements.push(SLOT.to_owned());
        let order =
            "INSERT INTO orders VALUES (1, 'a', 1, 1, '[8,10)')";
        statements.push(order.to_owned());
    } else {
        let order = "INSERT INTO orders VALUES (1, 'a', 1, 1)";
        statements.push(order.to_owned());
    }
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&pool).await?;
    }
    Ok(pool)
}

/// Places each of the bad orders.
async fn run(
    server: Option<&str>,
    schema: &str,
) -> sqlx::Result<Vec<sqlx::Error>> {
    let pool = open(server, schema).await?;
    let mut errors = Vec::new();
    let count = if server.is_some() { 6 } else { 5 };
    for order in &BAD_ORDERS[..count] {
        let error = sqlx::query(*order).execute(&pool).await;
        errors.push(error.expect_err("the order breaks a rule"));
    }
    if server.is_some() {
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    }
    pool.close().await;
    Ok(errors)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let server = std::env::var("DATABASE_URL").ok();
    let schema = format!("constraint_names_{}", std::process::id());
    for error in run(server.as_deref(), &schema).await? {
        if let Some(database) = error.as_database_error() {
            let code = database.code().unwrap_or_default();
            println!("{code}: {}", database.message());
            let (kind, name) = (database.kind(), constraint(database));
            println!("    {kind:?}, {name:?}");
        }
        match rejected(error) {
            Ok(rule) => println!("    {rule}"),
            Err(_) => println!("    a bug"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn rules(errors: Vec<sqlx::Error>) -> Vec<Option<Rejected>> {
        errors.into_iter().map(|it| rejected(it).ok()).collect()
    }

    #[tokio::test]
    async fn failure_of_each_rule() -> sqlx::Result<()> {
        let expected = || {
            vec![
                None,
                Some(Rejected::KeyUsed),
                Some(Rejected::NoCustomer),
                Some(Rejected::NoUnits),
                None,
            ]
        };
        assert_eq!(rules(run(None, "").await?), expected());
        let Ok(server) = std::env::var("DATABASE_URL") else {
            // The test harness hides the output of passing tests, so
            // write to stderr directly.
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let schema = format!("constraint_test_{}", std::process::id());
        let mut rules = rules(run(Some(&server), &schema).await?);
        assert_eq!(rules.pop(), Some(Some(Rejected::SlotTaken)));
        assert_eq!(rules, expected());
        Ok(())
    }

    #[test]
    fn edges_another_error_stays_what_it_is() {
        for error in [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::RowNotFound,
            sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into()),
        ] {
            let told = error.to_string();
            let same = rejected(error).expect_err("it's no rule");
            assert_eq!(same.to_string(), told);
        }
    }

    /// Another statement violates the same foreign key, so it needs a
    /// translation of its own.
    #[tokio::test]
    async fn edges_a_customer_with_orders_is_deleted()
    -> sqlx::Result<()> {
        let deleted = async |pool: &AnyPool| {
            let delete = sqlx::query("DELETE FROM customers");
            let error = delete.execute(pool).await;
            rejected(error.expect_err("it has an order"))
        };
        let pool = open(None, "").await?;
        assert_eq!(deleted(&pool).await?, Rejected::NoCustomer);
        pool.close().await;
        let Ok(server) = std::env::var("DATABASE_URL") else {
            return Ok(());
        };
        let schema = format!("constraint_del_{}", std::process::id());
        let pool = open(Some(&server), &schema).await?;
        assert_eq!(deleted(&pool).await?, Rejected::NoCustomer);
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }
}
