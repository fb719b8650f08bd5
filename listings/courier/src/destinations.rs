//! What a process remembers about the destinations that it has
//! attempted lately: how many attempts run, a circuit breaker, and a
//! retry budget.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use url::Url;

use crate::{config::Settings, event::Name, retry::later};

/// A destination that's idle for so long is forgotten, with an open
/// breaker after twice its pause.
const FORGET: Duration = Duration::from_secs(60);
/// So many retries are covered, whatever the settings say, and again
/// after a minute.
const RETRIES: f64 = 10.0;

/// The destinations by the names of their subscriptions.
#[derive(Debug, Default)]
pub struct Destinations(HashMap<Name, Destination>);

#[derive(Debug)]
struct Destination {
    /// What's remembered of failures is about this one.
    url: Url,
    running: usize,
    started: Instant,
    /// When an attempt started or ended.
    used: Instant,
    /// In a row.
    failures: u32,
    /// When the breaker lets one attempt through; `None`: it's closed.
    open_until: Option<Instant>,
    /// How many retries are covered.
    budget: f64,
}

impl Destination {
    fn new(url: &Url, now: Instant) -> Self {
        Self {
            url: url.clone(),
            running: 0,
            started: now,
            used: now,
            failures: 0,
            open_until: None,
            budget: RETRIES,
        }
    }

    /// Another URL starts with a closed breaker and a full budget.
    fn moves(&mut self, url: &Url) {
        if self.url != *url {
            let Self { running, started, .. } = *self;
            let new = Self::new(url, self.used);
            *self = Self { running, started, ..new };
        }
    }
}

impl Destinations {
    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    // ANCHOR: slots
    /// How many attempts may be started now.
    pub fn slots(&self, name: &Name, settings: &Settings) -> usize {
        let most = settings.deliver.per_subscription;
        match self.0.get(name) {
            None => most,
            Some(it) => match it.open_until {
                Some(until) if Instant::now() < until => 0,
                // A single test attempt, once all earlier ones have ended.
                Some(_) => usize::from(it.running == 0).min(most),
                None => most.saturating_sub(it.running),
            },
        }
    }

    /// The sort key for fairness: the smallest value is served first.
    /// Fewest running attempts come first, and among equals, the
    /// destination whose last attempt started the longest ago.
    pub fn turn(&self, name: &Name) -> (usize, Option<Instant>) {
        let it = self.0.get(name);
        it.map_or((0, None), |it| (it.running, Some(it.started)))
    }
    // ANCHOR_END: slots

    /// Counts an attempt that starts. Returns whether it's covered by
    /// the retry budget.
    pub fn start(
        &mut self,
        (name, url): &(Name, Url),
        is_retry: bool,
        settings: &Settings,
    ) -> bool {
        let now = Instant::now();
        let it = self.0.entry(name.clone());
        let it = it.or_insert_with(|| Destination::new(url, now));
        it.moves(url);
        let minutes = (now - it.started).as_secs_f64() / 60.0;
        let first = if is_retry { 0.0 } else { settings.retry.budget };
        // In this order, a budget that isn't a number is a full one.
        it.budget =
            (it.budget + RETRIES * minutes + first).min(RETRIES);
        it.running += 1;
        (it.started, it.used) = (now, now);
        let covered = !is_retry || it.budget >= 1.0;
        if is_retry && covered {
            it.budget -= 1.0;
        }
        covered
    }

    /// Counts an attempt that ended, and whether the receiver was well
    /// (`None`: it says nothing about that). Returns whether this
    /// opened a closed breaker.
    // ANCHOR: breaker
    pub fn end(
        &mut self,
        (name, url): &(Name, Url),
        well: Option<bool>,
        settings: &Settings,
    ) -> bool {
        let Some(it) = self.0.get_mut(name) else { return false };
        let now = Instant::now();
        it.running = it.running.saturating_sub(1);
        it.used = now;
        if it.open_until.is_some_and(|until| now < until) {
            return false; // Started before the breaker opened.
        }
        // An attempt at an old URL says nothing about the new one.
        match well.filter(|_| it.url == *url) {
            None => false,
            Some(true) => {
                (it.failures, it.open_until) = (0, None);
                false
            }
            Some(false) => {
                it.failures = it.failures.saturating_add(1);
                if it.failures < settings.breaker.failures {
                    return false;
                }
                let until = later(now, settings.breaker.open);
                it.open_until.replace(until).is_none()
            }
        }
    }
    // ANCHOR_END: breaker

    /// Learns the URLs of those that have something to do. They keep
    /// their turns, however long they wait.
    pub fn meet(&mut self, due: &[(Name, Url)]) {
        let now = Instant::now();
        for (name, url) in due {
            if let Some(it) = self.0.get_mut(name) {
                it.moves(url);
                it.used = now;
            }
        }
    }

    /// Forgets the ones that are idle.
    pub fn forget(&mut self, settings: &Settings) {
        let now = Instant::now();
        let open = settings.breaker.open.saturating_mul(2);
        self.0.retain(|_, it| {
            let pause =
                it.open_until.map_or(FORGET, |_| FORGET.max(open));
            it.running > 0 || now - it.used < pause
        });
    }
}
