//! A snapshot and its place in the channel are taken under the lock under which `set` sends. `resubscribe` skips the old changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast::{self, error::RecvError};

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Snapshot(BTreeMap<u32, u64>),
    Change(u32, u64),
}

type Table = Arc<Mutex<BTreeMap<u32, u64>>>;

pub struct Feed {
    table: Table,
    changes: broadcast::Sender<(u32, u64)>,
}

/// It owns no sender, which would keep the channel open.
pub struct Subscription {
    table: Table,
    changes: broadcast::Receiver<(u32, u64)>,
    needs_snapshot: bool,
}

impl Feed {
    pub fn new(capacity: usize) -> Self {
        Self {
            table: Table::default(),
            changes: broadcast::Sender::new(capacity),
        }
    }

    pub fn set(&self, key: u32, value: u64) {
        let mut table = self.table.lock().expect("no panic while it's locked");
        table.insert(key, value);
        // An error only means that there are no subscribers.
        _ = self.changes.send((key, value));
    }

    pub fn subscribe(&self) -> Subscription {
        Subscription {
            table: Arc::clone(&self.table),
            changes: self.changes.subscribe(),
            needs_snapshot: true,
        }
    }
}

impl Subscription {
    pub async fn next(&mut self) -> Option<Event> {
        if !self.needs_snapshot {
            match self.changes.recv().await {
                Ok((key, value)) => return Some(Event::Change(key, value)),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => {}
            }
        }
        let table = self.table.lock().expect("no panic while it's locked");
        self.changes = self.changes.resubscribe();
        self.needs_snapshot = false;
        Some(Event::Snapshot(table.clone()))
    }
}
