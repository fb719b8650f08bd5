//! What the book consists of: pages with their directives, programs, what was printed and measured, versions.
//!
//! Everything here is read from files. `render` makes pages of it.

pub mod address;
pub mod api;
pub mod cancel_safety;
pub mod census;
pub mod crate_file;
pub mod directive;
pub mod hand_written;
pub mod hazards;
pub mod hidden;
pub mod html;
pub mod ids;
pub mod lock;
pub mod manifest;
pub mod measured;
pub mod output;
pub mod problem;
pub mod program;
pub mod project;
pub mod provenance;
pub mod references;
pub mod since;
pub mod source;
pub mod sources;
pub mod suggest;
pub mod uses;

pub use problem::{Problem, Problems};
pub use program::ProgramId;
pub use project::Project;
