//! An `async fn` in a public trait doesn't promise `Send`.

// ANCHOR: wrong
#![deny(async_fn_in_trait)]

/// A source of exchange rates.
pub trait Rates {
    async fn rate(&self, currency: &str) -> Option<f64>;
}
// ANCHOR_END: wrong

fn main() {}
