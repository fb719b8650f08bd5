//! Wrong: four mistakes that compile, and that Clippy finds.
#![deny(clippy::await_holding_lock, clippy::await_holding_refcell_ref)]
#![deny(clippy::let_underscore_future, clippy::large_futures)]

use std::{cell::RefCell, sync::Mutex};

// ANCHOR: wrong
async fn count(visits: &Mutex<u32>) {
    let mut visits = visits.lock().expect("it is not poisoned");
    *visits += 1;
    save(*visits).await;
}

async fn note(log: &RefCell<Vec<u32>>) {
    let mut log = log.borrow_mut();
    log.push(1);
    save(1).await;
}

async fn forget() {
    let _ = save(2);
}

async fn import() {
    let page = [0_u8; 20_000];
    save(3).await;
    println!("{} bytes", page.len());
}
// ANCHOR_END: wrong

async fn save(_number: u32) {
    tokio::task::yield_now().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    count(&Mutex::default()).await;
    note(&RefCell::default()).await;
    forget().await;
    import().await;
}
