//! The file beside a listing that says how its tasks moved.
//!
//! `join_set.timeline.json` is one JSON object. Each task, span, wake, and so on has a line of its own, so that a change
//! can be read in `git diff`. The fields are those of [`Timeline`], in their order:
//!
//! - **Times** (`from`, `to`, `at`, `begins`, `ends`): virtual milliseconds since the first runtime started, with a
//!   fraction down to the microsecond if there is one. Virtual time passes only while every task waits, so a
//!   poll usually takes none: `from` equals `to`.
//! - **Steps** (`step`): each poll of a task is a step. Steps are counted from 0 over all tasks, and order what
//!   happens at the same time. Anything that isn't a poll has the number of the last step that started before it, or 0.
//! - **Lines** (`line`): lines of the listing's file, from 1. Missing if the place is in a library.
//! - **Tasks** are named by their index in `tasks`, in the order of spawning. Number 0 is the future that the
//!   runtime runs, `main`. **Resources** are named by their index in `resources`, in the order of first use.
//!
//! A field that says nothing (no line, an empty list, a count of 1) is left out. There are no addresses, thread
//! numbers, wall-clock times, or paths, so the same program has the same file on every machine.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The version of the format that this crate reads and writes.
pub const VERSION: u32 = 1;

/// A run of a listing, in virtual time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// [`VERSION`].
    pub version: u32,
    /// When the last runtime ended.
    pub ends: Millis,
    /// The tasks, in the order of spawning.
    pub tasks: Vec<Task>,
    /// What tasks share and wait for: semaphores, locks, channels.
    pub resources: Vec<Resource>,
    /// Which task was woken by what, in order.
    pub wakes: Vec<Wake>,
    /// Permits and values that changed hands, in order. Tokio reports them for semaphores, for what is built on
    /// semaphores (locks, and bounded channels, where a permit is a place in the queue), and for oneshot channels.
    #[serde(rename = "passed")]
    pub transfers: Vec<Transfer>,
    /// The printed lines, in order.
    pub printed: Vec<Printed>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The function that was spawned. A block is named after the first of the listing's functions that it
    /// awaits, or else after whatever it awaits first, or else `block`.
    pub name: String,
    /// Where it was spawned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The task that spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<usize>,
    /// The step at which it was spawned.
    pub step: usize,
    /// When it was spawned. It is polled for the first time in its first span.
    pub begins: Millis,
    /// When the task ended, or the run if that was earlier.
    pub ends: Millis,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did from its first poll on, without a gap: a run, a wait, a run, and so on.
    pub spans: Vec<Span>,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned.
    Finished,
    /// It was aborted: dropped in its last wait, or before its first poll.
    Cancelled,
    /// It panicked in its last poll.
    Panicked,
    /// It was still unfinished when the runtime ended.
    #[serde(rename = "left")]
    Unfinished,
}

/// A stretch of a task's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Span {
    /// The task was polled.
    Run {
        /// The number of the poll, counted over all tasks.
        step: usize,
        /// When the poll started.
        from: Millis,
        /// When it returned.
        to: Millis,
    },
    /// The task waited for its next poll. If `from` equals `to`, it only let other tasks run.
    Wait {
        /// When the wait started.
        from: Millis,
        /// When it ended, with the next poll or with the task.
        to: Millis,
        /// What the task waited for, in the order of the lines: for any of these, or (`join!`) for all of them.
        /// Empty if neither Tokio nor the listing's text says.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<Awaited>,
    },
}

/// Something that a task waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Awaited {
    /// What kind of thing it is.
    #[serde(rename = "what")]
    pub kind: ResourceKind,
    /// The awaited call as the listing names it: `join_next`, `recv`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call: String,
    /// The line of that await.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The lines of the awaits around it, from the task's outermost one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<u32>,
    /// The resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<usize>,
    /// How many of the same; left out if it is 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: usize,
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

/// What can be waited for. Some of it (locks, channels) is shared by tasks, and then a [`Resource`] of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A point in time: a sleep, or a timeout's deadline.
    Sleep,
    /// An interval's next tick.
    Interval,
    /// A semaphore's permit.
    Semaphore,
    /// A mutex.
    Mutex,
    /// A reader-writer lock.
    RwLock,
    /// A barrier.
    Barrier,
    /// A oneshot channel's value, or its close.
    Oneshot,
    /// A message in a channel with many (mpsc, broadcast), or capacity for one.
    Channel,
    /// A watch channel's next value.
    Watch,
    /// A notification.
    Notify,
    /// A cancellation token.
    Cancellation,
    /// The end of another task.
    Join,
    /// The end of any task of a set.
    JoinNext,
    /// The next poll of a task that yields.
    Yield,
    /// Some other future.
    Future,
}

/// Something that tasks share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// What kind of thing it is.
    #[serde(rename = "what")]
    pub kind: ResourceKind,
    /// Where it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A wakeup with an effect: waking a task again that was woken and not polled since is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wake {
    /// The last step that started before it.
    pub step: usize,
    /// When.
    pub at: Millis,
    /// The task that was woken.
    pub task: usize,
    /// What woke it.
    pub by: WokenBy,
}

/// What woke a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WokenBy {
    /// A task, by something it did or by its end. A task that yields wakes itself.
    Task(usize),
    /// The clock.
    Clock,
    /// The recorder doesn't know: Tokio doesn't report what wakes the future that the runtime runs, nor what a
    /// driver woke a task for.
    Unknown,
}

/// Permits or a value that changed hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The last step that started before it.
    pub step: usize,
    /// When.
    pub at: Millis,
    /// The task that acquires, releases, sends, or receives; missing if no task does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<usize>,
    /// What the task does.
    #[serde(rename = "does")]
    pub kind: TransferKind,
    /// How many permits, or values.
    pub count: u64,
    /// The resource.
    pub resource: usize,
    /// The task that hands the permits over to `task`, which was waiting for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
}

/// In which way something changed hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferKind {
    /// Acquires permits, or a lock.
    #[serde(rename = "takes")]
    Acquire,
    /// Releases them when no other task waits for them.
    #[serde(rename = "returns")]
    Release,
    /// Sends a value.
    #[serde(rename = "sends")]
    Send,
    /// Receives a value.
    #[serde(rename = "receives")]
    Receive,
}

/// A printed line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Printed {
    /// The last step that started before it.
    pub step: usize,
    /// When.
    pub at: Millis,
    /// The task that was running; missing if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<usize>,
    /// The line of the listing that printed it.
    pub line: u32,
    /// The text, without its line end.
    pub text: String,
}

/// Virtual milliseconds, exact to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis {
    micros: u64,
}

impl Millis {
    /// A time, or a duration, in microseconds.
    pub fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// The same in microseconds.
    pub fn micros(self) -> u64 {
        self.micros
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.micros as f64 / 1000.0)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.micros.is_multiple_of(1000) {
            serializer.serialize_u64(self.micros / 1000)
        } else {
            serializer.serialize_f64(self.micros as f64 / 1000.0)
        }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = f64::deserialize(deserializer)?;
        // A negative number becomes 0, so the file differs from any recording of a run.
        Ok(Self::from_micros((millis * 1000.0).round() as u64))
    }
}

impl Timeline {
    /// Reads a file.
    ///
    /// Fails if the text isn't a timeline, or is one of another version.
    pub fn parse(text: &str) -> Result<Self, String> {
        let timeline: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if timeline.version != VERSION {
            return Err(format!(
                "its format is version {}, but this is a reader of version {VERSION}",
                timeline.version
            ));
        }
        Ok(timeline)
    }

    /// The text of the file, with a line end.
    ///
    /// # Errors
    ///
    /// None that a timeline could cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut tasks = Vec::new();
        for task in &self.tasks {
            // All fields but the last, which is the long one, are on one line.
            let head = task_head(task)?;
            let head = head.strip_suffix("[]}").unwrap_or(&head);
            tasks.push(format!("{head}{}}}", list(&lines(&task.spans)?, 6)));
        }
        let fields = [
            ("version", self.version.to_string()),
            ("ends", serde_json::to_string(&self.ends)?),
            ("tasks", list(&tasks, 4)),
            ("resources", list(&lines(&self.resources)?, 4)),
            ("wakes", list(&lines(&self.wakes)?, 4)),
            ("passed", list(&lines(&self.transfers)?, 4)),
            ("printed", list(&lines(&self.printed)?, 4)),
        ];
        let fields = fields.map(|(name, value)| format!("  \"{name}\": {value}"));
        Ok(format!("{{\n{}\n}}\n", fields.join(",\n")))
    }
}

/// A task in JSON, without its spans.
pub(crate) fn task_head(task: &Task) -> Result<String, serde_json::Error> {
    let spans = Vec::new();
    serde_json::to_string(&Task {
        spans,
        ..task.clone()
    })
}

fn lines<T: Serialize>(items: &[T]) -> Result<Vec<String>, serde_json::Error> {
    items.iter().map(serde_json::to_string).collect()
}

/// A list with an item on each line, indented.
fn list(items: &[String], indent: usize) -> String {
    if items.is_empty() {
        return "[]".to_owned();
    }
    let (margin, end) = (" ".repeat(indent), " ".repeat(indent - 2));
    let separator = format!(",\n{margin}");
    format!("[\n{margin}{}\n{end}]", items.join(&separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = include_str!("format/example.json");

    #[test]
    fn a_timeline_has_an_item_on_each_line() {
        let timeline = Timeline::parse(JSON).unwrap();
        assert_eq!(timeline.to_json().unwrap(), JSON);
        assert_eq!(timeline.ends.micros(), 1_500);
        assert_eq!(timeline.tasks[0].outcome, Outcome::Unfinished);
    }

    #[test]
    fn another_version_or_field_is_an_error() {
        let other = JSON.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(
            Timeline::parse(&other).unwrap_err(),
            "its format is version 2, but this is a reader of version 1"
        );
        let unknown = JSON.replace("\"ends\": 1.5,", "\"ends\": 1.5, \"more\": 1,");
        assert!(Timeline::parse(&unknown).is_err());
    }
}
