//! What a picture can show. A listing with more is refused rather than drawn badly.

/// Tasks, including the future that the runtime runs.
pub const MAX_TASKS: usize = 200;

/// Polls, waits, wakeups, transfers, and printed lines, together.
pub const MAX_EVENTS: usize = 5_000;

/// Entries of a recorder's log. An event takes several entries, so this bounds the recorder's time and disk
/// space, and doesn't replace [`MAX_EVENTS`].
pub const MAX_ENTRIES: usize = 100_000;
