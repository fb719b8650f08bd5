//! Builds and runs the listings, and compares what they print with what the book says.
//!
//! `cargo test` checks with it, `cargo book bless` accepts with it, and `cargo book serve` shows a
//! listing's output the moment that it is saved: one way to run a listing, for all three.

pub mod bless;
pub mod build;
pub mod compare;
pub mod compile_fail;
pub mod run;

use std::ffi::OsString;

/// The cargo that started this process, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
