//! Fails: a_slow_subscriber_gets_the_whole_table_at_the_end
//! A lag that is noticed after the feed was dropped ends the subscription without the last changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::broadcast::{self, error::RecvError};

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Snapshot(BTreeMap<u32, u64>),
    Change(u32, u64),
}

struct Shared {
    table: Mutex<BTreeMap<u32, u64>>,
    changes: broadcast::Sender<(u32, u64)>,
}

pub struct Feed {
    shared: Arc<Shared>,
}

pub struct Subscription {
    shared: Weak<Shared>,
    changes: broadcast::Receiver<(u32, u64)>,
    snapshot: Option<BTreeMap<u32, u64>>,
}

impl Feed {
    pub fn new(capacity: usize) -> Self {
        let (table, changes) = (Mutex::default(), broadcast::Sender::new(capacity));
        Self {
            shared: Arc::new(Shared { table, changes }),
        }
    }

    pub fn set(&self, key: u32, value: u64) {
        let mut table = self.shared.table.lock().unwrap();
        table.insert(key, value);
        _ = self.shared.changes.send((key, value));
    }

    pub fn subscribe(&self) -> Subscription {
        let table = self.shared.table.lock().unwrap();
        Subscription {
            shared: Arc::downgrade(&self.shared),
            changes: self.shared.changes.subscribe(),
            snapshot: Some(table.clone()),
        }
    }
}

impl Subscription {
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(snapshot) = self.snapshot.take() {
            return Some(Event::Snapshot(snapshot));
        }
        match self.changes.recv().await {
            Ok((key, value)) => Some(Event::Change(key, value)),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(_)) => {
                let shared = self.shared.upgrade()?;
                let table = shared.table.lock().unwrap();
                self.changes = shared.changes.subscribe();
                Some(Event::Snapshot(table.clone()))
            }
        }
    }
}
