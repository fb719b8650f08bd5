//! How a listing's tasks moved: the format of the file beside it ([`format`](mod@format)), what to make of a
//! recorder's log ([`model`]), and how two runs differ, in words ([`differences`]).
//!
//! Small and without heavy dependencies, for all of `cargo book` is built with it.

pub mod differences;
pub mod format;
pub mod limits;
pub mod log;
pub mod model;
mod refused;

pub use format::Timeline;
pub use log::Refused;
