//! Wrong: the loop assigns to a variable that the future borrows.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

// ANCHOR: wrong
async fn remind(book: &str) {
    sleep(Duration::from_secs(60)).await;
    println!("bring back {book}");
}

#[tokio::main]
async fn main() {
    let (_desk, mut lent) = mpsc::channel(1);
    let mut book = "Emma".to_owned();
    let mut reminding = pin!(remind(&book));
    loop {
        tokio::select! {
            () = &mut reminding => break,
            Some(next) = lent.recv() => book = next,
        }
    }
}
// ANCHOR_END: wrong
