//! Wrong: a memory ordering whose bug x86 may never show.

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

// ANCHOR: wrong
use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

#[derive(Default)]
struct Price {
    cents: AtomicU32,
    is_known: AtomicBool,
}

impl Price {
    /// Wrong: `Relaxed` doesn't order the two writes for others.
    fn set(&self, cents: u32) {
        self.cents.store(cents, Relaxed);
        self.is_known.store(true, Relaxed);
    }

    fn get(&self) -> Option<u32> {
        let is_known = self.is_known.load(Relaxed);
        is_known.then(|| self.cents.load(Relaxed))
    }
}
// ANCHOR_END: wrong

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
    // What the panic says is printed below.
    std::panic::set_hook(Box::new(|_| ()));
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
        assert_eq!(model(), Err("known, and 0 cents".to_owned()));
    }
}
