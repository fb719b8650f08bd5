//! What a picture can show. A listing with more is refused rather than drawn badly.

/// Tasks, the runtime's own future among them.
pub const TASKS: usize = 200;

/// Runs, waits, wakes, printed lines and things that changed hands, together.
pub const EVENTS: usize = 5_000;

/// Entries of a recorder's log. Several entries make an event, so this is a bound on the recorder's
/// time and disk, not the limit that counts.
pub const ENTRIES: usize = 100_000;
