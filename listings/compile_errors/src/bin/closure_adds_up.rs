//! Change the variable before the `async` block, or in a loop.
use futures::stream::{self, StreamExt};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // ANCHOR: two
    let mut total = 0;
    let delays = stream::iter([7, 2]);
    let add_up = delays.for_each(|delay| {
        total += delay;
        async move { println!("{delay} minutes late") }
    });
    add_up.await;
    println!("in total: {total} minutes");

    let mut delays = stream::iter([7, 2]);
    while let Some(delay) = delays.next().await {
        total -= delay;
    }
    println!("left: {total} minutes");
    // ANCHOR_END: two
}
