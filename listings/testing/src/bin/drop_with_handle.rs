//! Check for a runtime in `drop` before you spawn.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle},
    time::timeout,
};
use tokio_util::task::TaskTracker;

// ANCHOR: looks
struct Session {
    number: u32,
    /// The server's tracker, for which the server waits at shutdown.
    goodbyes: TaskTracker,
}

impl Drop for Session {
    /// Says goodbye if there is a runtime. If there is none, the peer
    /// finds out by its own timeout.
    fn drop(&mut self) {
        let goodbye = say_goodbye(self.number);
        match Handle::try_current() {
            Ok(runtime) => {
                self.goodbyes.spawn_on(goodbye, &runtime);
            }
            Err(error) => {
                println!("session {}: {error}", self.number);
            }
        }
    }
}

/// Drops one session inside its runtime, and one after it.
fn test() -> io::Result<()> {
    let runtime =
        Builder::new_current_thread().enable_time().build()?;
    let goodbyes = TaskTracker::new();
    let open = |number| Session { number, goodbyes: goodbyes.clone() };
    runtime.block_on(async {
        drop(open(6));
        goodbyes.close();
        timeout(Duration::from_secs(5), goodbyes.wait()).await
    })?;

    let late = runtime.block_on(async { open(7) });
    drop(runtime);
    drop(late);
    Ok(())
}
// ANCHOR_END: looks

static GOODBYES: AtomicU32 = AtomicU32::new(0);

async fn say_goodbye(number: u32) {
    GOODBYES.fetch_add(1, Relaxed);
    println!("session {number}: goodbye");
}

fn main() -> io::Result<()> {
    test()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// All tests count the same goodbyes.
    static ALONE: Mutex<()> = Mutex::new(());

    fn session(number: u32) -> (Session, TaskTracker) {
        let goodbyes = TaskTracker::new();
        let session = Session { number, goodbyes: goodbyes.clone() };
        (session, goodbyes)
    }

    #[test]
    fn owner_gone_a_session_is_dropped_after_its_runtime()
    -> io::Result<()> {
        let _alone = ALONE.lock().expect("no panic");
        let before = GOODBYES.load(Relaxed);
        test()?;
        assert_eq!(GOODBYES.load(Relaxed), before + 1);
        Ok(())
    }

    #[test]
    fn stop_drops_sessions_that_tasks_hold() -> io::Result<()> {
        let _alone = ALONE.lock().expect("no panic");
        let runtime = Builder::new_current_thread().build()?;
        let (session, goodbyes) = session(8);
        let _enter = runtime.enter();
        runtime.spawn(async move {
            std::future::pending::<()>().await;
            drop(session);
        });
        runtime.block_on(tokio::task::yield_now());
        drop(_enter);
        // A spawn during the shutdown neither panics nor runs.
        drop(runtime);
        assert_eq!(goodbyes.len(), 0);
        Ok(())
    }

    #[test]
    fn threads_say_goodbye_as_often_as_sessions_are_dropped()
    -> io::Result<()> {
        let _alone = ALONE.lock().expect("no panic");
        let before = GOODBYES.load(Relaxed);
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()?;
        let goodbyes = TaskTracker::new();
        for number in 0..100 {
            let goodbyes = goodbyes.clone();
            let session = Session { number, goodbyes };
            runtime.spawn(async move { drop(session) });
        }
        let all = async {
            while GOODBYES.load(Relaxed) < before + 100 {
                tokio::task::yield_now().await;
            }
            goodbyes.close();
            goodbyes.wait().await;
        };
        let limit = Duration::from_secs(30);
        runtime.block_on(async { timeout(limit, all).await })?;
        Ok(())
    }

    #[test]
    fn panic_of_its_owner_drops_a_session_like_any_other()
    -> io::Result<()> {
        let _alone = ALONE.lock().expect("no panic");
        let before = GOODBYES.load(Relaxed);
        let runtime = Builder::new_current_thread().build()?;
        let (session, goodbyes) = session(9);
        runtime.block_on(async move {
            let task = tokio::spawn(async move {
                let session = session;
                assert_eq!(session.number, 10, "the assertion");
            });
            assert!(task.await.is_err());
            goodbyes.close();
            goodbyes.wait().await;
        });
        assert_eq!(GOODBYES.load(Relaxed), before + 1);
        Ok(())
    }
}
