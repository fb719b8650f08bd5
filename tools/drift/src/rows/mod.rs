//! The ways to break each promise.

pub mod outside;
pub mod pages;
pub mod programs;
pub mod prose;
