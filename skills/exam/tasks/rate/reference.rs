//! Any waiter serves the queue when its own time comes, so one that isn't polled holds up nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

#[derive(Debug)]
pub struct TooMany;

pub struct Rate {
    period: Duration,
    burst: u32,
    state: Mutex<State>,
}

struct State {
    /// When the bucket is full again. Later than now while anybody waits.
    full_at: Instant,
    queue: VecDeque<Waiter>,
}

struct Waiter {
    n: u32,
    changed: Arc<Notify>,
}

/// A place in the queue, or, once it's served, tokens that nobody has used yet.
struct Place<'a> {
    rate: &'a Rate,
    n: u32,
    changed: Arc<Notify>,
    is_used: bool,
}

impl Rate {
    pub fn new(per_second: u32, burst: u32) -> Self {
        let full_at = Instant::now();
        let queue = VecDeque::new();
        Self {
            period: Duration::from_secs(1) / per_second,
            burst,
            state: Mutex::new(State { full_at, queue }),
        }
    }

    pub async fn acquire(&self, n: u32) -> Result<(), TooMany> {
        if n > self.burst {
            return Err(TooMany);
        }
        let mut place = self.enqueue(n);
        while let Some(wait) = self.wait_of(&place) {
            tokio::select! {
                () = sleep(wait) => {}
                () = place.changed.notified() => {}
            }
        }
        place.is_used = true;
        Ok(())
    }

    /// The state, after everybody has been served whose time has come.
    fn served(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        while let Some(first) = state.queue.front() {
            let full_at = state.full_at + self.period * first.n;
            if full_at > now + self.period * self.burst {
                break;
            }
            state.full_at = full_at;
            first.changed.notify_one();
            state.queue.pop_front();
        }
        if state.queue.is_empty() {
            state.full_at = state.full_at.max(now);
        }
        guard
    }

    fn enqueue(&self, n: u32) -> Place<'_> {
        let changed = Arc::new(Notify::new());
        self.served(Instant::now()).queue.push_back(Waiter {
            n,
            changed: changed.clone(),
        });
        Place {
            rate: self,
            n,
            changed,
            is_used: false,
        }
    }

    /// How long until it's served: `None` if it is.
    fn wait_of(&self, place: &Place<'_>) -> Option<Duration> {
        let now = Instant::now();
        let state = self.served(now);
        let mut full_at = state.full_at;
        for waiter in &state.queue {
            full_at += self.period * waiter.n;
            if Arc::ptr_eq(&waiter.changed, &place.changed) {
                return Some(full_at - (now + self.period * self.burst));
            }
        }
        None
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let now = Instant::now();
        let mut state = self.rate.served(now);
        let mine = |it: &Waiter| Arc::ptr_eq(&it.changed, &self.changed);
        if let Some(place) = state.queue.iter().position(mine) {
            state.queue.remove(place);
        } else {
            state.full_at = (state.full_at - self.rate.period * self.n).max(now);
        }
        for waiter in &state.queue {
            waiter.changed.notify_one();
        }
    }
}
