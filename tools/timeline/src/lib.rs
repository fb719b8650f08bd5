//! How a listing's tasks moved: the format of the file beside it ([`format`](mod@format)), what to make of a
//! recorder's log ([`model`]), how two runs differ, in words ([`differences`]), and the [`picture`] of a run.
//!
//! Small and without heavy dependencies, for all of `cargo book` is built with it.

pub mod differences;
pub mod format;
pub mod limits;
pub mod log;
pub mod model;
pub mod picture;
mod refused;

pub use format::Timeline;
pub use log::Refused;
