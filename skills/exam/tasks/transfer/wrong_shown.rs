//! Fails: concurrent_transfers_succeed, a_writer_is_waited_for, a_transfer_to_oneself_changes_nothing, a_cancel_leaves_nothing_open
//! The program of the task: it begins as a reader, trusts what it read, and stays open when it's canceled.

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
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    let moved = move_amount(&mut connection, from, to, amount).await;
    let end = if moved.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sqlx::query(end).execute(&mut *connection).await?;
    moved
}

async fn move_amount(
    connection: &mut SqliteConnection,
    from: i64,
    to: i64,
    amount: u32,
) -> Result<(), TransferError> {
    let source = balance(connection, from).await?;
    let target = balance(connection, to).await?;
    let rest = source - i64::from(amount);
    if rest < 0 {
        return Err(TransferError::Insufficient(source));
    }
    for (id, balance) in [(from, rest), (to, target + i64::from(amount))] {
        let update = sqlx::query("UPDATE accounts SET balance=? WHERE id=?");
        update
            .bind(balance)
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
    let select = sqlx::query_scalar("SELECT balance FROM accounts WHERE id=?");
    let balance = select.bind(id).fetch_optional(connection).await?;
    balance.ok_or(TransferError::NoAccount(id))
}
