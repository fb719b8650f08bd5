//! A dispatcher in virtual time, with a scripted receiver.

#[path = "../store/mod.rs"]
mod store;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use courier::{
    config::Settings,
    deliver::{Answer, Deliver},
    dispatch::dispatch,
    event::{Event, Lease, Name, Secret, Subscription},
    metrics::Metrics,
    store::{DeadLetter, Store},
};
use futures::future::BoxFuture;
pub use store::{Fault, Faulty};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn fails() -> Answer {
    Answer::failed("no")
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
            store: Faulty::new(usize::MAX),
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
        self.store
            .subscribe(&subscription, usize::MAX)
            .await
            .expect("subscribed");
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
