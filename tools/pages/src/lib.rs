//! From a listing to the page that shows it.
//!
//! Code flows one way: a listing is a program under `listings/`; a page under `src/` names it in a
//! [directive](directive); [`expand`] puts the program, its output or its manifest in the
//! directive's place; and [`site`] renders the result with mdBook's own driver.

pub mod address;
pub mod api;
pub mod cancel_safety;
pub mod census;
pub mod directive;
pub mod expand;
pub mod find;
pub mod listing;
pub mod lock;
pub mod manifest;
pub mod measured;
pub mod moves;
pub mod preprocessor;
pub mod problem;
pub mod project;
pub mod provenance;
pub mod references;
pub mod rows;
pub mod since;
pub mod site;
pub mod sources;
pub mod uses;

pub use listing::ListingName;
pub use problem::{Problem, Problems};
pub use project::Project;
