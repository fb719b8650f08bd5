//! Run a test on its own thread, so that it fails even if it blocks.

use std::{io, time::Duration};

// ANCHOR: run_test
use std::{
    panic::resume_unwind,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use tokio::runtime::Builder;

/// Runs a test as `#[tokio::test]` does, but panics if the test hasn't
/// returned after `limit`. Its thread is left behind in that case. If
/// the test panics, so does this function, with the same message.
fn run_test<T>(limit: Duration, test: T)
where
    T: AsyncFnOnce() -> io::Result<()> + Send + 'static,
{
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        let runtime =
            Builder::new_current_thread().enable_all().build();
        let tested = runtime.and_then(|rt| rt.block_on(test()));
        done.send(tested).ok();
    });
    match result.recv_timeout(limit) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("the test failed: {error}"),
        Err(RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        }
        Err(RecvTimeoutError::Timeout) => {
            panic!("the test still runs after {limit:?}")
        }
    }
}

#[test]
fn whistles() {
    run_test(Duration::from_secs(5), async || fill_kettle().await);
}
// ANCHOR_END: run_test

async fn fill_kettle() -> io::Result<()> {
    Ok(())
}

/// Wrong: it never returns to the runtime, so no timeout fires.
async fn blocks() -> io::Result<()> {
    tokio::spawn(async { thread::sleep(Duration::from_secs(3600)) });
    let second = Duration::from_secs(1);
    let waits = tokio::time::sleep(Duration::from_millis(1));
    tokio::time::timeout(second, waits).await?;
    Ok(())
}

/// What `cargo test` would print.
fn verdict(limit: Duration, test: fn(Duration)) -> &'static str {
    match thread::spawn(move || test(limit)).join() {
        Ok(()) => "ok",
        Err(_) => "FAILED",
    }
}

fn main() {
    let limit = Duration::from_millis(500);
    let fills = |limit| run_test(limit, async || fill_kettle().await);
    println!("test fills ... {}", verdict(limit, fills));
    let hangs = |limit| run_test(limit, async || blocks().await);
    println!("test blocks ... {}", verdict(limit, hangs));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    #[should_panic(expected = "the test still runs after 200ms")]
    fn silence_of_a_blocked_thread_fails_the_test() {
        run_test(SHORT, async || blocks().await);
    }

    #[test]
    #[should_panic(expected = "the test still runs after 200ms")]
    fn slow_shutdown_of_the_runtime_fails_the_test() {
        run_test(SHORT, async || {
            tokio::task::spawn_blocking(|| thread::sleep(2 * LONG));
            tokio::task::yield_now().await;
            Ok(())
        });
    }

    #[test]
    #[should_panic(expected = "the kettle is empty")]
    fn panic_of_the_test_fails_it() {
        run_test(LONG, async || panic!("the kettle is empty"));
    }

    #[test]
    #[should_panic(expected = "the test failed: no water")]
    fn failure_of_the_test_is_reported() {
        run_test(LONG, async || Err(io::Error::other("no water")));
    }

    #[test]
    fn threads_run_tests_at_the_same_time() {
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| run_test(LONG, async || Ok(())));
            }
        });
    }

    #[test]
    fn edges_a_value_that_is_not_send() {
        run_test(LONG, async || {
            let kettle = std::rc::Rc::new(1);
            tokio::task::yield_now().await;
            assert_eq!(*kettle, 1);
            Ok(())
        });
    }
}
