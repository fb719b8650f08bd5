//! Wrong: a guard of the watch channel is held across an `.await`.

use tokio::sync::watch;

async fn send_mail(_limit: u32) {}

async fn follow(limit: watch::Receiver<u32>) {
    let newest = limit.borrow();
    send_mail(*newest).await;
    println!("the limit was {newest:?}");
}

#[tokio::main]
async fn main() {
    let (_sender, limit) = watch::channel(8);
    // A task may move to another thread, and this guard may not.
    if let Err(error) = tokio::spawn(follow(limit)).await {
        println!("{error}");
    }
}
