//! The log's file. Only the thread that runs the listing's `main` writes to it.

use crate::clock;
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use timeline::limits::{MAX_ENTRIES, MAX_TASKS};
use timeline::log::{Entry, Event, Refused};

struct Log {
    /// Without a buffer, because the listing may exit at any moment.
    file: File,
    entries: usize,
    tasks: usize,
}

thread_local! {
    static LOG: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// The name of the file with the listing that is recorded; the executable has others as well.
static LISTING: OnceLock<&str> = OnceLock::new();

/// Whether a source file is the recorded listing's.
pub fn is_listing(file: &str) -> bool {
    LISTING
        .get()
        .is_some_and(|listing| Path::new(file).ends_with(listing))
}

/// Creates the log's file, which the environment variable names, for the listing in this source file.
pub fn open(variable: &str, listing: &'static str) {
    LISTING.get_or_init(|| listing);
    let path = std::env::var_os(variable).expect("the environment names the log's file");
    let log = Log {
        file: File::create(&path).expect("the log's file can be created"),
        entries: 0,
        tasks: 0,
    };
    LOG.set(Some(log));
}

/// Whether this is the thread that is recorded.
pub fn is_recorded_here() -> bool {
    LOG.try_with(|log| log.try_borrow().is_ok_and(|log| log.is_some()))
        .unwrap_or(false)
}

/// Logs an event, with the time. The first refusal exits the process, because the listing will have no timeline,
/// whatever else it does.
pub fn write(event: Event) {
    let at = clock::now();
    // If the thread's storage is destroyed already, the thread is about to exit.
    let _ = LOG.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        let Some(log) = slot.as_mut() else { return };
        log.entries += 1;
        log.tasks += usize::from(matches!(event, Event::Spawn { .. }));
        let event = if log.tasks > MAX_TASKS {
            Event::Refused(Refused::TooManyTasks)
        } else if log.entries > MAX_ENTRIES {
            Event::Refused(Refused::TooManyEvents)
        } else {
            event
        };
        let is_refused = matches!(event, Event::Refused(_));
        let entry = serde_json::to_string(&Entry(at, event)).expect("an entry is plain data");
        writeln!(log.file, "{entry}").expect("the log can be written");
        if is_refused {
            std::process::exit(0);
        }
    });
}
