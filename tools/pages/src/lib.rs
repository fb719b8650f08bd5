//! From a listing to the page that shows it.
//!
//! Code flows one way: a listing is a program under `listings/`; a page under `src/` names it in a
//! [directive](directive); [`expand`] puts the program, its output or its manifest in the
//! directive's place; [`site`] renders the result with mdBook's own driver; and [`blocks`] reads the
//! programs back out of the rendered pages, so that what is verified is what a reader sees.

pub mod blocks;
pub mod checks;
pub mod directive;
pub mod expand;
pub mod links;
pub mod listing;
pub mod lock;
pub mod manifest;
pub mod preprocessor;
pub mod problem;
pub mod project;
pub mod prose;
pub mod published;
pub mod site;
pub mod uses;

pub use listing::ListingName;
pub use problem::{Problem, Problems};
pub use project::Project;
