//! Wrong: a `Vec` is bound to one parameter of an `IN` list on SQLite.

use sqlx::SqlitePool;

async fn names(
    pool: &SqlitePool,
    ids: Vec<i64>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM articles WHERE id IN (?)")
        .bind(ids)
        .fetch_all(pool)
        .await
}

fn main() {
    drop(names);
}
