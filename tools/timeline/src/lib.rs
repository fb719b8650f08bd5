//! How a listing's tasks moved: the format of the file beside it ([`format`](mod@format)), how a recorder's log becomes
//! a timeline ([`model`]), what differs between two runs ([`differences`]), and the [`picture`] of a run.
//!
//! Small and without heavy dependencies, because all of `cargo book` depends on it.

pub mod differences;
pub mod format;
pub mod limits;
pub mod log;
pub mod model;
pub mod picture;

pub use format::Timeline;
pub use log::Refused;
