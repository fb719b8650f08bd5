//! Look up a list of ids in one statement: `IN` and `ANY`.

// ANCHOR: lookup
use sqlx::{PgPool, QueryBuilder, SqlitePool};

/// SQLite: each id is a parameter, and a statement may have 32,766. A
/// row is found once, even if its id is in the list several times.
async fn on_sqlite(
    pool: &SqlitePool,
    ids: &[i64],
) -> sqlx::Result<Vec<String>> {
    // Without `dedup`, two chunks could find the same row.
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let mut names = Vec::new();
    for chunk in ids.chunks(1_000) {
        let mut query = QueryBuilder::new(
            "SELECT name FROM articles WHERE id IN (",
        );
        let mut parameters = query.separated(", ");
        for id in chunk {
            parameters.push_bind(*id);
        }
        query.push(")");
        let found = query.build_query_scalar::<String>();
        names.extend(found.fetch_all(pool).await?);
    }
    Ok(names)
}

/// PostgreSQL: one parameter, which is an array of any length.
async fn on_postgres(
    pool: &PgPool,
    ids: &[i64],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT name FROM articles WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(pool)
        .await
}
// ANCHOR_END: lookup

use sqlx::{postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

const TABLE: &str = "CREATE TEMP TABLE articles (id BIGINT PRIMARY KEY, name TEXT NOT NULL)";
const ROWS: &str = "INSERT INTO articles VALUES (1, 'lamp'), (2, 'desk'), (3, 'chair')";

/// A table with three articles, which only one connection sees.
async fn sqlite() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect("sqlite::memory:")
        .await?;
    for statement in [TABLE, ROWS] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

async fn postgres(address: &str) -> sqlx::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(address)
        .await?;
    for statement in [TABLE, ROWS] {
        sqlx::query(statement).execute(&pool).await?;
    }
    Ok(pool)
}

fn print(mut names: Vec<String>) {
    names.sort();
    println!("{names:?}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        let pool = sqlite().await?;
        print(on_sqlite(&pool, &[1, 3, 9]).await?);
        print(on_sqlite(&pool, &[]).await?);
        return Ok(());
    };
    let pool = postgres(&address).await?;
    print(on_postgres(&pool, &[1, 3, 9]).await?);
    print(on_postgres(&pool, &[]).await?);
    let wrong =
        sqlx::query("SELECT name FROM articles WHERE id IN ($1)")
            .bind(vec![1_i64, 3])
            .execute(&pool)
            .await;
    if let Err(sqlx::Error::Database(error)) = wrong {
        println!("IN ($1): {}", error.message());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn edges_of_the_number_of_ids() -> sqlx::Result<()> {
        let pool = sqlite().await?;
        assert!(on_sqlite(&pool, &[]).await?.is_empty());
        for count in [1_000, 1_001, 40_000] {
            let ids: Vec<i64> = (1..=count).collect();
            assert_eq!(on_sqlite(&pool, &ids).await?.len(), 3);
        }
        let Ok(address) = std::env::var("DATABASE_URL") else {
            eprintln!("not on PostgreSQL: DATABASE_URL isn't set");
            return Ok(());
        };
        let pool = postgres(&address).await?;
        assert!(on_postgres(&pool, &[]).await?.is_empty());
        let ids: Vec<i64> = (1..=100_000).collect();
        assert_eq!(on_postgres(&pool, &ids).await?.len(), 3);
        Ok(())
    }

    #[tokio::test]
    async fn edges_an_id_several_times_finds_one_row()
    -> sqlx::Result<()> {
        let ids = [2; 2_500];
        let pool = sqlite().await?;
        assert_eq!(on_sqlite(&pool, &ids).await?, ["desk"]);
        if let Ok(address) = std::env::var("DATABASE_URL") {
            let pool = postgres(&address).await?;
            assert_eq!(on_postgres(&pool, &ids).await?, ["desk"]);
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_a_statement_is_returned() -> sqlx::Result<()> {
        let pool = sqlite().await?;
        sqlx::query("DROP TABLE articles").execute(&pool).await?;
        assert!(on_sqlite(&pool, &[1]).await.is_err());
        Ok(())
    }
}
