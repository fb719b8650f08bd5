//! Replace the future, rather than the variable that it would borrow.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

// ANCHOR: main
async fn remind(book: String) {
    sleep(Duration::from_secs(60)).await;
    println!("bring back {book}");
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (_desk, mut lent) = shelf_with("Persuasion");
    let mut reminding = pin!(remind("Emma".to_owned()));
    loop {
        tokio::select! {
            biased;
            () = &mut reminding => break,
            Some(book) = lent.recv() => reminding.set(remind(book)),
        }
    }
}
// ANCHOR_END: main

fn shelf_with(
    book: &str,
) -> (mpsc::Sender<String>, mpsc::Receiver<String>) {
    let (desk, lent) = mpsc::channel(1);
    desk.try_send(book.to_owned()).expect("there is room for one");
    (desk, lent)
}
