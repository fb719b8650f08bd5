//! What woke a task. Tokio reports that a task was woken, but not by what; of the main future not even that.

use super::Model;
use crate::format::{ResourceKind, Wake, WokenBy};

/// Only the clock ends these waits.
const TIMERS: &[ResourceKind] = &[ResourceKind::Sleep, ResourceKind::Interval];

/// Only the end of a task ends these.
const JOINS: &[ResourceKind] = &[ResourceKind::Join, ResourceKind::JoinNext];

/// Only something that another task does ends these.
const MESSAGES: &[ResourceKind] = &[
    ResourceKind::Semaphore,
    ResourceKind::Mutex,
    ResourceKind::RwLock,
    ResourceKind::Barrier,
    ResourceKind::Oneshot,
    ResourceKind::Channel,
    ResourceKind::Watch,
    ResourceKind::Notify,
    ResourceKind::Cancellation,
];

/// The tasks that may wake another one.
#[derive(Debug, Default)]
pub struct Suspects {
    /// A task that ended, and when, if no other task has run since.
    pub ended: Option<(usize, u64)>,
    /// The tasks that ran since a main future was left, and since the clock moved to `since`.
    ran: Vec<usize>,
    since: u64,
}

impl Suspects {
    pub fn clear(&mut self, now: u64) {
        self.ran.clear();
        self.since = now;
    }
}

impl Model {
    /// A task is about to be polled.
    pub fn note_poll(&mut self, index: usize) {
        // After the clock has moved, the tasks that ran before wake no task.
        if self.now > self.suspects.since {
            self.suspects.clear(self.now);
        }
        if self.tasks[index].main {
            self.wake_main(index);
        } else if !self.suspects.ran.contains(&index) {
            self.suspects.ran.push(index);
        }
        self.suspects.ended = None;
    }

    /// A task was woken.
    pub fn wake(&mut self, span: u64) {
        let Some(&task) = self.by_span.get(&span) else {
            return;
        };
        let state = &self.tasks[task];
        // Waking a task that ended, or was woken already, has no effect.
        if state.woken || state.closed {
            return;
        }
        let on = state.last_wait();
        let waits_for = |kinds: &[ResourceKind]| on.iter().any(|on| kinds.contains(&on.kind));
        let by = match (self.current.last(), self.suspects.ended) {
            (Some(&by), _) => WokenBy::Task(by),
            // The end of a task wakes the tasks that join it, after it was left.
            (None, Some((by, at))) if at == self.now && waits_for(JOINS) => WokenBy::Task(by),
            (None, _) if waits_for(&[ResourceKind::Yield]) => WokenBy::Task(task),
            (None, _) if waits_for(TIMERS) => WokenBy::Clock,
            (None, _) => WokenBy::Unknown,
        };
        self.add_wake(task, by);
        self.tasks[task].woken = true;
    }

    fn add_wake(&mut self, task: usize, by: WokenBy) {
        self.wakes.push(Wake {
            step: self.step(),
            at: self.at(),
            task,
            by,
        });
    }

    /// Tokio doesn't report what wakes a main future. It is polled before all other tasks once it is woken, so what
    /// woke it happened since it was left, and what it waits for says what that can have been.
    fn wake_main(&mut self, index: usize) {
        let Some(left_at) = self.tasks[index].left_at() else {
            // Its first poll.
            return;
        };
        let on = self.tasks[index].last_wait();
        let waits_only_for =
            |kinds: &[ResourceKind]| !on.is_empty() && on.iter().all(|on| kinds.contains(&on.kind));
        let by = match self.suspects.ran.as_slice() {
            [] if left_at < self.at() && on.iter().any(|on| TIMERS.contains(&on.kind)) => {
                WokenBy::Clock
            }
            [] if waits_only_for(&[ResourceKind::Yield]) => WokenBy::Task(index),
            [one] if waits_only_for(JOINS) && self.tasks[*one].closed => WokenBy::Task(*one),
            [one] if waits_only_for(MESSAGES) => WokenBy::Task(*one),
            several => self
                .first_joined(index, several)
                .map_or(WokenBy::Unknown, WokenBy::Task),
        };
        self.add_wake(index, by);
    }

    /// The first that ended of several tasks of a set, if the task at `index` waits for any of them.
    fn first_joined(&self, index: usize, several: &[usize]) -> Option<usize> {
        let mut ended = several.iter().filter(|task| self.tasks[**task].closed);
        let first = *ended.next()?;
        let site = |task: usize| (self.tasks[task].task.by, self.tasks[task].task.line);
        let on = self.tasks[index].last_wait();
        let is_certain = on.iter().all(|on| on.kind == ResourceKind::JoinNext)
            && !on.is_empty()
            && site(first).0 == Some(index)
            && ended.all(|task| site(*task) == site(first));
        is_certain.then_some(first)
    }
}
