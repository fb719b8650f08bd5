//! Insert many rows in one statement.

// ANCHOR: insert
use sqlx::{PgPool, QueryBuilder, SqlitePool};

struct Article {
    id: i64,
    name: String,
}

/// Inserts all rows or none. If it's dropped, you don't know which.
///
/// Every row has two parameters. SQLite allows 32,766 per statement.
async fn on_sqlite(
    pool: &SqlitePool,
    articles: &[Article],
) -> sqlx::Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    for chunk in articles.chunks(1_000) {
        let mut insert =
            QueryBuilder::new("INSERT INTO articles (id, name) ");
        insert.push_values(chunk, |mut row, article| {
            row.push_bind(article.id).push_bind(&article.name);
        });
        insert.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Does the same on PostgreSQL, with one array for each column.
async fn on_postgres(
    pool: &PgPool,
    articles: &[Article],
) -> sqlx::Result<()> {
    let ids: Vec<i64> = articles.iter().map(|it| it.id).collect();
    let names: Vec<&str> =
        articles.iter().map(|it| it.name.as_str()).collect();
    let insert = "INSERT INTO articles (id, name) \
                  SELECT * FROM UNNEST($1::bigint[], $2::text[])";
    let insert = sqlx::query(insert).bind(ids).bind(names);
    insert.execute(pool).await.map(drop)
}
// ANCHOR_END: insert

use sqlx::{postgres::PgPoolOptions, sqlite::SqlitePoolOptions};

const TABLE: &str = "CREATE TEMP TABLE articles (id BIGINT PRIMARY KEY, name TEXT NOT NULL)";
const COUNT: &str = "SELECT COUNT(*) FROM articles";

/// A table that only one connection sees.
async fn sqlite() -> sqlx::Result<SqlitePool> {
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect("sqlite::memory:").await?;
    sqlx::query(TABLE).execute(&pool).await?;
    Ok(pool)
}

async fn postgres(address: &str) -> sqlx::Result<PgPool> {
    let options = PgPoolOptions::new().max_connections(1);
    let pool = options.connect(address).await?;
    sqlx::query(TABLE).execute(&pool).await?;
    Ok(pool)
}

fn articles(count: i64) -> Vec<Article> {
    let article = |id| Article { id, name: format!("article {id}") };
    (1..=count).map(article).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let articles = articles(2_500);
    let count: i64 = match std::env::var("DATABASE_URL") {
        Ok(address) => {
            let pool = postgres(&address).await?;
            on_postgres(&pool, &articles).await?;
            sqlx::query_scalar(COUNT).fetch_one(&pool).await?
        }
        Err(_) => {
            let pool = sqlite().await?;
            on_sqlite(&pool, &articles).await?;
            sqlx::query_scalar(COUNT).fetch_one(&pool).await?
        }
    };
    println!("{count} rows");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    /// The server's address, if there is a server.
    fn address() -> Option<String> {
        let address = std::env::var("DATABASE_URL").ok();
        if address.is_none() {
            eprintln!("not on PostgreSQL: DATABASE_URL isn't set");
        }
        address
    }

    async fn count_sqlite(pool: &SqlitePool) -> sqlx::Result<i64> {
        sqlx::query_scalar(COUNT).fetch_one(pool).await
    }

    async fn count_postgres(pool: &PgPool) -> sqlx::Result<i64> {
        sqlx::query_scalar(COUNT).fetch_one(pool).await
    }

    #[tokio::test]
    async fn edges_of_the_number_of_rows() -> sqlx::Result<()> {
        for count in [0, 1, 1_000, 1_001, 20_000] {
            let rows = articles(count);
            let pool = sqlite().await?;
            on_sqlite(&pool, &rows).await?;
            assert_eq!(count_sqlite(&pool).await?, count);
            if let Some(address) = address() {
                let pool = postgres(&address).await?;
                on_postgres(&pool, &rows).await?;
                assert_eq!(count_postgres(&pool).await?, count);
            }
        }
        Ok(())
    }

    /// The last row exists twice.
    #[tokio::test]
    async fn failure_inserts_nothing() -> sqlx::Result<()> {
        let mut rows = articles(1_500);
        rows.extend(articles(1));
        let pool = sqlite().await?;
        assert!(on_sqlite(&pool, &rows).await.is_err());
        assert_eq!(count_sqlite(&pool).await?, 0);
        if let Some(address) = address() {
            let pool = postgres(&address).await?;
            assert!(on_postgres(&pool, &rows).await.is_err());
            assert_eq!(count_postgres(&pool).await?, 0);
        }
        Ok(())
    }

    #[tokio::test]
    async fn cancel_inserts_all_or_nothing() {
        at_every_poll(async |cancel| {
            let rows = articles(2_500);
            let pool = sqlite().await.expect("a database");
            _ = cancel.run(on_sqlite(&pool, &rows)).await;
            let count = count_sqlite(&pool).await;

            // A dropped call may close the connection, with its table.
            if let Ok(count) = count {
                assert!([0, 2_500].contains(&count), "{count}");
            }
        })
        .await;
    }
}
