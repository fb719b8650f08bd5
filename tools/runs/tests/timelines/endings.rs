//! Every way in which a task can end.

use std::time::Duration;
use tokio::time::sleep;

async fn rest(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}

async fn returns() {
    rest(10).await;
}

async fn panics() {
    rest(20).await;
    panic!("on purpose");
}

async fn is_aborted() {
    rest(1000).await;
}

async fn is_left() {
    rest(2000).await;
}

async fn never_runs() {}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    tokio::spawn(returns());
    tokio::spawn(panics());
    let aborted = tokio::spawn(is_aborted());
    tokio::spawn(is_left());
    rest(50).await;
    tokio::spawn(never_runs()).abort();
    aborted.abort();
    rest(50).await;
    println!("ended");
}
