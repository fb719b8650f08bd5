//! Share a container between tests, and remove it after the last test.

// ANCHOR: shared
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The container that's currently running, if any. A static is never
/// dropped, so it doesn't own the container.
static RUNNING: Mutex<Weak<Container>> = Mutex::new(Weak::new());

/// Returns the container that other tests already use, or starts one.
/// It's removed when the last of the returned `Arc`s is dropped.
fn container() -> std::io::Result<Arc<Container>> {
    let running = RUNNING.lock();
    // If `start` panicked in another test, nothing was stored.
    let mut running = running.unwrap_or_else(PoisonError::into_inner);
    if let Some(container) = running.upgrade() {
        return Ok(container);
    }
    let container = Arc::new(Container::start()?);
    *running = Arc::downgrade(&container);
    Ok(container)
}
// ANCHOR_END: shared

/// A container, which runs until it's dropped.
struct Container;

impl Container {
    fn start() -> std::io::Result<Self> {
        #[cfg(test)]
        tests::trouble()?;
        println!("the container starts");
        Ok(Self)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        #[cfg(test)]
        tests::REMOVED
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        println!("the container is removed");
    }
}

// ANCHOR: main
fn main() -> std::io::Result<()> {
    let first = container()?;
    let second = container()?;
    drop(first);
    println!("the first test is done");
    drop(second);
    println!("the second test is done");
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use std::sync::{
        MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    };

    use super::*;

    pub static STARTED: AtomicU32 = AtomicU32::new(0);

    pub static REMOVED: AtomicU32 = AtomicU32::new(0);

    static FAILS: AtomicBool = AtomicBool::new(false);

    static PANICS: AtomicBool = AtomicBool::new(false);

    pub fn trouble() -> std::io::Result<()> {
        if PANICS.swap(false, SeqCst) {
            std::panic::resume_unwind(Box::new("no daemon"));
        }
        if FAILS.swap(false, SeqCst) {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        STARTED.fetch_add(1, SeqCst);
        Ok(())
    }

    /// These tests share the static, so they run one after the other.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone =
            ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        STARTED.store(0, SeqCst);
        REMOVED.store(0, SeqCst);
        alone
    }

    fn counts() -> (u32, u32) {
        (STARTED.load(SeqCst), REMOVED.load(SeqCst))
    }

    #[test]
    fn stop_of_the_last_user_removes_the_container() {
        let _alone = alone();
        let users = [container(), container(), container()];
        assert_eq!(counts(), (1, 0));
        drop(users);
        assert_eq!(counts(), (1, 1));
    }

    #[test]
    fn again_starts_a_new_one() {
        let _alone = alone();
        drop(container());
        drop(container());
        assert_eq!(counts(), (2, 2));
    }

    #[test]
    fn failure_leaves_the_next_caller_to_try_again() {
        let _alone = alone();
        FAILS.store(true, SeqCst);
        assert!(container().is_err());
        drop(container().expect("it starts"));
        assert_eq!(counts(), (1, 1));
    }

    #[test]
    fn panic_of_a_test_and_of_the_start() {
        let _alone = alone();
        PANICS.store(true, SeqCst);
        assert!(std::panic::catch_unwind(container).is_err());
        let fails = std::panic::catch_unwind(|| {
            let _container = container().expect("it starts");
            std::panic::resume_unwind(Box::new("the test fails"));
        });
        assert!(fails.is_err());
        assert_eq!(counts(), (1, 1));
    }

    #[test]
    fn threads_share_one() {
        let _alone = alone();
        let first = container().expect("it starts");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let another = container().expect("it runs");
                    assert!(Arc::ptr_eq(&another, &first));
                });
            }
        });
        drop(first);
        assert_eq!(counts(), (1, 1));
    }
}
