//! A reference to a transaction isn't an executor.

// ANCHOR: wrong
use sqlx::PgPool;

async fn place(pool: &PgPool, id: i64) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("INSERT INTO orders VALUES ($1)")
        .bind(id)
        .execute(&mut transaction)
        .await?;
    transaction.commit().await
}
// ANCHOR_END: wrong

fn main() {
    drop(place);
}
