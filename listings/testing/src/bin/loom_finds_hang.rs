//! Wrong: a door at which a task may wait forever (a lost wakeup).

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
    atomic::{
        AtomicBool,
        Ordering::{Acquire, Release},
    },
};

// ANCHOR: wrong
#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Door {
    fn open(&self) {
        self.is_open.store(true, Release);
        let mut waiting = self.waiting.lock().expect("no panic");
        let wakers = std::mem::take(&mut *waiting);
        // A waker runs unknown code, so release the lock first.
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wrong: checks the door before it stores its waker. If the door
    /// is opened in between, there is no waker to call.
    async fn opened(&self) {
        poll_fn(|context| {
            if self.is_open.load(Acquire) {
                return Poll::Ready(());
            }
            let waker = context.waker();
            let mut waiting = self.waiting.lock().expect("no panic");
            if !waiting.iter().any(|it| it.will_wake(waker)) {
                waiting.push(waker.clone());
            }
            Poll::Pending
        })
        .await
    }
}
// ANCHOR_END: wrong

static ORDERS: AtomicUsize = AtomicUsize::new(0);

/// One thread opens, one task waits. Returns what loom found.
fn model() -> Result<usize, String> {
    ORDERS.store(0, Relaxed);
    let checked = catch_unwind(|| {
        loom::model(|| {
            ORDERS.fetch_add(1, Relaxed);
            let door = Arc::new(Door::default());
            let opener = Arc::clone(&door);
            let opening = loom::thread::spawn(move || opener.open());
            let mut waiting = tokio_test::task::spawn(door.opened());
            let polled = waiting.poll();
            opening.join().expect("no panic");
            let continues = polled.is_ready() || waiting.is_woken();
            assert!(continues, "it waits at an open door");
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

fn main() {
    // What the panic says is printed below.
    std::panic::set_hook(Box::new(|_| ()));
    match model() {
        Ok(orders) => println!("right in each of {orders} orders"),
        Err(found) => {
            println!("in order {}: {found}", ORDERS.load(Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_open_and_wait() {
        let found = model().expect_err("it hangs in one order");
        assert!(found.starts_with("it waits"), "{found}");
    }
}
