//! What the recorder writes while a listing runs: one entry on each line, in the order of events.
//!
//! It is a protocol between the recorder, which runs inside the listing's process and knows only what
//! happens at the moment, and [`crate::model`], which makes a timeline of it. It is written as it
//! happens, so that nothing is lost where the listing ends its process in the middle.

use serde::{Deserialize, Serialize};

/// The environment variable with the path of the file that a recorder writes to.
pub const FILE: &str = "BOOK_TIMELINE_LOG";

/// Virtual microseconds since the first runtime began, and what happened then.
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

/// A marked await, by its number in this run, and its line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark(pub u64, pub u32);

/// Something that happened. Numbers of spans are those of `tracing`, and used again once closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// This run has no timeline, and why.
    Refused(Refused),
    /// A task was spawned, or a future given to `block_on`.
    Task {
        /// Its span.
        span: u64,
        /// Whether it is the future that the runtime was started for.
        main: bool,
        /// Where in the listing; `None` where some library did it.
        at: Option<Place>,
    },
    /// A resource (a timer, a semaphore, ...) was made.
    Resource {
        /// Its span.
        span: u64,
        /// Tokio's name of its type.
        kind: String,
        /// The line of the listing where it was made.
        line: Option<u32>,
        /// The resource that it is a part of, as a mutex has a semaphore inside.
        inside: Option<u64>,
    },
    /// An operation on a resource was begun, or its state changed, or it was polled.
    Op {
        /// Its span.
        span: u64,
        /// The resource.
        resource: Option<u64>,
        /// Whether that is ready now.
        ready: bool,
        /// The innermost marked await around it.
        mark: Option<u64>,
    },
    /// A future was entered: it is polled, or dropped.
    Enter(u64),
    /// It was left.
    Exit {
        /// The task's span.
        span: u64,
        /// Whether by a panic.
        panicking: bool,
    },
    /// A task, a resource or an operation is gone.
    Close(u64),
    /// A marked await was polled and is not ready.
    Waits {
        /// The marks around it and, last, itself.
        path: Vec<Mark>,
        /// What is called there, as the source text says it.
        call: String,
        /// The type of the awaited future.
        future: String,
    },
    /// A marked await that was not ready is over, or was dropped.
    Over(u64),
    /// The task with that span was woken.
    Wake(u64),
    /// Permits went to an operation that wants them.
    Obtained {
        /// The operation.
        op: u64,
        /// The resource.
        resource: Option<u64>,
        /// How many.
        count: u64,
    },
    /// A resource's state changed.
    Changed {
        /// The resource.
        resource: u64,
        /// What of it.
        what: Change,
    },
    /// Something was printed.
    Printed {
        /// The line of the listing.
        line: u32,
        /// The text, which need not be a whole line.
        text: String,
    },
}

/// A change of a resource that means that something changed hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// So many permits were given back.
    Returned(u64),
    /// A value was sent.
    Sent,
    /// A value was received.
    Received,
}

/// Why a listing has no timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// It starts no runtime.
    NoRuntime,
    /// Its runtime has several threads.
    MultiThread,
    /// Its clock runs.
    NotPaused,
    /// It uses a thread of its own.
    OtherThread,
    /// It waits for something outside of the process, of this type.
    Outside(String),
    /// It has more tasks than a picture can show.
    TooManyTasks,
    /// More happens in it than a picture can show.
    TooManyEvents,
    /// Two runs of it are not the same.
    Differs,
    /// It prints something else when it is recorded.
    PrintsOtherwise,
}
