//! The whole book in other forms: EPUB, PDF, and Markdown for machines.
//!
//! All are made of what the site is made of. EPUB and PDF take the text of each [rendered page](tree), so
//! that they show the same code, outputs, messages and pictures; the [Markdown](markdown) is the page with
//! its directives expanded, the hidden lines and the HTML around figures left out.

pub mod book;
pub mod check;
pub mod chrome;
pub mod date;
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
