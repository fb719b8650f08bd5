//! The virtual clock, read from outside of the listing.

use std::cell::Cell;
use std::time::Instant as WallClock;
use tokio::runtime::Handle;
use tokio::time::Instant;

thread_local! {
    /// When the runtime that runs now began, on its own clock.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What was told last.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// A runtime begins. One that follows another goes on where that one stopped.
pub fn begin() {
    let since = std::time::Duration::from_micros(LAST.get());
    BEGAN.set(Instant::now().checked_sub(since));
}

/// Virtual microseconds since the first runtime began. Outside of a runtime time stands still.
pub fn now() -> u64 {
    if let Some(began) = BEGAN.get()
        && Handle::try_current().is_ok()
    {
        let passed = Instant::now().saturating_duration_since(began);
        LAST.set(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX));
    }
    LAST.get()
}

/// Whether the clock of this thread's runtime stands still while the world's goes on.
pub fn is_paused() -> bool {
    let (virtually, really) = (Instant::now(), WallClock::now());
    // Longer than the system's clock takes for a tick.
    while really.elapsed().as_micros() < 2 {
        std::hint::spin_loop();
    }
    Instant::now() == virtually
}
