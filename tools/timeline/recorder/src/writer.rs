//! The log's file. One thread writes to it: the one on which the listing's `main` runs.

use crate::clock;
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use timeline::limits::{ENTRIES, TASKS};
use timeline::log::{Entry, Event, Refused};

struct Log {
    /// Without a buffer, for the listing may end the process at any moment.
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

/// Makes the log's file, which the environment names, for the listing in this source file.
pub fn open(variable: &str, listing: &'static str) {
    LISTING.get_or_init(|| listing);
    let path = std::env::var_os(variable).expect("the environment names the log's file");
    let log = Log {
        file: File::create(&path).expect("the log's file can be made"),
        entries: 0,
        tasks: 0,
    };
    LOG.with(|slot| slot.replace(Some(log)));
}

/// Whether this is the thread that is recorded.
pub fn is_recorded_here() -> bool {
    LOG.try_with(|log| log.try_borrow().is_ok_and(|log| log.is_some()))
        .unwrap_or(false)
}

/// Writes an entry, with the time. The first refusal ends the process: it will have no timeline,
/// whatever else it does.
pub fn write(event: Event) {
    let at = clock::now();
    // Where the thread's storage is gone already, the thread is about to end.
    let _ = LOG.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        let Some(log) = slot.as_mut() else { return };
        log.entries += 1;
        log.tasks += usize::from(matches!(event, Event::Task { .. }));
        let event = if log.tasks > TASKS {
            Event::Refused(Refused::TooManyTasks)
        } else if log.entries > ENTRIES {
            Event::Refused(Refused::TooManyEvents)
        } else {
            event
        };
        let ends = matches!(event, Event::Refused(_));
        let entry = serde_json::to_string(&Entry(at, event)).expect("an entry is plain data");
        writeln!(log.file, "{entry}").expect("the log can be written");
        if ends {
            std::process::exit(0);
        }
    });
}
