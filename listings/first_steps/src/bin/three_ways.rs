//! An async function, an async block, and an async closure side by side.

use std::time::Duration;
use tokio::time::sleep;

// ANCHOR: main
async fn look_up(book: &str) -> usize {
    println!("looking up {book}");
    sleep(Duration::from_millis(10)).await;
    book.len()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let stock = 5;
    // A call of the function creates a future.
    let from_function = look_up("Dune");
    // The block is a future. It uses `stock` from outside.
    let from_block = async { look_up("Emma").await + stock };
    // A call of the closure creates a future. It has an argument, and
    // uses `stock` from outside.
    let ask = async |book: &str| look_up(book).await + stock;
    let from_closure = ask("Ulysses");
    println!("nothing has run so far");

    println!("block    {}", from_block.await);
    println!("function {}", from_function.await);
    println!("closure  {}", from_closure.await);
    println!("closure  {}", ask("Ivanhoe").await);
}
// ANCHOR_END: main
