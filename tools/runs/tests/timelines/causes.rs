//! Causes that are known: `advance` yields by itself, a writer takes its lock when the last reader has left, and a
//! mutex is handed over.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, RwLock};
use tokio::time::{advance, sleep};

const WAIT: Duration = Duration::from_millis(100);

async fn remind() {
    sleep(WAIT * 10).await;
}

async fn write(lock: Arc<RwLock<()>>) {
    let _written = lock.write().await;
}

async fn hold(mutex: Arc<Mutex<()>>) {
    let _held = mutex.lock().await;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    drop(tokio::spawn(remind()));
    advance(WAIT).await;

    let lock = Arc::new(RwLock::new(()));
    let reader = lock.read().await;
    let writer = tokio::spawn(write(Arc::clone(&lock)));
    sleep(WAIT).await;
    drop(reader);
    writer.await.expect("it does not panic");

    let mutex = Arc::new(Mutex::new(()));
    let held = mutex.lock().await;
    let holder = tokio::spawn(hold(Arc::clone(&mutex)));
    sleep(WAIT).await;
    drop(held);
    holder.await.expect("it does not panic");
    println!("known");
}
