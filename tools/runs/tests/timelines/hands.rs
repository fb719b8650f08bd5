//! Hand over a permit, and a value.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

async fn first(permits: Arc<Semaphore>) {
    let _permit = permits.acquire().await;
    sleep(Duration::from_millis(100)).await;
}

async fn second(permits: Arc<Semaphore>, answer: oneshot::Sender<()>) {
    let _permit = permits.acquire().await;
    sleep(Duration::from_millis(100)).await;
    let _ = answer.send(());
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let permits = Arc::new(Semaphore::new(1));
    let (answer, answered) = oneshot::channel();
    tokio::spawn(first(Arc::clone(&permits)));
    tokio::spawn(second(permits, answer));
    let _ = answered.await;
    println!("handed");
}
