//! Builds and runs the listings, and compares what they print with what the book says.
//!
//! `cargo test` checks with it, `cargo book bless` accepts with it, and `cargo book serve` shows a
//! listing's output the moment that it is saved: one way to run a listing, for all three.

pub mod api_links;
pub mod bless;
pub mod build;
pub mod compare;
pub mod compile_fail;
pub mod files;
pub mod own_manifest;
pub mod passed;
pub mod run;
pub mod timelines;
pub mod unstable;
pub mod workspace;

use model::Project;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The cargo that started this process, or the one on the path.
pub fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The folder where cargo puts what it builds for the book.
pub fn target(project: &Project) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => project.root().join(folder),
        None => project.root().join("target"),
    }
}
