//! What a task waits for: the marked awaits that are pending, and the operations inside of them.

use crate::format::{Awaited, ResourceKind};
use crate::log::Mark;
use std::collections::{BTreeMap, BTreeSet};

/// An await that was polled and is pending.
#[derive(Debug)]
struct Await {
    path: Vec<Mark>,
    call: String,
    future: String,
    since: u64,
}

/// An operation on a resource that was polled and is pending.
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
    /// Numbers awaits and operations in their order.
    next: u64,
}

impl Waits {
    /// Whether the task waits for nothing that is known.
    pub fn is_empty(&self) -> bool {
        self.awaits.is_empty() && self.ops.is_empty()
    }

    /// Whether the task waits for this operation.
    pub fn has_op(&self, op: u64) -> bool {
        self.ops.contains_key(&op)
    }

    /// An operation was polled.
    pub fn poll_op(&mut self, op: u64, resource: Option<u64>, ready: bool, mark: Option<u64>) {
        if ready {
            self.ops.remove(&op);
            return;
        }
        let since = self.since();
        let new = Op {
            resource,
            mark,
            since,
        };
        self.ops.entry(op).or_insert(new).mark = mark;
    }

    /// An operation, or a resource, was dropped.
    pub fn remove_op(&mut self, op: u64) {
        self.ops.remove(&op);
    }

    /// A marked await, the last one of the path, was polled and is pending.
    pub fn add_await(&mut self, path: &[Mark], call: &str, future: &str) {
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

    /// A marked await ended. A timer that it polled may live on, but no task waits for it anymore.
    pub fn remove_await(&mut self, mark: u64) {
        if self.awaits.remove(&mark).is_some() {
            self.ops.retain(|_, op| op.mark != Some(mark));
        }
    }

    fn since(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Everything that the task waits for now, in the order of its lines, each with its resource.
    pub fn current(&self) -> Vec<(Awaited, Option<u64>)> {
        // Of nested awaits, only the innermost ones are of interest.
        let outer: BTreeSet<u64> = self
            .awaits
            .values()
            .flat_map(|wait| wait.path.iter().rev().skip(1))
            .map(|Mark(mark, _)| *mark)
            .collect();
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for op in self.ops.values() {
            // Some operations consist of others, on a part of the same resource.
            if let (Some(resource), Some(mark)) = (op.resource, op.mark)
                && !seen.insert((resource, mark))
            {
                continue;
            }
            let wait = op.mark.and_then(|mark| self.awaits.get(&mark));
            found.push((op.since, awaited(wait, ResourceKind::Future), op.resource));
        }
        let with_ops: BTreeSet<u64> = self.ops.values().filter_map(|op| op.mark).collect();
        for (mark, wait) in &self.awaits {
            if !outer.contains(mark) && !with_ops.contains(mark) {
                let kind = kind_of_future(&wait.future);
                found.push((wait.since, awaited(Some(wait), kind), None));
            }
        }
        found.sort_by_cached_key(|(since, on, _)| (on.through.clone(), on.line, *since));
        let found = found.into_iter();
        found.map(|(_, on, resource)| (on, resource)).collect()
    }
}

fn awaited(wait: Option<&Await>, kind: ResourceKind) -> Awaited {
    let path = wait.map_or(&[][..], |wait| &wait.path);
    let mut through: Vec<u32> = path.iter().map(|Mark(_, line)| *line).collect();
    Awaited {
        kind,
        call: wait.map_or(String::new(), |wait| wait.call.clone()),
        line: through.pop(),
        through,
        resource: None,
        count: 1,
    }
}

/// The kind of a resource, of Tokio's name for its type. A semaphore that no listing created is a channel's.
pub fn kind_of_resource(kind: &str, line: Option<u32>) -> ResourceKind {
    match kind {
        "Sleep" => ResourceKind::Sleep,
        "Interval" => ResourceKind::Interval,
        "Semaphore" if line.is_some() => ResourceKind::Semaphore,
        "Semaphore" => ResourceKind::Channel,
        "Mutex" => ResourceKind::Mutex,
        "RwLock" => ResourceKind::RwLock,
        "Barrier" => ResourceKind::Barrier,
        "Sender|Receiver" => ResourceKind::Oneshot,
        _ => ResourceKind::Future,
    }
}

/// Futures about which Tokio reports nothing, by the start of their types' paths.
const KINDS_BY_TYPE: &[(&str, ResourceKind)] = &[
    ("tokio::runtime::task::join::JoinHandle", ResourceKind::Join),
    ("tokio::task::join_set::", ResourceKind::JoinNext),
    ("tokio_util::task::join_map::", ResourceKind::JoinNext),
    ("tokio_util::task::join_queue::", ResourceKind::Join),
    ("tokio_util::task::abort_on_drop::", ResourceKind::Join),
    ("tokio_util::task::task_tracker::", ResourceKind::Join),
    (
        "tokio_util::sync::cancellation_token::",
        ResourceKind::Cancellation,
    ),
    ("tokio::sync::mpsc::", ResourceKind::Channel),
    ("tokio::sync::broadcast::", ResourceKind::Channel),
    ("tokio::sync::watch::", ResourceKind::Watch),
    ("tokio::sync::notify::", ResourceKind::Notify),
    ("tokio::task::yield_now::", ResourceKind::Yield),
];

fn kind_of_future(mut future: &str) -> ResourceKind {
    let references = ["&mut ", "core::pin::Pin<&mut "];
    while let Some(inner) = references.iter().find_map(|it| future.strip_prefix(it)) {
        future = inner;
    }
    let mut known = KINDS_BY_TYPE.iter();
    let kind = known.find(|(path, _)| future.starts_with(path));
    kind.map_or(ResourceKind::Future, |(_, kind)| *kind)
}
