//! Wrong: a guard that is assigned to `_` is dropped immediately.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::yield_now;

// ANCHOR: wrong
use tokio::sync::Mutex;

/// Wrong: the compiler doesn't warn, and nothing stays locked.
async fn print(printer: &Mutex<()>, printing_now: &AtomicU32) -> u32 {
    let _ = printer.lock().await;
    print_all(printing_now).await
}
// ANCHOR_END: wrong

/// Returns how many print at this moment.
async fn print_all(printing_now: &AtomicU32) -> u32 {
    let printing = 1 + printing_now.fetch_add(1, Ordering::Relaxed);
    yield_now().await;
    printing_now.fetch_sub(1, Ordering::Relaxed);
    printing
}

/// Three tasks print. Returns how many printed at the same time.
async fn three() -> u32 {
    let (printer, printing_now) = (Mutex::new(()), AtomicU32::new(0));
    let print = || print(&printer, &printing_now);
    let printing = tokio::join!(biased; print(), print(), print());
    printing.0.max(printing.1).max(printing.2)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("at the printer at a time: {}", three().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_three_print() {
        assert_eq!(three().await, 3);
    }
}
