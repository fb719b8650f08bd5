//! From a program to the page that shows it.
//!
//! A program lies below `listings/`; a page below `src/` names it in a [directive](model::directive); [`expand`] puts
//! the program, its output or its manifest in the directive's place; and [`site`] renders the result with mdBook's
//! own driver.

mod cancel_safety;
mod caption;
pub mod expand;
pub mod find;
mod manifest_figure;
pub mod measured;
mod page_cache;
pub mod preprocessor;
mod program_figure;
mod provenance;
pub mod site;
mod source_figure;
mod table_anchors;
mod timeline_figure;
