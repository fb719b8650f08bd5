//! After a failure, a `LazyLock` stays poisoned, and a `OnceCell` tries again.

// ANCHOR: lazy
use std::{
    io,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::OnceCell;

static ONCE: LazyLock<String> =
    LazyLock::new(|| load().expect("the rates must load"));

static RATES: OnceCell<String> = OnceCell::const_new();

async fn rates() -> io::Result<&'static String> {
    RATES.get_or_try_init(async || load()).await
}

/// Fails twice: once for each static.
fn load() -> io::Result<String> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    match CALLS.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Err(io::ErrorKind::ConnectionRefused.into()),
        _ => Ok("1.08".to_owned()),
    }
}
// ANCHOR_END: lazy

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for _ in 0..2 {
        let task = tokio::spawn(async { ONCE.clone() });
        match task.await {
            Ok(rates) => println!("LazyLock: {rates}"),
            Err(error) => println!("LazyLock: {error}"),
        }
    }
    for _ in 0..2 {
        match rates().await {
            Ok(rates) => println!("OnceCell: {rates}"),
            Err(error) => println!("OnceCell: {error}"),
        }
    }
}
