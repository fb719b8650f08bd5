//! A `Release` flag publishes what was written before it.

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use loom::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};

#[derive(Default)]
struct Price {
    cents: AtomicU32,
    is_known: AtomicBool,
}

// ANCHOR: publish
impl Price {
    /// A thread whose `Acquire` sees the flag also sees everything
    /// that was written before the `Release`.
    fn set(&self, cents: u32) {
        self.cents.store(cents, Relaxed);
        self.is_known.store(true, Release);
    }

    fn get(&self) -> Option<u32> {
        let is_known = self.is_known.load(Acquire);
        is_known.then(|| self.cents.load(Relaxed))
    }
}
// ANCHOR_END: publish

static ORDERS: AtomicUsize = AtomicUsize::new(0);

/// One thread sets the price, one reads it. Returns what loom found.
fn model() -> Result<usize, String> {
    ORDERS.store(0, SeqCst);
    let checked = catch_unwind(|| {
        loom::model(|| {
            ORDERS.fetch_add(1, SeqCst);
            let price = Arc::new(Price::default());
            let setter = Arc::clone(&price);
            let setting = loom::thread::spawn(move || setter.set(1250));
            if let Some(cents) = price.get() {
                assert!(cents == 1250, "known, and {cents} cents");
            }
            setting.join().expect("no panic");
        });
    });
    match checked {
        Ok(()) => Ok(ORDERS.load(SeqCst)),
        Err(panic) => Err(match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(_) => "a panic".to_owned(),
        }),
    }
}

fn main() {
    match model() {
        Ok(orders) => println!("right in each of {orders} orders"),
        Err(found) => {
            println!("in order {}: {found}", ORDERS.load(SeqCst));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_set_and_read_a_price() {
        assert!(model().is_ok_and(|orders| orders > 1));
    }

    #[test]
    fn overload_two_readers_and_a_setter() {
        loom::model(|| {
            let price = Arc::new(Price::default());
            let setter = Arc::clone(&price);
            let setting = loom::thread::spawn(move || setter.set(1250));
            let reader = Arc::clone(&price);
            let reading = loom::thread::spawn(move || reader.get());
            assert!(price.get().is_none_or(|cents| cents == 1250));
            let read = reading.join().expect("no panic");
            assert!(read.is_none_or(|cents| cents == 1250));
            setting.join().expect("no panic");
            assert_eq!(price.get(), Some(1250));
        });
    }
}
