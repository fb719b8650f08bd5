//! One contract for every store: [`suite`] has its tests, and here they run for each implementation.
//!
//! PostgreSQL is tested if `DATABASE_URL` says where it is.

#[path = "memory/mod.rs"]
mod in_memory;
#[path = "contract/sql.rs"]
mod sql;
#[path = "contract/suite.rs"]
mod suite;

use std::sync::Arc;

use courier::store::SharedStore;
use in_memory::MemoryStore;

struct Memory(SharedStore);

impl suite::Harness for Memory {
    async fn start(_test: &str) -> Option<Self> {
        Some(Self(Arc::new(MemoryStore::new(usize::MAX))))
    }

    async fn open(&self) -> SharedStore {
        Arc::clone(&self.0)
    }

    async fn open_small(&self, max_open: usize) -> SharedStore {
        Arc::new(MemoryStore::new(max_open))
    }

    async fn end(self) {}
}

// ANCHOR: stores
contract!(memory, Memory);
contract!(sqlite, sql::Sqlite);
contract!(postgresql, sql::Postgresql);
// ANCHOR_END: stores
