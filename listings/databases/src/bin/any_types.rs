//! Which of PostgreSQL's types can't be read through `AnyPool`.

use sqlx::any::{AnyPoolOptions, install_default_drivers};

// ANCHOR: types
const VALUES: [&str; 6] = [
    "SELECT CAST(1 AS BIGINT)",
    "SELECT gen_random_uuid()",
    "SELECT now()",
    "SELECT CAST('{}' AS JSONB)",
    "SELECT CAST(0.10 AS NUMERIC)",
    // The cast is the workaround: read it as text, and parse it.
    "SELECT CAST(gen_random_uuid() AS TEXT)",
];
// ANCHOR_END: types

async fn run(address: &str) -> sqlx::Result<Vec<String>> {
    install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(1)
        .connect(address)
        .await?;
    let mut lines = Vec::new();
    for value in VALUES {
        lines.push(match sqlx::query(value).fetch_one(&pool).await {
            Ok(_) => format!("{value}: ok"),
            Err(error) => format!("{value}:\n  {error}"),
        });
    }
    pool.close().await;
    Ok(lines)
}

#[tokio::main]
async fn main() -> sqlx::Result<()> {
    let Ok(address) = std::env::var("DATABASE_URL") else {
        println!("this program needs PostgreSQL: set DATABASE_URL");
        return Ok(());
    };
    for line in run(&address).await? {
        println!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn edges_of_any() -> sqlx::Result<()> {
        let Ok(address) = std::env::var("DATABASE_URL") else {
            let told = "not tested on PostgreSQL: no DATABASE_URL";
            writeln!(std::io::stderr(), "{told}")?;
            return Ok(());
        };
        let lines = run(&address).await?;
        let ok: Vec<_> =
            lines.iter().map(|it| it.ends_with(": ok")).collect();
        assert_eq!(ok, [true, false, false, false, false, true]);
        Ok(())
    }
}
