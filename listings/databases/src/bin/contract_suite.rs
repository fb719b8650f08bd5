//! One suite of promises for every store that claims to keep them.

use std::{collections::BTreeMap, sync::Mutex};

use futures::future::try_join_all;
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};

// ANCHOR: seats
type Stored<T> = Result<T, Unreachable>;

trait Seats {
    /// Returns whether the guest has the seat. After an error, or if
    /// the call is dropped, the guest may have it: ask again.
    async fn reserve(&self, seat: u32, guest: &str) -> Stored<bool>;

    async fn guest(&self, seat: u32) -> Stored<Option<String>>;
}
// ANCHOR_END: seats

/// The store cannot be reached. (See the repository for more.)
#[derive(Debug)]
struct Unreachable(sqlx::Error);

impl From<sqlx::Error> for Unreachable {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the store cannot be reached")
    }
}

impl std::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

// ANCHOR: suite
/// Tries each promise on an empty store. Returns the broken ones.
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
    check(winners == 1, "of many guests, only one gets the seat");

    let winner = won.iter().position(|won| *won);
    let winner = winner.map(|n| guests[n].clone());
    let guest = seats.guest(1).await?;
    check(guest == winner, "the seat belongs to the winner");

    let again =
        seats.reserve(1, guest.as_deref().unwrap_or("")).await?;
    check(again, "a guest who asks again still has the seat");

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

/// Like many mocks, it says what the test wants to hear.
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
        // The table's key decides, not a query before the insert.
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
/// Opens a new database, which lives as long as its one connection. So
/// the connection is never closed for being old or idle, and never
/// tested, because a caller canceled during a test would close it.
async fn in_sqlite() -> Stored<InSqlite> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
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
    async fn overload_memory_keeps_the_contract() -> Stored<()> {
        assert!(broken_by(&InMemory::default()).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn overload_sqlite_keeps_the_contract() -> Stored<()> {
        assert!(broken_by(&in_sqlite().await?).await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn failure_the_contract_finds_a_liar() -> Stored<()> {
        assert_eq!(broken_by(&SaysYes).await?.len(), 2);
        Ok(())
    }
    // ANCHOR_END: tests

    /// Looks, waits as if for a database, and writes then.
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
    async fn failure_the_contract_finds_a_store_that_looks_first()
    -> Stored<()> {
        let broken = broken_by(&LooksFirst::default()).await?;
        assert_eq!(broken[0], "of many guests, only one gets the seat");
        Ok(())
    }

    /// Refuses even the guest who has the seat.
    #[derive(Default)]
    struct OnlyOnce(InMemory);

    impl Seats for OnlyOnce {
        async fn reserve(
            &self,
            seat: u32,
            guest: &str,
        ) -> Stored<bool> {
            let is_free = self.guest(seat).await?.is_none();
            Ok(is_free && self.0.reserve(seat, guest).await?)
        }

        async fn guest(&self, seat: u32) -> Stored<Option<String>> {
            self.0.guest(seat).await
        }
    }

    #[tokio::test]
    async fn failure_the_contract_finds_a_store_that_forgets_guests()
    -> Stored<()> {
        let broken = broken_by(&OnlyOnce::default()).await?;
        let promise = "a guest who asks again still has the seat";
        assert_eq!(broken, [promise]);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_one_of_many_guests_gets_the_seat() {
        use std::sync::Arc;
        let (memory, sqlite) =
            (InMemory::default(), in_sqlite().await.expect("a table"));
        let (memory, sqlite) = (Arc::new(memory), Arc::new(sqlite));
        let mut guests = tokio::task::JoinSet::new();
        for n in 0..20 {
            let memory = Arc::clone(&memory);
            let sqlite = Arc::clone(&sqlite);
            guests.spawn(async move {
                let guest = format!("guest {n}");
                let one = memory.reserve(1, &guest).await.expect("it");
                let other = sqlite.reserve(1, &guest).await;
                (one, other.expect("it answers"))
            });
        }
        let won = guests.join_all().await;
        assert_eq!(won.iter().filter(|won| won.0).count(), 1);
        assert_eq!(won.iter().filter(|won| won.1).count(), 1);
    }

    #[tokio::test]
    async fn cancel_and_ask_again() {
        hazards::at_every_poll(async |cancel| {
            let seats = in_sqlite().await.expect("a table");
            // Its connection comes back in a task of sqlx.
            while seats.0.num_idle() < 1 {
                tokio::task::yield_now().await;
            }
            cancel.run(seats.reserve(1, "Zoë")).await;
            let again = seats.reserve(1, "Zoë").await;
            assert!(again.expect("it answers"), "{}", cancel.polls());
            let other = seats.reserve(1, "Ben").await;
            assert!(!other.expect("it answers"));
        })
        .await;
    }

    #[tokio::test]
    async fn again_asked_a_guest_still_has_the_seat() {
        let seats = in_sqlite().await.expect("a table");
        for _ in 0..3 {
            assert!(seats.reserve(1, "Ann").await.expect("it answers"));
        }
    }

    #[tokio::test]
    async fn edges_of_seats_and_guests() {
        let seats = in_sqlite().await.expect("a table");
        for seat in [0, u32::MAX] {
            for guest in ["", "Zoë'; DROP TABLE seats"] {
                let is_first = guest.is_empty();
                let reserved = seats.reserve(seat, guest).await;
                assert_eq!(reserved.expect("it answers"), is_first);
            }
        }
    }

    #[tokio::test]
    async fn failure_of_the_database_says_what_it_was() {
        let seats = in_sqlite().await.expect("a table");
        seats.0.close().await;
        let error = seats.reserve(1, "Ann").await.expect_err("closed");
        let cause = std::error::Error::source(&error).expect("a cause");
        assert!(cause.to_string().contains("closed pool"), "{cause}");
    }
}
