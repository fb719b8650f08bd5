//! Wrong: code that blocks while it waits for a task works under `tokio::main`, but not under `tokio::test`.

use std::time::Duration;

use tokio::runtime::Handle;

// ANCHOR: wrong
use std::sync::mpsc;

/// Wrong: blocks the thread until the task has sent the temperature.
async fn temperature() -> Option<i32> {
    let (send, receive) = mpsc::channel();
    tokio::spawn(async move { send.send(measure().await) });
    receive.recv_timeout(LIMIT).ok()
}
// ANCHOR_END: wrong

const LIMIT: Duration = Duration::from_millis(500);

async fn measure() -> i32 {
    90
}

async fn report() -> String {
    let runtime = Handle::current().runtime_flavor();
    format!("{runtime:?}, {:?}", temperature().await)
}

// ANCHOR: attributes
#[tokio::main]
async fn as_main_runs_it() -> String {
    report().await
}

/// A test outside of `cargo test`: the same runtime.
#[tokio::main(flavor = "current_thread")]
async fn as_test_runs_it() -> String {
    report().await
}

fn main() {
    println!("tokio::main  {}", as_main_runs_it());
    println!("tokio::test  {}", as_test_runs_it());
}
// ANCHOR_END: attributes

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_one_is_enough() {
        // It isn't: the task can't run while its thread is blocked.
        assert_eq!(report().await, "CurrentThread, None");
        assert_eq!(report().await, as_test_in_a_thread());
    }

    fn as_test_in_a_thread() -> String {
        let thread = std::thread::spawn(as_test_runs_it);
        thread.join().expect("it doesn't panic")
    }

    #[test]
    fn main_has_another_thread() {
        assert_eq!(as_main_runs_it(), "MultiThread, Some(90)");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_do_not_help_in_a_task() {
        let task = tokio::spawn(report());
        let report = task.await.expect("it doesn't panic");
        assert_eq!(report, "MultiThread, None");
    }
}
