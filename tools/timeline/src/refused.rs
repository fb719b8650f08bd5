//! Why a listing has no timeline, in words.

use crate::limits::{EVENTS, TASKS};
use crate::log::Refused;
use std::fmt;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => write!(f, "it starts no Tokio runtime, so no task moves"),
            Self::MultiThread => write!(
                f,
                "its runtime has several threads, whose order is not the same in each run"
            ),
            Self::NotPaused => write!(
                f,
                "its clock is not paused (`start_paused = true`), so that each run takes another time"
            ),
            Self::OtherThread => write!(
                f,
                "it works on a thread of its own (`spawn_blocking`), whose time is not the runtime's"
            ),
            Self::Outside(what) => write!(
                f,
                "it waits for something outside of the program ({what}), which takes its own time"
            ),
            Self::TooManyTasks => write!(
                f,
                "it has more than {TASKS} tasks, and no picture shows so many lanes"
            ),
            Self::TooManyEvents => write!(
                f,
                "more than {EVENTS} runs, waits, wakes and printed lines happen in it, and no picture \
                 shows so many"
            ),
            Self::Differs => write!(f, "its tasks do not move the same way in each run"),
            Self::PrintsOtherwise => write!(
                f,
                "while it is recorded it prints something else than its .out file says"
            ),
        }
    }
}
