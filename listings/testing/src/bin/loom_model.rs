//! A door, right in every order in which two threads can meet.

use std::{
    panic::catch_unwind,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

use loom::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Door {
    fn open(&self) {
        self.is_open.store(true, SeqCst);
        let waiting = self.waiting.lock().expect("no panic").take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    // ANCHOR: opened
    /// Leaves its waker first, and looks then. Who opens the door
    /// after the look finds the waker.
    async fn opened(&self) {
        poll_fn(|context| {
            let waker = context.waker().clone();
            *self.waiting.lock().expect("no panic") = Some(waker);
            match self.is_open.load(SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await
    }
    // ANCHOR_END: opened
}

static ORDERS: AtomicUsize = AtomicUsize::new(0);

// ANCHOR: model
/// Some open, one waits. Returns in how many orders they can meet,
/// or what loom found.
fn model(openers: usize) -> Result<usize, String> {
    ORDERS.store(0, Relaxed);
    let checked = catch_unwind(move || {
        loom::model(move || {
            ORDERS.fetch_add(1, Relaxed);
            let door = Arc::new(Door::default());
            let opening: Vec<_> = (0..openers)
                .map(|_| {
                    let opener = Arc::clone(&door);
                    loom::thread::spawn(move || opener.open())
                })
                .collect();
            let mut waiting = tokio_test::task::spawn(door.opened());
            let polled = waiting.poll();
            for opening in opening {
                opening.join().expect("no panic");
            }
            let goes_on = polled.is_ready() || waiting.is_woken();
            assert!(goes_on, "it waits at an open door");
        });
    });
    match checked {
        Ok(()) => Ok(ORDERS.load(Relaxed)),
        Err(panic) => Err(match panic.downcast::<&str>() {
            Ok(message) => message.to_string(),
            Err(_) => "a panic".to_owned(),
        }),
    }
}
// ANCHOR_END: model

fn main() {
    for openers in 1..=2 {
        match model(openers) {
            Ok(orders) => println!("{openers}: {orders} orders, right"),
            Err(found) => println!("{openers}: {found}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_at_an_open_door() {
        assert!(model(1).is_ok_and(|orders| orders > 1));
    }
}
