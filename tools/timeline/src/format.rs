//! The file beside a listing.
//!
//! `join_set.timeline.json` is one JSON object. Each task, span, wake and so on stands on a line of its
//! own, so that a change can be read in `git diff`. It holds:
//!
//! - **Times** (`from`, `to`, `at`, `begins`, `ends`): virtual milliseconds since the first runtime began,
//!   with a fraction, down to the microsecond, only where there is one. Virtual time passes only while
//!   everything waits, so that a run usually takes none: `from` and `to` are the same.
//! - **Steps** (`step`): each poll of a task is a step. They are counted from 0 over all tasks, and give the
//!   order of what happens at the same time. Whatever is no poll has the number of the last step begun
//!   before it; what is before the first step has 0.
//! - **Lines** (`line`): lines of the listing's file, from 1. It is missing where the place lies in a library.
//! - **Tasks** are named by their index in `tasks`, which is in the order of spawning. Number 0 is the future
//!   given to the runtime, `main`. **Resources** are named by their index in `resources`, which is in the
//!   order of their first use.
//!
//! A field of an item that says nothing (no line, an empty list, a count of 1) is left out. The fields are those of [`Timeline`], in
//! their order. There are no addresses, no thread numbers, no wall-clock times and no paths, so that the
//! same program has the same file everywhere.

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
    /// The lanes, in the order of spawning.
    pub tasks: Vec<Task>,
    /// What tasks share and wait for: semaphores, locks, channels.
    pub resources: Vec<Resource>,
    /// Who made whom go on, in order.
    pub wakes: Vec<Wake>,
    /// What changed hands, in order. Tokio tells it of semaphores, of what is built on them (locks, bounded
    /// channels, where a permit is a place in the queue), and of oneshot channels.
    pub passed: Vec<Passed>,
    /// The printed lines, in order.
    pub printed: Vec<Printed>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The function that was spawned. A block is called after the first of the listing's functions that it
    /// awaits, or after whatever it awaits first, or else `block`.
    pub name: String,
    /// Where it was spawned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The task that spawned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<usize>,
    /// The step at which it was spawned.
    pub step: usize,
    /// When it was spawned. It runs for the first time in its first span.
    pub begins: Millis,
    /// When it was over, or the run was.
    pub ends: Millis,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did from its first run on, without a gap: a run, a wait, a run, ...
    pub spans: Vec<Span>,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It returned.
    Finished,
    /// It was aborted: dropped in its last wait, or before its first run.
    Cancelled,
    /// It panicked in its last run.
    Panicked,
    /// It was not over when the runtime was.
    Left,
}

/// A stretch of a task's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Span {
    /// It was polled.
    Run {
        /// Which poll of all it was.
        step: usize,
        /// When that began.
        from: Millis,
        /// When it ended.
        to: Millis,
    },
    /// It waited to be polled again. Where `from` is `to`, it waited for others to have their turn.
    Wait {
        /// When that began.
        from: Millis,
        /// When it ended, with the next run or with the task.
        to: Millis,
        /// What for: for one of these, or, in a `join!`, for each. In the order of their lines. Empty where neither Tokio nor the
        /// listing's text tells.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        on: Vec<On>,
    },
}

/// Something that a task waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct On {
    /// What it is.
    pub what: What,
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
    /// How many of the same; left out where it is 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: usize,
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

/// A kind of wait, or of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A point in time: a sleep, the limit of a timeout.
    Sleep,
    /// An interval's next tick.
    Interval,
    /// A semaphore's permit.
    Semaphore,
    /// A mutex.
    Mutex,
    /// A read-write lock.
    RwLock,
    /// A barrier.
    Barrier,
    /// A oneshot channel's value, or its end.
    Oneshot,
    /// A message in a channel with many (mpsc, broadcast), or room for one.
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
    /// A turn for others.
    Yield,
    /// Some other future.
    Future,
}

/// Something that tasks share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// What it is.
    pub what: What,
    /// Where it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A task was made to go on. Only what has an effect is told: not that a task that has been woken, and not
/// polled since, is woken once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wake {
    /// The last step begun before it.
    pub step: usize,
    /// When.
    pub at: Millis,
    /// Who was woken.
    pub task: usize,
    /// Who did it.
    pub by: By,
}

/// Who wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A task, by something it did or by its end. A task that yields wakes itself.
    Task(usize),
    /// The clock.
    Clock,
    /// Several tasks ran before `main` went on, any of which may have done it: Tokio does not tell who
    /// wakes the future given to the runtime.
    Unknown,
}

/// Something changed hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// The last step begun before it.
    pub step: usize,
    /// When.
    pub at: Millis,
    /// The task that takes, returns, sends or receives; missing where that is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<usize>,
    /// What it does.
    pub does: Does,
    /// How many permits, or values.
    pub count: u64,
    /// The resource.
    pub resource: usize,
    /// The task that hands it over while the other one waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
}

/// What a task does with what changes hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Takes permits, or a lock.
    Takes,
    /// Gives them back, where nobody waits for them.
    Returns,
    /// Sends a value.
    Sends,
    /// Receives it.
    Receives,
}

/// A printed line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Printed {
    /// The last step begun before it.
    pub step: usize,
    /// When.
    pub at: Millis,
    /// Which task was running; missing where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<usize>,
    /// Where in the listing.
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
    /// A time, or a duration, of so many microseconds.
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
        // A negative number becomes 0, which no run has where a file does not say so.
        Ok(Self::from_micros((millis * 1000.0).round() as u64))
    }
}

impl Timeline {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is no timeline, or one of another version.
    pub fn parse(text: &str) -> Result<Self, String> {
        let timeline: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if timeline.version != VERSION {
            return Err(format!(
                "its format is version {}, and this is {VERSION}",
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
            // All fields but the last, which is the long one, on one line.
            let mut head = task.clone();
            let spans = std::mem::take(&mut head.spans);
            let head = serde_json::to_string(&head)?;
            let head = head.strip_suffix("[]}").unwrap_or(&head);
            tasks.push(format!("{head}{}}}", list(&lines(&spans)?, 6)));
        }
        let fields = [
            ("version", self.version.to_string()),
            ("ends", serde_json::to_string(&self.ends)?),
            ("tasks", list(&tasks, 4)),
            ("resources", list(&lines(&self.resources)?, 4)),
            ("wakes", list(&lines(&self.wakes)?, 4)),
            ("passed", list(&lines(&self.passed)?, 4)),
            ("printed", list(&lines(&self.printed)?, 4)),
        ];
        let fields = fields.map(|(name, value)| format!("  \"{name}\": {value}"));
        Ok(format!("{{\n{}\n}}\n", fields.join(",\n")))
    }
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

    fn timeline() -> Timeline {
        let millis = |millis: u64| Millis::from_micros(millis * 1000);
        Timeline {
            version: VERSION,
            ends: Millis::from_micros(1500),
            tasks: vec![Task {
                name: "main".to_owned(),
                line: Some(3),
                by: None,
                step: 0,
                begins: millis(0),
                ends: Millis::from_micros(1500),
                outcome: Outcome::Finished,
                spans: vec![
                    Span::Run {
                        step: 0,
                        from: millis(0),
                        to: millis(0),
                    },
                    Span::Wait {
                        from: millis(0),
                        to: Millis::from_micros(1500),
                        on: vec![On {
                            what: What::Sleep,
                            call: "sleep".to_owned(),
                            line: Some(4),
                            through: vec![],
                            resource: None,
                            count: 1,
                        }],
                    },
                ],
            }],
            resources: vec![],
            wakes: vec![Wake {
                step: 0,
                at: millis(1),
                task: 0,
                by: By::Task(0),
            }],
            passed: vec![],
            printed: vec![],
        }
    }

    const JSON: &str = r#"{
  "version": 1,
  "ends": 1.5,
  "tasks": [
    {"name":"main","line":3,"step":0,"begins":0,"ends":1.5,"outcome":"finished","spans":[
      {"is":"run","step":0,"from":0,"to":0},
      {"is":"wait","from":0,"to":1.5,"on":[{"what":"sleep","call":"sleep","line":4}]}
    ]}
  ],
  "resources": [],
  "wakes": [
    {"step":0,"at":1,"task":0,"by":{"task":0}}
  ],
  "passed": [],
  "printed": []
}
"#;

    #[test]
    fn a_timeline_has_an_item_on_each_line() {
        assert_eq!(timeline().to_json().unwrap(), JSON);
        assert_eq!(Timeline::parse(JSON), Ok(timeline()));
    }

    #[test]
    fn another_version_is_refused() {
        let other = JSON.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(
            Timeline::parse(&other).unwrap_err(),
            "its format is version 2, and this is 1"
        );
        let unknown = JSON.replace("\"ends\": 1.5,", "\"ends\": 1.5, \"more\": 1,");
        assert!(Timeline::parse(&unknown).is_err());
    }
}
