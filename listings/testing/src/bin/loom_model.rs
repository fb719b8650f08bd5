//! Check a door in every order that loom explores.

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

    // ANCHOR: opened
    /// Stores its waker before it checks the door. If the door is
    /// opened after the check, the waker is called. If the future is
    /// dropped, its waker keeps the task in memory until that call.
    async fn opened(&self) {
        poll_fn(|context| {
            let waker = context.waker().clone();
            let mut waiting = self.waiting.lock().expect("no panic");
            if !waiting.iter().any(|it| it.will_wake(&waker)) {
                waiting.push(waker);
            }
            drop(waiting);
            match self.is_open.load(Acquire) {
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
/// Some threads open, one task waits. Returns how many orders loom has
/// explored, or the mistake that it found.
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
    fn threads_that_open_and_wait() {
        assert!(model(1).is_ok_and(|orders| orders > 1));
    }

    #[test]
    fn overload_two_wait_at_one_door() {
        loom::model(|| {
            let door = Arc::new(Door::default());
            let opener = Arc::clone(&door);
            let opening = loom::thread::spawn(move || opener.open());
            let mut one = tokio_test::task::spawn(door.opened());
            let mut other = tokio_test::task::spawn(door.opened());
            let one_is_ready = one.poll().is_ready();
            let other_is_ready = other.poll().is_ready();
            opening.join().expect("no panic");
            assert!(one_is_ready || one.is_woken());
            assert!(other_is_ready || other.is_woken());
        });
    }

    /// Checks whether it's called while the lock is held.
    struct Looks {
        door: Arc<Door>,
        is_free: std::sync::atomic::AtomicBool,
    }

    impl std::task::Wake for Looks {
        fn wake(self: std::sync::Arc<Self>) {
            let is_free = self.door.waiting.try_lock().is_ok();
            self.is_free.store(is_free, Relaxed);
        }
    }

    #[test]
    fn threads_that_are_woken_find_the_lock_free() {
        loom::model(|| {
            let door = Arc::new(Door::default());
            let looks = std::sync::Arc::new(Looks {
                door: Arc::clone(&door),
                is_free: false.into(),
            });
            let waker = Waker::from(std::sync::Arc::clone(&looks));
            let mut context = std::task::Context::from_waker(&waker);
            let mut waiting = std::pin::pin!(door.opened());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
            door.open();
            assert!(looks.is_free.load(Relaxed));
        });
    }

    #[test]
    fn cancel_of_one_leaves_the_other_waiting() {
        loom::model(|| {
            let door = Arc::new(Door::default());
            let opener = Arc::clone(&door);
            let opening = loom::thread::spawn(move || opener.open());
            let mut one = tokio_test::task::spawn(door.opened());
            let mut other = tokio_test::task::spawn(door.opened());
            let _polled = one.poll();
            let is_ready = other.poll().is_ready();
            drop(one);
            opening.join().expect("no panic");
            assert!(is_ready || other.is_woken());
        });
    }

    /// Checks the comment of `opened`.
    #[test]
    fn cancel_keeps_the_waker_until_the_door_is_opened() {
        loom::model(|| {
            let door = Door::default();
            let mut waiting = tokio_test::task::spawn(door.opened());
            assert!(waiting.poll().is_pending());
            drop(waiting);
            assert_eq!(door.waiting.lock().expect("alone").len(), 1);
            door.open();
            assert!(door.waiting.lock().expect("alone").is_empty());
        });
    }

    #[test]
    fn again_polled_it_keeps_one_waker() {
        loom::model(|| {
            let door = Door::default();
            let mut waiting = tokio_test::task::spawn(door.opened());
            for _ in 0..3 {
                assert!(waiting.poll().is_pending());
            }
            assert_eq!(door.waiting.lock().expect("alone").len(), 1);
            door.open();
            door.open();
            assert!(waiting.is_woken() && waiting.poll().is_ready());
        });
    }
}
