//! Wrong: the edition 2015 doesn't have the keywords `async` and `await`.
// Cargo.toml: edition = "2015"

use std::future::Future;

async fn delay_of(train: u32) -> u32 {
    train % 10
}

fn later(train: u32) -> impl Future<Output = u32> {
    async move { train % 10 }
}

fn main() {}
