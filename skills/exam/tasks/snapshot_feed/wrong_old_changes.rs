//! Fails: no_older_value_follows_the_snapshot_of_a_slow_subscriber, a_slow_subscriber_gets_the_whole_table_at_the_end, a_canceled_call_loses_nothing
//! After a lag, the receiver still has the changes of a full ring, and the new snapshot has them already.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast::{self, error::RecvError};

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Snapshot(BTreeMap<u32, u64>),
    Change(u32, u64),
}

pub struct Feed {
    table: Arc<Mutex<BTreeMap<u32, u64>>>,
    changes: broadcast::Sender<(u32, u64)>,
}

pub struct Subscription {
    table: Arc<Mutex<BTreeMap<u32, u64>>>,
    changes: broadcast::Receiver<(u32, u64)>,
    first: Option<BTreeMap<u32, u64>>,
}

impl Feed {
    pub fn new(capacity: usize) -> Self {
        let (changes, _) = broadcast::channel(capacity);
        Self {
            table: Arc::default(),
            changes,
        }
    }

    pub fn set(&self, key: u32, value: u64) {
        let mut table = self.table.lock().unwrap();
        table.insert(key, value);
        _ = self.changes.send((key, value));
    }

    pub fn subscribe(&self) -> Subscription {
        let table = self.table.lock().unwrap();
        Subscription {
            table: self.table.clone(),
            changes: self.changes.subscribe(),
            first: Some(table.clone()),
        }
    }
}

impl Subscription {
    pub async fn next(&mut self) -> Option<Event> {
        if let Some(snapshot) = self.first.take() {
            return Some(Event::Snapshot(snapshot));
        }
        match self.changes.recv().await {
            Ok((key, value)) => Some(Event::Change(key, value)),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(_)) => Some(Event::Snapshot(self.table.lock().unwrap().clone())),
        }
    }
}
