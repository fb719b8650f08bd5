//! What courier counts, in the text format of Prometheus.
//!
//! No label comes from a client, except the names of subscriptions,
//! which exist only as long as they do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{
        counter::Counter, family::Family, gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Metric, Registry},
};
use tokio::time::Instant;

use crate::store::Backlog;

/// One label: its name and its value.
type Label<V> = [(&'static str, V); 1];
type Counters = Family<Label<&'static str>, Counter>;
type Gauges = Family<Label<String>, Gauge>;
type Histograms =
    Family<Label<&'static str>, Histogram, fn() -> Histogram>;

/// The counters of a process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    accepted: Counters,
    refused: Counters,
    /// Handlers that panicked.
    pub panicked: Counter,
    connections: Gauge,
    working: Gauge,
    attempts: Histograms,
    in_flight: Gauge,
    /// How old events were when they were delivered, in seconds.
    pub age: Histogram,
    /// How often a destination failed too often and was left alone.
    pub breakers: Counter,
    /// Calls to the store that failed.
    pub store_failures: Counter,
    beat: Arc<Mutex<Instant>>,
}

/// Counts as one, until it's dropped.
pub struct InFlight {
    /// How many there were before it.
    pub before: usize,
    gauge: Gauge,
}

impl InFlight {
    fn new(gauge: &Gauge) -> Self {
        let before = usize::try_from(gauge.inc()).unwrap_or(0);
        Self { before, gauge: gauge.clone() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

impl Metrics {
    /// All zero, and a heartbeat now.
    pub fn new() -> Self {
        let mut all = Registry::with_prefix("courier");
        let all = &mut all;
        let attempts = Histograms::new_with_constructor(seconds);
        let ages = [0.05, 0.2, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0];
        Self {
            // ANCHOR: names
            accepted: add(all, "events", "Events that clients sent"),
            refused: add(all, "refused", "Clients that were refused"),
            panicked: add(all, "panics", "Handlers that panicked"),
            connections: add(all, "connections", "Open connections"),
            working: add(all, "requests", "Requests being handled"),
            attempts: put(all, "attempt_seconds", "Attempts", attempts),
            in_flight: add(all, "in_flight", "Attempts under way"),
            age: put(
                all,
                "delivery_age_seconds",
                "From accepting an event to delivering it",
                Histogram::new(ages),
            ),
            breakers: add(all, "breaker_opened", "Breakers opened"),
            store_failures: add(all, "store_failures", "Failed calls"),
            // ANCHOR_END: names
            beat: Arc::new(Mutex::new(Instant::now())),
            registry: Arc::new(std::mem::take(all)),
        }
    }

    /// A client sent an event: `new`, `again`, `reused`, `full`, or
    /// `error`.
    pub fn accepted(&self, outcome: &'static str) {
        self.accepted.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A connection or a request was refused, and why.
    pub fn refused(&self, why: &'static str) {
        self.refused.get_or_create(&[("why", why)]).inc();
    }

    /// A client's connection counts until this is dropped.
    pub fn connected(&self) -> InFlight {
        InFlight::new(&self.connections)
    }

    /// A request is worked on until this is dropped.
    pub fn working(&self) -> InFlight {
        InFlight::new(&self.working)
    }

    /// An attempt ended after `took`: `delivered`, `retry`, `dead`,
    /// `unused`, or `lost`.
    pub fn attempted(&self, outcome: &'static str, took: Duration) {
        let label = [("outcome", outcome)];
        let attempts = self.attempts.get_or_create(&label);
        attempts.observe(took.as_secs_f64());
    }

    /// An attempt runs until this is dropped.
    pub fn in_flight(&self) -> InFlight {
        InFlight::new(&self.in_flight)
    }

    /// The dispatcher's loop shows that it's alive: each time around,
    /// at least every [`poll`](crate::config::Deliver::poll).
    pub fn beat(&self) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) =
            Instant::now();
    }

    /// How long ago the dispatcher's loop showed that it's alive.
    pub fn since_beat(&self) -> Duration {
        let beat = self.beat.lock();
        beat.unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// All numbers, and those of the queue, as a scraper reads them.
    pub fn render(&self, backlog: &[Backlog]) -> String {
        let mut queue = Registry::with_prefix("courier");
        let queue = &mut queue;
        // ANCHOR: queue
        let open: Gauges = add(queue, "open", "Open deliveries");
        let leased: Gauges =
            add(queue, "leased", "Open deliveries that are leased");
        let dead: Gauges = add(queue, "dead", "Dead deliveries");
        let oldest: Gauges = add(
            queue,
            "oldest_seconds",
            "Age of the oldest open delivery",
        );
        // ANCHOR_END: queue
        for of in backlog {
            let label = [("subscription", of.subscription.to_string())];
            let oldest_age = of.oldest_seconds.unwrap_or(0);
            for (gauge, value) in [
                (&open, of.open),
                (&leased, of.leased),
                (&dead, of.dead),
                (&oldest, oldest_age),
            ] {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                gauge.get_or_create(&label).set(value);
            }
        }
        let mut text = String::new();
        // Writing to a string doesn't fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, queue);
        let _ = encode_eof(&mut text);
        text
    }
}

/// Registers a new metric.
fn add<M>(all: &mut Registry, name: &str, help: &str) -> M
where
    M: Metric + Clone + Default,
{
    put(all, name, help, M::default())
}

fn put<M>(all: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: Metric + Clone,
{
    all.register(name, help, metric.clone());
    metric
}

fn seconds() -> Histogram {
    Histogram::new([0.01, 0.05, 0.2, 1.0, 5.0, 15.0, 60.0])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
