//! What the recorder writes while a listing runs: an entry on each line, in the order of events.
//!
//! The recorder runs inside the listing's process and knows only what happens at the moment; [`crate::model`] makes a
//! timeline of the log. Each entry is written immediately, so nothing is lost if the listing exits early.

use crate::limits::{MAX_EVENTS, MAX_TASKS};
use serde::{Deserialize, Serialize};

/// The environment variable with the path of the file that a recorder writes to.
pub const FILE: &str = "BOOK_TIMELINE_LOG";

/// An event, and when it happened: virtual microseconds since the first runtime started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry(pub u64, pub Event);

/// A place in the source text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// A marked await: its number in this run, and its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark(pub u64, pub u32);

/// Something that happened. Spans are named by `tracing`'s ids, which are reused after the span is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// This run has no timeline, and why.
    Refused(Refused),
    /// A task was spawned, or a future was given to `block_on`.
    Spawn {
        /// The task's span.
        span: u64,
        /// Whether it is the future that the runtime was started for.
        main: bool,
        /// Where in the listing; `None` if a library did it.
        at: Option<Place>,
    },
    /// A resource (a timer, a semaphore, and so on) was created.
    Resource {
        /// The resource's span.
        span: u64,
        /// Tokio's name of its type.
        kind: String,
        /// The line of the listing that created it.
        line: Option<u32>,
        /// The resource that it's a part of: a mutex has a semaphore inside.
        inside: Option<u64>,
    },
    /// An operation on a resource was polled.
    PollOp {
        /// The operation's span.
        span: u64,
        /// The resource.
        resource: Option<u64>,
        /// Whether the operation is ready now.
        ready: bool,
        /// The innermost marked await around it.
        mark: Option<u64>,
    },
    /// A task was entered: it is being polled, or dropped.
    Enter(u64),
    /// A task was left.
    Exit {
        /// The task's span.
        span: u64,
        /// Whether by a panic.
        panicking: bool,
    },
    /// A task, a resource, or an operation was dropped.
    Close(u64),
    /// A marked await was polled and is pending.
    Pending {
        /// The marks around it and, last, its own.
        path: Vec<Mark>,
        /// What is called there, as the source text says it.
        call: String,
        /// The type of the awaited future.
        future: String,
    },
    /// A marked await that was pending is ready, or was dropped.
    AwaitEnded(u64),
    /// The task with that span was woken.
    Wake(u64),
    /// An operation wants permits.
    Requested {
        /// The operation.
        op: u64,
        /// How many.
        count: u64,
    },
    /// An operation acquired permits: all that it wants, or some of them, and the others later.
    Acquired {
        /// The operation.
        op: u64,
        /// The resource.
        resource: Option<u64>,
        /// How many.
        count: u64,
    },
    /// A resource's state changed.
    StateUpdate {
        /// The resource.
        resource: u64,
        /// How.
        update: StateUpdate,
    },
    /// Something was printed.
    Printed {
        /// The line of the listing.
        line: u32,
        /// The text, which needn't be a whole line.
        text: String,
    },
}

/// A change of a resource's state that means that something changed hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateUpdate {
    /// So many permits were released.
    Released(u64),
    /// A value was sent.
    Sent,
    /// A value was received.
    Received,
}

/// Why a listing has no timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    /// It starts no runtime.
    #[error("it starts no Tokio runtime, so it has no tasks")]
    NoRuntime,
    /// Its runtime has several threads.
    #[error("its runtime has several threads, which run in a different order each time")]
    MultiThread,
    /// Its clock isn't paused.
    #[error("its clock is not paused (`start_paused = true`), so each run takes a different time")]
    NotPaused,
    /// It uses a thread of its own.
    #[error(
        "it uses a separate thread (`spawn_blocking`), which doesn't follow the runtime's clock"
    )]
    OtherThread,
    /// It waits for something outside of the process, of this type.
    #[error(
        "it waits for something outside of the program ({0}), which takes a different time in each run"
    )]
    Outside(String),
    /// It has more tasks than a picture can show.
    #[error("it has more than {} tasks, too many lanes for a picture", MAX_TASKS)]
    TooManyTasks,
    /// More happens in it than a picture can show.
    #[error(
        "it has more than {MAX_EVENTS} polls, waits, wakeups, and printed lines, too many for a picture"
    )]
    TooManyEvents,
    /// Two runs of it aren't the same.
    #[error("its tasks don't move the same way in each run")]
    Differs,
    /// It prints something else when it is recorded.
    #[error("its output while it is recorded differs from its .out file")]
    PrintsOtherwise,
}
