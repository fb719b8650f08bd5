//! What must hold between the pages, the listings and the built site.
//!
//! `tests/` asks each of these of the book; `build.rs` reads with [`blocks`] what a reader sees. Nothing
//! of it is needed to build or serve the book, so that `cargo book` does not wait for it.

pub mod blocks;
pub mod checks;
pub mod guards;
pub mod length;
pub mod links;
pub mod messages;
pub mod names;
pub mod outside;
pub mod prose;
pub mod published;
pub mod shown;
pub mod since;
pub mod strays;
pub mod tables;
pub mod weekly;
