//! One contract for every store: [`suite`] has its tests, and here they run for each implementation.
//!
//! PostgreSQL is tested if `DATABASE_URL` says where it is.

#[path = "contract/sql.rs"]
mod sql;
#[path = "contract/suite.rs"]
mod suite;

use std::sync::Arc;

use courier::store::{MemoryStore, SharedStore};

struct Memory(SharedStore);

impl suite::Harness for Memory {
    async fn start(_test: &str) -> Option<Self> {
        Some(Self(Arc::new(MemoryStore::new())))
    }

    async fn open(&self) -> SharedStore {
        Arc::clone(&self.0)
    }

    async fn open_small(&self, max_open: usize) -> SharedStore {
        Arc::new(MemoryStore::with_max_open(max_open))
    }

    async fn end(self) {}
}

// ANCHOR: stores
contract!(memory, Memory);
contract!(sqlite, sql::Sqlite);
contract!(postgresql, sql::Postgresql);
// ANCHOR_END: stores
