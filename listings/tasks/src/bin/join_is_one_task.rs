//! `join!` runs all of its futures in one task, not in parallel.

use std::sync::Mutex;

// ANCHOR: one_task
use tokio::task::{self, JoinError, yield_now};

/// The tasks in which two joined futures ran.
async fn joined() -> (task::Id, task::Id) {
    tokio::join!(async { task::id() }, async { task::id() })
}

/// The tasks in which two spawned futures ran.
async fn spawned() -> Result<(task::Id, task::Id), JoinError> {
    let first = task::spawn(async { task::id() });
    let second = task::spawn(async { task::id() });
    Ok((first.await?, second.await?))
}

/// A checksum of three blocks and three heartbeats, in one task. A
/// heartbeat is polled only when the checksum awaits something.
async fn checksum_beside_heartbeat(yields: bool) -> Vec<&'static str> {
    let log = Log::default();
    let checksum = async {
        for _block in 0..3 {
            log.note("sum");
            if yields {
                yield_now().await;
            }
        }
    };
    let heartbeat = async {
        for _beat in 0..3 {
            log.note("beat");
            yield_now().await;
        }
    };
    // `biased`: every round polls them in this order.
    tokio::join!(biased; checksum, heartbeat);
    log.into_inner()
}
// ANCHOR_END: one_task

#[derive(Default)]
struct Log(Mutex<Vec<&'static str>>);

impl Log {
    fn note(&self, what: &'static str) {
        self.0.lock().expect("no holder panics").push(what);
    }

    fn into_inner(self) -> Vec<&'static str> {
        self.0.into_inner().expect("no holder panics")
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    // In a separate task, because `main` isn't a task and has no id.
    let (first, second) = task::spawn(joined()).await?;
    println!("joined:  the same task: {}", first == second);
    let (first, second) = spawned().await?;
    println!("spawned: the same task: {}", first == second);

    let log = checksum_beside_heartbeat(false).await;
    println!("checksum without an await:  {}", log.join(" "));
    let log = checksum_beside_heartbeat(true).await;
    println!("checksum with an await:     {}", log.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn joined_futures_share_a_task_on_many_threads() {
        let (first, second) =
            task::spawn(joined()).await.expect("no panic");
        assert_eq!(first, second);
        let (first, second) = spawned().await.expect("no panic");
        assert_ne!(first, second);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_branch_that_does_not_await_holds_up_the_other() {
        // Also where there are threads to spare, and in any task.
        let log = task::spawn(checksum_beside_heartbeat(false))
            .await
            .expect("no panic");
        assert_eq!(log, ["sum", "sum", "sum", "beat", "beat", "beat"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_branch_that_awaits_lets_the_other_run() {
        let log = task::spawn(checksum_beside_heartbeat(true))
            .await
            .expect("no panic");
        assert_eq!(log, ["sum", "beat", "sum", "beat", "sum", "beat"]);
    }
}
