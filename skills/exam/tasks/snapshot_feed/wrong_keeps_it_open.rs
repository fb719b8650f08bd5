//! Fails: it_ends_after_the_last_change, a_slow_subscriber_gets_the_whole_table_at_the_end
//! To subscribe again after a lag, each subscription owns a sender, and so the channel never closes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
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
    shared: Arc<Shared>,
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
            shared: self.shared.clone(),
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
                let table = self.shared.table.lock().unwrap();
                self.changes = self.shared.changes.subscribe();
                Some(Event::Snapshot(table.clone()))
            }
        }
    }
}
