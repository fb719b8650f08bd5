//! A store in memory, for tests and simulations.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
use tokio::{sync::Notify, time::Instant};
use url::Url;

/// The contract of [`Store`] in memory: nothing survives the process.
///
/// Its clock is Tokio's, so it works with a paused clock. A claim looks at every open delivery of its subscription, which is
/// fine for thousands of them.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    max_open: usize,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: HashMap<Name, Arc<Stored>>,
    queues: BTreeMap<Name, Queue>,
    last_id: i64,
    is_closed: bool,
}

#[derive(Debug)]
struct Stored {
    event: Event,
    accepted: Instant,
}

/// A subscription, and its open and dead deliveries in the order of their acceptance.
#[derive(Debug)]
struct Queue {
    subscription: Subscription,
    deliveries: BTreeMap<i64, Delivery>,
}

#[derive(Debug)]
struct Delivery {
    stored: Arc<Stored>,
    phase: Phase,
    /// When it can be claimed; for a leased one, when the lease expires; for a dead one, when it died.
    due: Instant,
    attempts: u32,
    token: i64,
    error: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Open,
    Leased,
    Dead,
}

impl MemoryStore {
    /// An empty store that's full ([`AcceptError::Full`]) while this many deliveries are open.
    pub fn new(max_open: usize) -> Self {
        Self {
            state: Mutex::default(),
            max_open,
            changed: Notify::new(),
        }
    }

    /// Never held over an `await`.
    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state =
            self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.is_closed {
            true => Err(StoreError::failed("the store is closed")),
            false => Ok(state),
        }
    }

    /// Wakes everyone who waits, or else the next one who will.
    fn wake(&self) {
        self.changed.notify_waiters();
        self.changed.notify_one();
    }
}

fn later(start: Instant, wait: Duration) -> Instant {
    start + wait.min(Duration::from_secs(100 * 365 * 86_400))
}

impl State {
    fn push(&mut self, queue: &Name, stored: Arc<Stored>) {
        self.last_id += 1;
        let delivery = Delivery {
            stored,
            phase: Phase::Open,
            due: Instant::now(),
            attempts: 0,
            token: 0,
            error: String::new(),
        };
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.deliveries.insert(self.last_id, delivery);
        }
    }

    fn open(&self) -> usize {
        let open = |queue: &Queue| queue.open().count();
        self.queues.values().map(open).sum()
    }

    /// The delivery, if this lease of it is still valid.
    fn leased(
        &mut self,
        lease: &Lease,
    ) -> Option<(&mut BTreeMap<i64, Delivery>, i64)> {
        let id = lease.delivery.0;
        let queue = self.queues.get_mut(&lease.subscription.name)?;
        let delivery = queue.deliveries.get(&id)?;
        let is_valid = delivery.token == lease.token
            && delivery.phase == Phase::Leased
            && delivery.due > Instant::now();
        is_valid.then_some((&mut queue.deliveries, id))
    }
}

impl Queue {
    fn open(&self) -> impl Iterator<Item = (i64, &Delivery)> {
        let open = |(_, it): &(_, &Delivery)| it.phase != Phase::Dead;
        self.deliveries.iter().map(|(id, it)| (*id, it)).filter(open)
    }

    /// What can be leased now, the longest due first: of each key, only the oldest open delivery.
    fn due(&self) -> Vec<(Instant, i64)> {
        let now = Instant::now();
        let mut keys = HashSet::new();
        let mut due: Vec<_> = self
            .open()
            .filter(|(_, it)| {
                let key = it.stored.event.key.as_ref();
                key.is_none_or(|key| keys.insert(key))
            })
            .filter(|(_, it)| it.due <= now)
            .map(|(id, it)| (it.due, id))
            .collect();
        due.sort_unstable();
        due
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn accept(
        &self,
        event: &Event,
    ) -> Result<Accepted, AcceptError> {
        let mut state = self.state()?;
        if let Some(stored) = state.events.get(&event.id) {
            return match stored.event == *event {
                true => Ok(Accepted::Again),
                false => Err(AcceptError::IdReused),
            };
        }
        if state.open() >= self.max_open {
            return Err(AcceptError::Full);
        }
        let accepted = Instant::now();
        let stored = Stored { event: event.clone(), accepted };
        let stored = Arc::new(stored);
        let queues = state.queues.values();
        let queues: Vec<Name> = queues
            .filter(|it| it.subscription.wants(&event.topic))
            .map(|it| it.subscription.name.clone())
            .collect();
        for queue in &queues {
            state.push(queue, Arc::clone(&stored));
        }
        state.events.insert(event.id.clone(), stored);
        drop(state);
        self.wake();
        Ok(Accepted::New(queues.len()))
    }

    async fn due(
        &self,
        most: usize,
    ) -> Result<Vec<(Name, Url)>, StoreError> {
        let state = self.state()?;
        let first = |(name, queue): (&Name, &Queue)| {
            let url = queue.subscription.url.clone();
            Some((*queue.due().first()?, (name.clone(), url)))
        };
        let mut due: Vec<_> =
            state.queues.iter().filter_map(first).collect();
        due.sort_unstable();
        Ok(due.into_iter().map(|(_, to)| to).take(most).collect())
    }

    async fn claim(
        &self,
        subscription: &Name,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let mut state = self.state()?;
        let Some(queue) = state.queues.get_mut(subscription) else {
            return Ok(Vec::new());
        };
        let now = Instant::now();
        let expires = later(now, lease);
        let mut leases = Vec::new();
        for (_, id) in queue.due().into_iter().take(most) {
            let Some(it) = queue.deliveries.get_mut(&id) else {
                continue;
            };
            it.phase = Phase::Leased;
            it.due = expires;
            it.attempts = it.attempts.saturating_add(1);
            it.token += 1;
            leases.push(Lease {
                delivery: DeliveryId(id),
                token: it.token,
                attempt: it.attempts,
                age: now - it.stored.accepted,
                expires,
                event: it.stored.event.clone(),
                subscription: queue.subscription.clone(),
            });
        }
        Ok(leases)
    }

    async fn renew(
        &self,
        lease: &Lease,
        for_: Duration,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let held = state.leased(lease);
        let Some((deliveries, id)) = held else { return Ok(false) };
        if let Some(delivery) = deliveries.get_mut(&id) {
            delivery.due = later(Instant::now(), for_);
        }
        Ok(true)
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let to = &lease.subscription;
        let queue = state.queues.get(&to.name);
        let moved =
            queue.is_some_and(|it| it.subscription.url != to.url);
        let held = state.leased(lease);
        let Some((deliveries, id)) = held else { return Ok(false) };
        if *outcome == Outcome::Delivered {
            deliveries.remove(&id);
        } else if let Some(it) = deliveries.get_mut(&id) {
            it.due = Instant::now();
            it.phase = Phase::Open;
            match outcome {
                Outcome::Retry { after: wait, error } => {
                    if !moved {
                        it.due = later(it.due, *wait);
                    }
                    it.error.clone_from(error);
                }
                Outcome::Dead { error } => {
                    it.phase = Phase::Dead;
                    it.error.clone_from(error);
                }
                Outcome::Unused => it.attempts -= 1,
                Outcome::Delivered => {}
            }
        }
        drop(state);
        // The next one of the same key may be due.
        self.wake();
        Ok(true)
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
        most: usize,
    ) -> Result<bool, StoreError> {
        let subscription = subscription.clone();
        let mut state = self.state()?;
        let name = subscription.name.clone();
        let is_new = !state.queues.contains_key(&name);
        if is_new && state.queues.len() >= most {
            return Ok(false);
        }
        let mut deliveries = BTreeMap::new();
        if let Some(old) = state.queues.remove(&name) {
            deliveries = old.deliveries;
            if old.subscription.url != subscription.url {
                let now = Instant::now();
                let open = |it: &&mut Delivery| it.phase == Phase::Open;
                for it in deliveries.values_mut().filter(open) {
                    it.due = it.due.min(now);
                }
                self.wake();
            }
        }
        state.queues.insert(name, Queue { subscription, deliveries });
        Ok(true)
    }

    async fn unsubscribe(
        &self,
        name: &Name,
    ) -> Result<bool, StoreError> {
        Ok(self.state()?.queues.remove(name).is_some())
    }

    async fn subscriptions(
        &self,
    ) -> Result<Vec<Subscription>, StoreError> {
        let state = self.state()?;
        let queues = state.queues.values();
        Ok(queues.map(|it| it.subscription.clone()).collect())
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let now = Instant::now();
        let is_leased =
            |it: &Delivery| it.phase == Phase::Leased && it.due > now;
        let backlog = |(name, queue): (&Name, &Queue)| {
            let open: Vec<_> = queue.open().map(|(_, it)| it).collect();
            let dead = queue.deliveries.len() - open.len();
            let leased = open.iter().filter(|it| is_leased(it)).count();
            let oldest = open.iter().map(|it| it.stored.accepted).min();
            Backlog {
                subscription: name.clone(),
                open: open.len() as u64,
                leased: leased as u64,
                dead: dead as u64,
                oldest_seconds: oldest.map(|it| (now - it).as_secs()),
            }
        };
        Ok(self.state()?.queues.iter().map(backlog).collect())
    }

    async fn dead(
        &self,
        most: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let state = self.state()?;
        let mut dead = Vec::new();
        for (name, queue) in &state.queues {
            for (id, it) in &queue.deliveries {
                if it.phase == Phase::Dead {
                    dead.push(DeadLetter {
                        delivery: DeliveryId(*id),
                        subscription: name.clone(),
                        event: it.stored.event.id.to_string(),
                        topic: it.stored.event.topic.to_string(),
                        attempts: it.attempts,
                        error: it.error.clone(),
                    });
                }
            }
        }
        dead.sort_unstable_by_key(|it| std::cmp::Reverse(it.delivery));
        dead.truncate(most);
        Ok(dead)
    }

    async fn redeliver(
        &self,
        delivery: DeliveryId,
    ) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let id = delivery.0;
        let is_dead = |it: &Delivery| it.phase == Phase::Dead;
        let mut queues = state.queues.iter_mut();
        let found = queues.find_map(|(name, queue)| {
            queue.deliveries.get(&id).filter(|it| is_dead(it))?;
            let delivery = queue.deliveries.remove(&id)?;
            Some((name.clone(), delivery.stored))
        });
        let Some((name, stored)) = found else { return Ok(false) };
        let (event, accepted) = (stored.event.clone(), Instant::now());
        state.push(&name, Arc::new(Stored { event, accepted }));
        drop(state);
        self.wake();
        Ok(true)
    }

    async fn purge(
        &self,
        keep: Duration,
        most: usize,
    ) -> Result<u64, StoreError> {
        let mut state = self.state()?;
        let state = &mut *state;
        let needed = |it: &&Delivery| {
            it.phase != Phase::Dead || it.due.elapsed() <= keep
        };
        let needed: HashSet<&Name> = state
            .queues
            .values()
            .flat_map(|queue| queue.deliveries.values())
            .filter(needed)
            .map(|it| &it.stored.event.id)
            .collect();
        let mut old: Vec<_> = state
            .events
            .iter()
            .filter(|(id, _)| !needed.contains(id))
            .filter(|(_, it)| it.accepted.elapsed() > keep)
            .map(|(id, it)| (it.accepted, id.clone()))
            .collect();
        old.sort_unstable();
        old.truncate(most);
        for (_, id) in &old {
            state.events.remove(id);
        }
        for queue in state.queues.values_mut() {
            queue.deliveries.retain(|_, it| {
                it.phase != Phase::Dead
                    || state.events.contains_key(&it.stored.event.id)
            });
        }
        Ok(old.len() as u64)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.state().map(drop)
    }

    async fn close(&self) {
        if let Ok(mut state) = self.state() {
            state.is_closed = true;
        }
    }
}
