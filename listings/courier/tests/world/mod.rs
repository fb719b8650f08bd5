//! A dispatcher in virtual time: a scripted receiver, and a store that
//! fails when a test says so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use courier::{
    config::Settings,
    deliver::{Answer, AttemptError, Deliver},
    dispatch::dispatch,
    event::{DeliveryId, Event, Lease, Name, Secret, Subscription},
    metrics::Metrics,
    store::{
        AcceptError, Accepted, Backlog, DeadLetter, MemoryStore,
        Outcome, Store, StoreError,
    },
};
use futures::future::{BoxFuture, pending};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use url::Url;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn fails() -> Answer {
    Answer::Failed(AttemptError::new("no"))
}

/// How a call to the store fails.
#[derive(Clone, Copy, PartialEq)]
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
}

/// A store with faults, by method (`"all"`: all of them).
#[derive(Default)]
pub struct Faulty {
    pub inner: MemoryStore,
    pub faults: Mutex<HashMap<&'static str, Fault>>,
    pub calls: Mutex<HashMap<&'static str, usize>>,
    /// Whether `changed` always returns immediately.
    pub restless: Mutex<bool>,
    /// Accepted by the next call of `due`, after it looked.
    pub meanwhile: Mutex<Option<Event>>,
}

impl Faulty {
    pub fn set(&self, call: &'static str, fault: Fault) {
        self.faults.lock().unwrap().insert(call, fault);
    }

    pub fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    pub fn calls(&self, call: &'static str) -> usize {
        self.calls.lock().unwrap().get(call).copied().unwrap_or(0)
    }

    fn fault(&self, call: &'static str) -> Option<Fault> {
        let faults = self.faults.lock().unwrap();
        faults.get(call).or(faults.get("all")).copied()
    }

    async fn through<T>(
        &self,
        name: &'static str,
        lost: Option<T>,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        match self.fault(name) {
            None => call.await,
            Some(Fault::Fails) => Err(StoreError::failed("it's down")),
            Some(Fault::FailsAfter) => {
                call.await?;
                Err(StoreError::failed("the connection was lost"))
            }
            Some(Fault::Silent) => pending().await,
            Some(Fault::Panics) => panic!("the store's bug"),
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
        self.inner.accept(it).await
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
    ) -> Result<(), StoreError> {
        self.inner.subscribe(it).await
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
        let purge = self.inner.purge(keep, most);
        self.through("purge", None, purge).await
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
}

/// An attempt, as the receiver saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub to: String,
    pub event: String,
    pub key: Option<String>,
    pub at: Instant,
    /// How it ended; `None`: it was dropped, or it's running.
    pub answer: Option<Answer>,
}

type Answers =
    Box<dyn Fn(Lease) -> BoxFuture<'static, Answer> + Send + Sync>;

/// Receivers that do what a test says, and remember it.
pub struct Script {
    answers: Answers,
    pub seen: Mutex<Vec<Seen>>,
    /// How many attempts ran at the same time, now and at most; the
    /// total is under the empty name.
    pub running: Mutex<HashMap<String, (usize, usize)>>,
}

struct Running<'a>(&'a Script, String);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.0.running.lock().unwrap();
        for name in ["", &self.1] {
            running.get_mut(name).expect("it runs").0 -= 1;
        }
    }
}

#[async_trait]
impl Deliver for Script {
    async fn attempt(&self, lease: &Lease) -> Answer {
        let to = lease.subscription.name.to_string();
        for name in ["", &to] {
            let mut running = self.running.lock().unwrap();
            let (now, most) = running.entry(name.into()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        let _running = Running(self, to.clone());
        let index = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen {
                to,
                event: lease.event.id.to_string(),
                key: lease.event.key.clone(),
                at: Instant::now(),
                answer: None,
            });
            seen.len() - 1
        };
        let answer = (self.answers)(lease.clone()).await;
        self.seen.lock().unwrap()[index].answer = Some(answer.clone());
        answer
    }
}

pub struct World {
    pub store: Arc<Faulty>,
    pub script: Arc<Script>,
    pub settings: watch::Sender<Arc<Settings>>,
    pub metrics: Metrics,
    pub stop: CancellationToken,
    pub hurry: CancellationToken,
}

impl World {
    /// Receivers that answer as `answers` says.
    pub fn new<F: Future<Output = Answer> + Send + 'static>(
        answers: impl Fn(Lease) -> F + Send + Sync + 'static,
    ) -> Self {
        let answers: Answers =
            Box::new(move |lease| Box::pin(answers(lease)));
        Self {
            store: Arc::new(Faulty::default()),
            script: Arc::new(Script {
                answers,
                seen: Mutex::default(),
                running: Mutex::default(),
            }),
            settings: watch::Sender::new(Arc::default()),
            metrics: Metrics::new(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
        }
    }

    /// A dispatcher of this world; there may be several.
    pub fn dispatch(
        &self,
    ) -> impl Future<Output = ()> + Send + 'static {
        dispatch(
            self.store.clone(),
            self.script.clone(),
            self.settings.subscribe(),
            self.metrics.clone(),
            self.stop.clone(),
            self.hurry.clone(),
        )
    }

    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.settings.send_modify(|it| change(Arc::make_mut(it)));
    }

    /// A subscription to the topic of its own name.
    pub async fn subscribe(&self, to: &str) {
        self.subscribe_at(to, "http://receiver/").await;
    }

    pub async fn subscribe_at(&self, to: &str, url: &str) {
        let subscription = Subscription {
            name: name(to),
            url: url.parse().expect("a URL"),
            topics: vec![name(to)],
            secret: Secret(Bytes::from_static(&[7; 32])),
        };
        self.store.subscribe(&subscription).await.expect("subscribed");
    }

    pub fn event(to: &str, id: usize, key: Option<&str>) -> Event {
        Event {
            id: name(&format!("{to}-{id}")),
            topic: name(to),
            key: key.map(Into::into),
            body: Bytes::from_static(b"{}"),
        }
    }

    /// Accepts events `0..count`.
    pub async fn send(&self, to: &str, count: usize) {
        for id in 0..count {
            self.send_one(to, id, None).await;
        }
    }

    pub async fn send_one(
        &self,
        to: &str,
        id: usize,
        key: Option<&str>,
    ) {
        let event = Self::event(to, id, key);
        self.store.accept(&event).await.expect("accepted");
    }

    /// Waits until nothing is open.
    pub async fn done(&self) {
        while self.open().await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn open(&self) -> u64 {
        let backlog = self.store.backlog().await.expect("it's there");
        backlog.iter().map(|it| it.open).sum()
    }

    pub async fn dead(&self) -> Vec<DeadLetter> {
        self.store.dead(usize::MAX).await.expect("it's there")
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    pub fn delivered(&self, to: &str) -> usize {
        let fits = |it: &&Seen| {
            it.to == to && it.answer == Some(Answer::Delivered)
        };
        self.seen().iter().filter(fits).count()
    }

    /// How many attempts ran at the same time: now, and at most.
    pub fn running(&self, to: &str) -> (usize, usize) {
        let running = self.script.running.lock().unwrap();
        running.get(to).copied().unwrap_or_default()
    }

    /// The value of a metric.
    pub fn metric(&self, start: &str) -> u64 {
        let text = self.metrics.render(&[]);
        let line = text.lines().find_map(|it| it.strip_prefix(start));
        line.map_or(0, |it| it.trim().parse().expect("a number"))
    }

    pub fn attempts(&self, outcome: &str) -> u64 {
        let label = format!("_count{{outcome=\"{outcome}\"}}");
        let text = self.metrics.render(&[]);
        let fits = |it: &&str| it.contains(&label);
        let line = text.lines().find(fits).unwrap_or("0");
        let value = line.rsplit(' ').next().expect("a value");
        value.parse().expect("a number")
    }
}
