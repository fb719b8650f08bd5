//! The whole book as EPUB, PDF, Markdown, and a skill for coding agents.
//!
//! EPUB and PDF are made from the [tree](tree) of each rendered page, so they show the same code, outputs, messages,
//! and timelines as the site. The [Markdown](markdown) is the page with its directives expanded, without hidden lines
//! and without the HTML around figures.

pub mod book;
pub mod check;
pub mod chromium;
pub mod epub;
pub mod links;
pub mod llms;
pub mod markdown;
pub mod pdf;
pub mod print;
pub mod site;
pub mod skill;
pub mod tree;

pub use book::Book;
