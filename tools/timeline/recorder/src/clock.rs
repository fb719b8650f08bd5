//! The virtual clock, read from outside of the listing.

use std::cell::Cell;
use std::time::{Duration, Instant as WallClock};
use tokio::runtime::Handle;
use tokio::time::Instant;

thread_local! {
    /// When the current runtime started, on its own clock.
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The last time that was read.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// A runtime starts. Its time continues that of the runtime before it.
pub fn start() {
    let since = Duration::from_micros(LAST.get());
    STARTED.set(Instant::now().checked_sub(since));
}

/// Virtual microseconds since the first runtime started. Outside of a runtime, no time passes.
pub fn now() -> u64 {
    if let Some(started) = STARTED.get()
        && Handle::try_current().is_ok()
    {
        let passed = Instant::now().saturating_duration_since(started);
        LAST.set(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX));
    }
    LAST.get()
}

/// Whether the clock of this thread's runtime stands still while wall-clock time passes.
pub fn is_paused() -> bool {
    let (virtual_time, wall_clock) = (Instant::now(), WallClock::now());
    // Longer than a tick of the system's clock.
    while wall_clock.elapsed().as_micros() < 2 {
        std::hint::spin_loop();
    }
    Instant::now() == virtual_time
}
