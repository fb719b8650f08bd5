//! Retry functions with and without parameters: backon.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

// ANCHOR: functions
use backon::{ExponentialBuilder, Retryable};

async fn prices() -> io::Result<u32> {
    let pauses = ExponentialBuilder::default();
    // A function without parameters: its name, without `()`.
    let rate = exchange_rate.retry(pauses).await?;
    // With parameters: a closure that calls the function.
    let tea = (|| price("tea", rate)).retry(pauses).await?;
    // The function needs its own `String`: a clone for each try.
    let item = String::from("coffee");
    let coffee =
        (|| owned_price(item.clone(), rate)).retry(pauses).await?;
    Ok(tea + coffee)
}
// ANCHOR_END: functions

/// The number of calls so far. Every other call fails.
static CALLS: AtomicU32 = AtomicU32::new(0);

fn call(what: &str) -> io::Result<()> {
    let fails = CALLS.fetch_add(1, Relaxed).is_multiple_of(2);
    println!("{what}: {}", if fails { "failed" } else { "ok" });
    if fails { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
}

async fn exchange_rate() -> io::Result<u32> {
    call("exchange rate").map(|()| 2)
}

async fn price(item: &str, rate: u32) -> io::Result<u32> {
    call(item).map(|()| 3 * rate)
}

async fn owned_price(item: String, rate: u32) -> io::Result<u32> {
    call(&item).map(|()| 4 * rate)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    println!("both together: {}", prices().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_function_is_called_twice() {
        assert_eq!(prices().await.ok(), Some(14));
        assert_eq!(CALLS.load(Relaxed), 6);
    }
}
