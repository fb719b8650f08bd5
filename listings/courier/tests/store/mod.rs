//! A store that fails when a test says so.

#[path = "../memory/mod.rs"]
mod memory;

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use courier::{
    event::{DeliveryId, Event, Lease, Name, Subscription},
    store::{
        AcceptError, Accepted, Backlog, DeadLetter, Outcome, Store,
        StoreError,
    },
};
use memory::MemoryStore;
use tokio::{sync::Semaphore, time::sleep};
use url::Url;

/// How a call to the store fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// It has no effect.
    Fails,
    /// It has its effect, but nobody is informed.
    FailsAfter,
    /// It never answers.
    Silent,
    Panics,
    /// It says that the lease was lost.
    Lost,
    /// It waits for a permit of the gate.
    Waits,
}

/// A store with faults, by method (`"all"`: all that a dispatcher calls).
pub struct Faulty {
    pub inner: MemoryStore,
    pub gate: Semaphore,
    faults: Mutex<HashMap<&'static str, Fault>>,
    calls: Mutex<HashMap<&'static str, usize>>,
    /// Whether `changed` always returns immediately.
    pub restless: Mutex<bool>,
    /// How long `purge` takes for each event that it may forget.
    pub purging: Mutex<Duration>,
    /// Accepted by the next call of `due`, after it looked.
    pub meanwhile: Mutex<Option<Event>>,
}

impl Faulty {
    pub fn new(max_open: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(max_open),
            gate: Semaphore::new(0),
            faults: Mutex::default(),
            calls: Mutex::default(),
            restless: Mutex::default(),
            purging: Mutex::default(),
            meanwhile: Mutex::default(),
        })
    }

    pub fn set(&self, call: &'static str, fault: Fault) {
        self.faults.lock().unwrap().insert(call, fault);
    }

    pub fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// How many calls of a method have begun.
    pub fn calls(&self, call: &'static str) -> usize {
        self.calls.lock().unwrap().get(call).copied().unwrap_or(0)
    }

    fn fault(&self, call: &'static str) -> Option<Fault> {
        let faults = self.faults.lock().unwrap();
        let dispatches = !matches!(call, "accept" | "ping");
        let all = faults.get("all").filter(|_| dispatches);
        faults.get(call).or(all).copied()
    }

    async fn through<T, E: From<StoreError>>(
        &self,
        name: &'static str,
        lost: Option<T>,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        match self.fault(name) {
            None => call.await,
            Some(Fault::Fails) => {
                Err(StoreError::failed("the disk is full").into())
            }
            Some(Fault::FailsAfter) => {
                call.await?;
                Err(StoreError::failed("the connection was lost")
                    .into())
            }
            Some(Fault::Silent) => pending().await,
            Some(Fault::Panics) => panic!("a bug in the store"),
            Some(Fault::Waits) => {
                let permit = self.gate.acquire().await;
                permit.expect("the gate stays").forget();
                call.await
            }
            Some(Fault::Lost) => Ok(lost.expect("a lease's call")),
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn accept(
        &self,
        it: &Event,
    ) -> Result<Accepted, AcceptError> {
        self.through("accept", None, self.inner.accept(it)).await
    }
    async fn due(
        &self,
        most: usize,
    ) -> Result<Vec<(Name, Url)>, StoreError> {
        let due = self.through("due", None, self.inner.due(most)).await;
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(event) = meanwhile {
            self.inner.accept(&event).await.expect("accepted");
        }
        due
    }
    async fn claim(
        &self,
        name: &Name,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let claim = self.inner.claim(name, most, lease);
        self.through("claim", None, claim).await
    }
    async fn renew(
        &self,
        lease: &Lease,
        length: Duration,
    ) -> Result<bool, StoreError> {
        let renew = self.inner.renew(lease, length);
        self.through("renew", Some(false), renew).await
    }
    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        let settle = self.inner.settle(lease, outcome);
        self.through("settle", Some(false), settle).await
    }
    async fn changed(&self) {
        let restless = *self.restless.lock().unwrap();
        if !restless {
            self.inner.changed().await;
        }
    }
    async fn subscribe(
        &self,
        it: &Subscription,
        most: usize,
    ) -> Result<bool, StoreError> {
        // So that calls overlap.
        sleep(Duration::from_millis(5)).await;
        self.inner.subscribe(it, most).await
    }
    async fn unsubscribe(
        &self,
        name: &Name,
    ) -> Result<bool, StoreError> {
        self.inner.unsubscribe(name).await
    }
    async fn subscriptions(
        &self,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.inner.subscriptions().await
    }
    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.inner.backlog().await
    }
    async fn dead(
        &self,
        most: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead(most).await
    }
    async fn redeliver(
        &self,
        id: DeliveryId,
    ) -> Result<bool, StoreError> {
        self.inner.redeliver(id).await
    }
    async fn purge(
        &self,
        keep: Duration,
        most: usize,
    ) -> Result<u64, StoreError> {
        let each = *self.purging.lock().unwrap();
        let purge = async {
            // As in a transaction, a dropped one has no effect.
            sleep(each * u32::try_from(most).expect("few")).await;
            self.inner.purge(keep, most).await
        };
        self.through("purge", None, purge).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.through("ping", None, self.inner.ping()).await
    }
    /// What it contains can be looked at afterwards.
    async fn close(&self) {}
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let store = Faulty::new(10);
    let works = || async { Ok::<_, StoreError>(0) };
    for (fault, expected) in [
        (Fault::Fails, None),
        (Fault::FailsAfter, None),
        (Fault::Lost, Some(1)),
    ] {
        store.set("ping", fault);
        let answer = store.through("ping", Some(1), works()).await;
        assert_eq!(answer.ok(), expected, "{fault:?}");
    }
    store.set("ping", Fault::Waits);
    store.gate.add_permits(1);
    let answer = store.through("ping", None, works()).await;
    assert_eq!(answer.ok(), Some(0));
}
