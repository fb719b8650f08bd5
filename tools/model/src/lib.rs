//! What the book consists of: pages with their directives, programs, what was printed and measured, versions.
//!
//! Everything here is read from files. `render` makes pages of it.

pub mod address;
pub mod api;
pub mod cancel_safety;
pub mod census;
pub mod directive;
pub mod hand_written;
pub mod hidden;
pub mod html;
pub mod ids;
pub mod lock;
pub mod manifest;
pub mod measured;
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
/// The name that programs had.
pub use program::ProgramId as ListingName;
pub use project::Project;

/// Programs and their text, under the name that they had.
pub mod listing {
    pub use crate::program::ProgramId as ListingName;
    pub use crate::source::{AnchorError, CLIPPYS, Line, Source, WRONG};
}
