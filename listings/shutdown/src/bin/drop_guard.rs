//! A guard cancels its token when the scope ends, however it ends.

// ANCHOR: export
use tokio::{
    task::JoinError,
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Sends an export's rows while a task shows the progress. If dropped,
/// it stops that task, too. Returns an error if the task panicked.
async fn export() -> Result<u32, JoinError> {
    let stop = CancellationToken::new();
    let showing = tokio::spawn(show_progress(stop.clone()));
    {
        // The guard has a name, so it cancels at the end of the block,
        // at a `?`, on a panic, or when this future is dropped.
        let _guard = stop.drop_guard();
        sleep(Duration::from_millis(450)).await;
    }
    showing.await
}
// ANCHOR_END: export

/// Returns how often it showed the progress.
async fn show_progress(stop: CancellationToken) -> u32 {
    let mut shown = 0;
    while let Some(()) = stop
        .run_until_cancelled(sleep(Duration::from_millis(100)))
        .await
    {
        shown += 1;
    }
    shown
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    println!("progress shown: {} times", export().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_the_task_runs_until_the_scope_ends() {
        assert_eq!(export().await.expect("no panic"), 4);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_stops_the_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(export()).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_stops_the_task() {
        let owner = tokio::spawn(export());
        sleep(Duration::from_millis(200)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_the_scope_stops_the_task() {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let owner = tokio::spawn(async move {
            let _guard = guard;
            std::panic::resume_unwind(Box::new("no rows"));
        });
        assert!(owner.await.is_err_and(|error| error.is_panic()));
        assert!(stop.is_cancelled());
    }
}
