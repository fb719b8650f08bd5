//! Wrong: an async function doesn't return a box or its output.

// ANCHOR: wrong
use futures::future::BoxFuture;

async fn double(number: u32) -> u32 {
    number * 2
}

fn main() {
    let _handler: fn(u32) -> u32 = double;
    let _boxed: fn(u32) -> BoxFuture<'static, u32> = double;
}
// ANCHOR_END: wrong
