//! What a task waits for: the marked awaits that are not ready, and the operations inside of them.

use crate::format::{On, What};
use crate::log::Mark;
use std::collections::{BTreeMap, BTreeSet};

/// An await that was polled and was not ready.
#[derive(Debug)]
struct Await {
    path: Vec<Mark>,
    call: String,
    future: String,
    since: u64,
}

/// An operation on a resource that was polled and was not ready.
#[derive(Debug)]
struct Op {
    resource: Option<u64>,
    mark: Option<u64>,
    since: u64,
}

/// What a task waits for.
#[derive(Debug, Default)]
pub struct Waits {
    awaits: BTreeMap<u64, Await>,
    ops: BTreeMap<u64, Op>,
    /// Counts what comes to be waited for, for its order.
    next: u64,
}

impl Waits {
    /// Whether it waits for nothing that is known.
    pub fn is_empty(&self) -> bool {
        self.awaits.is_empty() && self.ops.is_empty()
    }

    /// Whether it waits for this operation.
    pub fn has_op(&self, op: u64) -> bool {
        self.ops.contains_key(&op)
    }

    /// An operation was polled.
    pub fn op(&mut self, op: u64, resource: Option<u64>, ready: bool, mark: Option<u64>) {
        if ready {
            self.ops.remove(&op);
            return;
        }
        let since = self.since();
        let known = self.ops.entry(op).or_insert(Op {
            resource,
            mark,
            since,
        });
        known.mark = mark;
    }

    /// An operation or a resource is gone.
    pub fn op_is_gone(&mut self, op: u64) {
        self.ops.remove(&op);
    }

    /// A marked await, the last on the path, was polled and is not ready.
    pub fn mark(&mut self, path: &[Mark], call: &str, future: &str) {
        let Some(Mark(mark, _)) = path.last() else {
            return;
        };
        let since = self.since();
        self.awaits.entry(*mark).or_insert(Await {
            path: path.to_vec(),
            call: call.to_owned(),
            future: future.to_owned(),
            since,
        });
    }

    /// A marked await is over. A timer that it polled goes on, but nobody waits for it any more.
    pub fn mark_is_over(&mut self, mark: u64) {
        if self.awaits.remove(&mark).is_some() {
            self.ops.retain(|_, op| op.mark != Some(mark));
        }
    }

    fn since(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Everything that is waited for now, in the order of its lines, each with its resource.
    pub fn now(&self) -> Vec<(On, Option<u64>)> {
        // Of awaits around others, the inner ones tell more.
        let outer: BTreeSet<u64> = self
            .awaits
            .values()
            .flat_map(|wait| wait.path.iter().rev().skip(1))
            .map(|Mark(mark, _)| *mark)
            .collect();
        let mut found = Vec::new();
        let mut told = BTreeSet::new();
        for op in self.ops.values() {
            // Some operations are made of others, on a part of the same resource.
            if let (Some(resource), Some(mark)) = (op.resource, op.mark)
                && !told.insert((resource, mark))
            {
                continue;
            }
            let wait = op.mark.and_then(|mark| self.awaits.get(&mark));
            found.push((op.since, on(wait, What::Future), op.resource));
        }
        let with_ops: BTreeSet<u64> = self.ops.values().filter_map(|op| op.mark).collect();
        for (mark, wait) in &self.awaits {
            if !outer.contains(mark) && !with_ops.contains(mark) {
                found.push((wait.since, on(Some(wait), awaited(&wait.future)), None));
            }
        }
        found.sort_by_cached_key(|(since, on, _)| (on.through.clone(), on.line, *since));
        found
            .into_iter()
            .map(|(_, on, resource)| (on, resource))
            .collect()
    }
}

fn on(wait: Option<&Await>, what: What) -> On {
    let lines: Vec<u32> = wait.map_or(Vec::new(), |wait| {
        wait.path.iter().map(|Mark(_, line)| *line).collect()
    });
    On {
        what,
        call: wait.map_or(String::new(), |wait| wait.call.clone()),
        line: lines.last().copied(),
        through: lines
            .split_last()
            .map_or(Vec::new(), |(_, outer)| outer.to_vec()),
        resource: None,
        count: 1,
    }
}

/// What Tokio calls the type of a resource. A semaphore that no listing made is that of a channel.
pub fn what(kind: &str, line: Option<u32>) -> What {
    match kind {
        "Sleep" => What::Sleep,
        "Interval" => What::Interval,
        "Semaphore" if line.is_some() => What::Semaphore,
        "Semaphore" => What::Channel,
        "Mutex" => What::Mutex,
        "RwLock" => What::RwLock,
        "Barrier" => What::Barrier,
        "Sender|Receiver" => What::Oneshot,
        _ => What::Future,
    }
}

/// Futures of which Tokio tells nothing, by the beginning of their types' paths.
const BY_TYPE: &[(&str, What)] = &[
    ("tokio::runtime::task::join::JoinHandle", What::Join),
    ("tokio::task::join_set::", What::JoinNext),
    ("tokio_util::task::join_map::", What::JoinNext),
    ("tokio_util::task::join_queue::", What::Join),
    ("tokio_util::task::abort_on_drop::", What::Join),
    ("tokio_util::task::task_tracker::", What::Join),
    ("tokio_util::sync::cancellation_token::", What::Cancellation),
    ("tokio::sync::mpsc::", What::Channel),
    ("tokio::sync::broadcast::", What::Channel),
    ("tokio::sync::watch::", What::Watch),
    ("tokio::sync::notify::", What::Notify),
    ("tokio::task::yield_now::", What::Yield),
];

fn awaited(future: &str) -> What {
    let references = ["&mut ", "core::pin::Pin<&mut "];
    let mut future = future;
    while let Some(inner) = references
        .iter()
        .find_map(|start| future.strip_prefix(start))
    {
        future = inner;
    }
    BY_TYPE
        .iter()
        .find(|(path, _)| future.starts_with(path))
        .map_or(What::Future, |(_, what)| *what)
}
