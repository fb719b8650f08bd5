//! Fails: concurrent_transfers_succeed, a_writer_is_waited_for
//! The transaction begins as a reader, and SQLite doesn't let it write once others have: no timeout helps.

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
    let mut transaction = pool.begin().await?;
    let source = balance(&mut transaction, from).await?;
    balance(&mut transaction, to).await?;
    if source < i64::from(amount) {
        return Err(TransferError::Insufficient(source));
    }
    for (id, change) in [(from, -i64::from(amount)), (to, i64::from(amount))] {
        let update = sqlx::query("UPDATE accounts SET balance = balance + ? WHERE id = ?");
        update
            .bind(change)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
    }
    let insert = sqlx::query("INSERT INTO history (source, target, amount) VALUES (?, ?, ?)");
    insert
        .bind(from)
        .bind(to)
        .bind(amount)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

async fn balance(connection: &mut SqliteConnection, id: i64) -> Result<i64, TransferError> {
    let select = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = ?");
    let balance = select.bind(id).fetch_optional(connection).await?;
    balance.ok_or(TransferError::NoAccount(id))
}
