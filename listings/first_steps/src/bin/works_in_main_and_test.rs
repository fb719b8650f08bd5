//! Code that awaits its task works under `tokio::main` and under `tokio::test`.

use std::time::Duration;

use tokio::runtime::Handle;

// ANCHOR: awaits
use tokio::{sync::oneshot, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// Waits for the task's message, while other tasks can run. Dropping
/// this future aborts the task.
async fn temperature() -> Option<i32> {
    let (send, receive) = oneshot::channel();
    let task = async move { send.send(measure().await) };
    let _task = AbortOnDropHandle::new(tokio::spawn(task));
    timeout(LIMIT, receive).await.ok()?.ok()
}
// ANCHOR_END: awaits

const LIMIT: Duration = Duration::from_millis(500);

async fn measure() -> i32 {
    90
}

async fn report() -> String {
    let runtime = Handle::current().runtime_flavor();
    format!("{runtime:?}, {:?}", temperature().await)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_one_is_enough() {
        assert_eq!(report().await, "CurrentThread, Some(90)");
    }

    #[tokio::test]
    async fn cancel_aborts_the_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(temperature()).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
