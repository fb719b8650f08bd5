//! A generic executor is moved into the first query.

// ANCHOR: wrong
use sqlx::{PgExecutor, PgPool};

async fn place(
    executor: impl PgExecutor<'_>,
    id: i64,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(id)
        .execute(executor)
        .await?;
    sqlx::query("INSERT INTO receipts VALUES ($1)")
        .bind(id)
        .execute(executor)
        .await?;
    Ok(())
}
// ANCHOR_END: wrong

async fn place_in_transaction(pool: &PgPool) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    place(&mut *transaction, 7).await?;
    transaction.commit().await
}

fn main() {
    drop(place_in_transaction);
}
