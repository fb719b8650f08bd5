//! One suite of promises, for every store that claims to keep them.

use std::{collections::BTreeMap, sync::Mutex};

use futures::future::try_join_all;
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};

// ANCHOR: seats
type Stored<T> = Result<T, Unreachable>;

trait Seats {
    /// Whether it is theirs. `false`: it is somebody else's.
    async fn reserve(&self, seat: u32, guest: &str) -> Stored<bool>;

    async fn guest(&self, seat: u32) -> Stored<Option<String>>;
}
// ANCHOR_END: seats

/// The store cannot be reached. (See the repository for more.)
#[derive(Debug)]
struct Unreachable(String);

impl From<sqlx::Error> for Unreachable {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the store cannot be reached: {}", self.0)
    }
}

impl std::error::Error for Unreachable {}

// ANCHOR: suite
/// Tries each promise on a store that is empty. Returns those that
/// it breaks.
async fn broken_by(seats: &impl Seats) -> Stored<Vec<&'static str>> {
    let mut broken = Vec::new();
    let mut check = |is_kept: bool, promise| {
        if !is_kept {
            broken.push(promise);
        }
    };
    let guests: Vec<_> =
        (0..20).map(|n| format!("guest {n}")).collect();
    let all = guests.iter().map(|guest| seats.reserve(1, guest));
    let won = try_join_all(all).await?;
    let winners = won.iter().filter(|won| **won).count();
    check(winners == 1, "of many at once, one gets the seat");

    let winner = won.iter().position(|won| *won);
    let winner = winner.map(|n| guests[n].clone());
    let guest = seats.guest(1).await?;
    check(guest == winner, "the seat is whose it was said to be");

    let again =
        seats.reserve(1, guest.as_deref().unwrap_or("")).await?;
    check(again, "who asks again has it still");

    check(
        seats.guest(2).await?.is_none(),
        "no seat is taken by itself",
    );
    Ok(broken)
}
// ANCHOR_END: suite

// ANCHOR: stores
#[derive(Default)]
struct InMemory(Mutex<BTreeMap<u32, String>>);

impl Seats for InMemory {
    async fn reserve(&self, seat: u32, guest: &str) -> Stored<bool> {
        let mut seats = self.0.lock().expect("nobody panicked");
        let owner = seats.entry(seat).or_insert(guest.to_owned());
        Ok(owner == guest)
    }

    async fn guest(&self, seat: u32) -> Stored<Option<String>> {
        let seats = self.0.lock().expect("nobody panicked");
        Ok(seats.get(&seat).cloned())
    }
}

/// As a mock is often written: it says what the test wants to hear.
struct SaysYes;

impl Seats for SaysYes {
    async fn reserve(&self, _seat: u32, _guest: &str) -> Stored<bool> {
        Ok(true)
    }

    async fn guest(&self, _seat: u32) -> Stored<Option<String>> {
        Ok(None)
    }
}
// ANCHOR_END: stores

// ANCHOR: sqlite
struct InSqlite(SqlitePool);

impl Seats for InSqlite {
    async fn reserve(&self, seat: u32, guest: &str) -> Stored<bool> {
        // The key of the table decides, and not a look before.
        let insert = "INSERT INTO seats (seat, guest) VALUES (?, ?)
            ON CONFLICT (seat) DO NOTHING";
        sqlx::query(insert)
            .bind(seat)
            .bind(guest)
            .execute(&self.0)
            .await?;
        Ok(self.guest(seat).await?.as_deref() == Some(guest))
    }

    async fn guest(&self, seat: u32) -> Stored<Option<String>> {
        let select = "SELECT guest FROM seats WHERE seat = ?";
        Ok(sqlx::query_scalar(select)
            .bind(seat)
            .fetch_optional(&self.0)
            .await?)
    }
}
// ANCHOR_END: sqlite

// ANCHOR: run
/// A database of its own: it is gone with its only connection, which
/// is never closed for being old or idle.
async fn in_sqlite() -> Stored<InSqlite> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect("sqlite::memory:")
        .await?;
    let create = "CREATE TABLE seats
        (seat INTEGER PRIMARY KEY, guest TEXT NOT NULL)";
    sqlx::query(create).execute(&pool).await?;
    Ok(InSqlite(pool))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Stored<()> {
    for (store, broken) in [
        ("in memory", broken_by(&InMemory::default()).await?),
        ("SQLite", broken_by(&in_sqlite().await?).await?),
        ("says yes", broken_by(&SaysYes).await?),
    ] {
        println!("{store}: {} broken", broken.len());
        for promise in broken {
            println!("  - {promise}");
        }
    }
    Ok(())
}
// ANCHOR_END: run

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() -> Stored<()> {
        assert!(broken_by(&InMemory::default()).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn sqlite_keeps_the_contract() -> Stored<()> {
        assert!(broken_by(&in_sqlite().await?).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn the_contract_finds_a_liar() -> Stored<()> {
        assert_eq!(broken_by(&SaysYes).await?.len(), 2);
        Ok(())
    }
    // ANCHOR_END: tests

    /// Looks, waits as for a database, and writes then.
    #[derive(Default)]
    struct LooksFirst(InMemory);

    impl Seats for LooksFirst {
        async fn reserve(
            &self,
            seat: u32,
            guest: &str,
        ) -> Stored<bool> {
            if self.guest(seat).await?.is_some_and(|it| it != guest) {
                return Ok(false);
            }
            tokio::task::yield_now().await;
            let mut seats = self.0.0.lock().expect("no panic");
            seats.insert(seat, guest.to_owned());
            Ok(true)
        }

        async fn guest(&self, seat: u32) -> Stored<Option<String>> {
            self.0.guest(seat).await
        }
    }

    #[tokio::test]
    async fn the_contract_finds_who_looks_first() -> Stored<()> {
        let broken = broken_by(&LooksFirst::default()).await?;
        assert_eq!(broken[0], "of many at once, one gets the seat");
        Ok(())
    }
}
