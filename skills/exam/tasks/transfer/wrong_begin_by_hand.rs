//! Fails: a_cancel_leaves_nothing_open
//! When it's canceled, nobody ends the transaction: the connection goes back to the pool with it.

use sqlx::{SqliteConnection, SqlitePool};

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("there's no account {0}")]
    NoAccount(i64),
    #[error("the balance is only {0}")]
    Insufficient(i64),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Moves an amount and adds it to the history: both, or neither and an error.
pub async fn transfer(
    pool: &SqlitePool,
    from: i64,
    to: i64,
    amount: u32,
) -> Result<(), TransferError> {
    let mut connection = pool.acquire().await?;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *connection)
        .await?;
    let mut ended = change(&mut connection, from, to, amount).await;
    if ended.is_ok() {
        let commit = sqlx::query("COMMIT").execute(&mut *connection).await;
        ended = commit.map(drop).map_err(TransferError::from);
    }
    if ended.is_err() {
        sqlx::query("ROLLBACK").execute(&mut *connection).await?;
    }
    ended
}

async fn change(
    connection: &mut SqliteConnection,
    from: i64,
    to: i64,
    amount: u32,
) -> Result<(), TransferError> {
    let source = balance(connection, from).await?;
    balance(connection, to).await?;
    if source < i64::from(amount) {
        return Err(TransferError::Insufficient(source));
    }
    for (id, change) in [(from, -i64::from(amount)), (to, i64::from(amount))] {
        let update = sqlx::query("UPDATE accounts SET balance = balance + ? WHERE id = ?");
        update
            .bind(change)
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    let insert = sqlx::query("INSERT INTO history (source, target, amount) VALUES (?, ?, ?)");
    insert
        .bind(from)
        .bind(to)
        .bind(amount)
        .execute(connection)
        .await?;
    Ok(())
}

async fn balance(connection: &mut SqliteConnection, id: i64) -> Result<i64, TransferError> {
    let select = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = ?");
    let balance = select.bind(id).fetch_optional(connection).await?;
    balance.ok_or(TransferError::NoAccount(id))
}
