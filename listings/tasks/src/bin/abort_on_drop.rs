//! A session owns its background task, and reports when it ends.

use std::time::Duration;

use tokio::time::{sleep, timeout};

// ANCHOR: session
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

/// A session, and the task that keeps it alive. Dropping the session
/// aborts the task, which may still run to its next `.await`.
struct Session {
    name: &'static str,
    keep_alive: Option<AbortOnDropHandle<()>>,
}

impl Session {
    /// Must be called inside a Tokio runtime.
    fn open(name: &'static str) -> Self {
        let task = tokio::spawn(keep_alive(name));
        Self { name, keep_alive: Some(AbortOnDropHandle::new(task)) }
    }

    /// Waits until the session is lost, and reports that once; after
    /// that, it waits forever. Cancel safe, for a branch of `select!`.
    async fn lost(&mut self) -> Result<(), JoinError> {
        let Some(task) = &mut self.keep_alive else {
            return std::future::pending().await;
        };
        let joined = task.await;
        self.keep_alive = None;
        joined
    }

    /// Ends the session, and waits until its task has ended. Returns
    /// the task's panic, unless `lost` has already reported it.
    async fn close(mut self) -> Result<(), JoinError> {
        let Some(task) = self.keep_alive.take() else { return Ok(()) };
        task.abort();
        match task.await {
            Err(error) if error.is_panic() => Err(error),
            _ => Ok(()), // It was aborted, or had returned.
        }
    }
}
// ANCHOR_END: session

// ANCHOR: keep_alive
/// Sends a keep-alive every 100 ms. Returns when the server has
/// forgotten the session, or doesn't answer within `PATIENCE`.
async fn keep_alive(name: &str) {
    for number in 1.. {
        sleep(Duration::from_millis(100)).await;
        match timeout(PATIENCE, send(name, number)).await {
            Ok(Known(true)) => println!("{name} is alive"),
            Ok(Known(false)) | Err(_) => return,
        }
    }
}
// ANCHOR_END: keep_alive

const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the server knows the session.
struct Known(bool);

/// The server forgets the search after two keep-alives, and never
/// answers to the session named "silent".
async fn send(name: &str, number: u32) -> Known {
    assert!(!name.is_empty(), "a session without a name");
    if name == "silent" {
        std::future::pending::<()>().await;
    }
    Known(name != "search" || number <= 2)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let session = Session::open("checkout");
    sleep(Duration::from_millis(250)).await;
    println!("{} is closed", session.name);
    session.close().await?;
    sleep(Duration::from_secs(1)).await;

    let mut session = Session::open("search");
    match session.lost().await {
        Ok(()) => println!("{} is lost", session.name),
        Err(error) => println!("{} is lost: {error}", session.name),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_task() {
        let session = Session::open("checkout");
        let owner = tokio::spawn(async move {
            sleep(HOUR).await;
            drop(session);
        });
        sleep(Duration::from_millis(50)).await;
        owner.abort();
        within(MOMENT, no_task_left()).await;
        let closed = Session::open("checkout").close().await;
        closed.expect("no panic");
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_close_or_lost_leaves_no_task() {
        at_every_poll(async |cancel| {
            let session = Session::open("checkout");
            sleep(Duration::from_millis(50)).await;
            cancel.run(session.close()).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
        at_every_poll(async |cancel| {
            let mut session = Session::open("search");
            if cancel.run(session.lost()).await.is_none() {
                // Dropped or not, the loss is still reported.
                within(HOUR, session.lost()).await.expect("no panic");
            }
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_reported_to_the_owner() {
        let mut session = Session::open("");
        let error = within(HOUR, session.lost()).await;
        let error = error.expect_err("it panics").to_string();
        assert!(error.contains("without a name"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_loses_the_session() {
        let mut session = Session::open("silent");
        let start = tokio::time::Instant::now();
        within(HOUR, session.lost()).await.expect("no panic");
        let limit = Duration::from_millis(100) + PATIENCE;
        assert_eq!(start.elapsed(), limit);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_reported_by_close() {
        let session = Session::open("");
        sleep(Duration::from_millis(150)).await;
        let error = within(HOUR, session.close()).await;
        let error = error.expect_err("it panicked").to_string();
        assert!(error.contains("without a name"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_lost_session_can_be_asked_and_closed() {
        let mut session = Session::open("search");
        session.lost().await.expect("no panic");
        assert!(timeout(HOUR, session.lost()).await.is_err());
        within(HOUR, session.close()).await.expect("no panic");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_nothing_runs_after_close() {
        for _ in 0..50 {
            let session = Session::open("checkout");
            let task = session.keep_alive.as_ref();
            let task = task.expect("it is open").abort_handle();
            session.close().await.expect("no panic");
            assert!(task.is_finished());
        }
    }
}
