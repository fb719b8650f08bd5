//! Signal the phases of a shutdown with a watch channel.

// ANCHOR: phases
use tokio::{
    sync::watch,
    task::JoinError,
    time::{Duration, sleep},
};

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Phase {
    Running,
    /// Accept no new jobs, and finish the accepted ones.
    Draining,
    /// Leave the remaining jobs, and exit.
    Stopping,
}

/// Renders jobs, and returns how many are done and how many are left.
/// A job that is cut off counts as left. If dropped, it drops its job.
async fn render(
    mut jobs: u32,
    mut phase: watch::Receiver<Phase>,
) -> (u32, u32) {
    let mut done = 0;
    let mut stopping = phase.clone();
    while jobs > 0 {
        tokio::select! {
            biased;
            // Also on an error: the sender was dropped.
            _ = stopping.wait_for(|it| *it == Phase::Stopping) => break,
            () = sleep(Duration::from_millis(100)) => {
                (done, jobs) = (done + 1, jobs - 1);
            }
        }
        // New jobs arrive only while it's running.
        jobs += u32::from(*phase.borrow_and_update() == Phase::Running);
    }
    (done, jobs)
}
// ANCHOR_END: phases

// ANCHOR: run
/// Drains after 250 ms, and stops after `patience`. If dropped, it
/// stops immediately, because `phases` is dropped.
async fn run(patience: Duration) -> Result<(u32, u32), JoinError> {
    let (phases, phase) = watch::channel(Phase::Running);
    let rendering = tokio::spawn(render(5, phase));
    sleep(Duration::from_millis(250)).await;
    // Unlike `send`, it stores the value even if no receiver is alive.
    phases.send_replace(Phase::Draining);
    sleep(patience).await;
    phases.send_replace(Phase::Stopping);
    rendering.await
}
// ANCHOR_END: run

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    for millis in [1000, 300] {
        let (done, left) = run(Duration::from_millis(millis)).await?;
        println!("after {millis} ms: {done} done, {left} left");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_drains_and_leaves_what_takes_too_long() {
        let drained = run(Duration::from_secs(1)).await;
        assert_eq!(drained.expect("no panic"), (7, 0));
        let left = run(Duration::from_millis(300)).await;
        assert_eq!(left.expect("no panic"), (5, 2));
    }

    /// Every job is counted once, at any moment of the two steps.
    #[tokio::test(start_paused = true)]
    async fn stop_at_any_moment_counts_every_job() {
        for millis in 0..1200 {
            let patience = Duration::from_millis(millis);
            let (done, left) = run(patience).await.expect("no panic");
            assert_eq!(done + left, 7);
        }
    }

    /// The last phase and the end of a job at the same moment.
    #[tokio::test(start_paused = true)]
    async fn stop_comes_before_a_job_that_ends_with_it() {
        for _ in 0..50 {
            let (phases, phase) = watch::channel(Phase::Draining);
            let mut rendering = std::pin::pin!(render(5, phase));
            let first = rendering.as_mut().now_or_never();
            assert_eq!(first, None, "it renders");
            sleep(Duration::from_millis(150)).await;
            phases.send_replace(Phase::Stopping);
            assert_eq!(rendering.await, (0, 5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_receiver_that_comes_late_and_no_job() {
        let (_phases, phase) = watch::channel(Phase::Stopping);
        assert_eq!(render(5, phase.clone()).await, (0, 5));
        assert_eq!(render(0, phase).await, (0, 0));
    }

    /// The value is there for a receiver that is made later.
    #[tokio::test(start_paused = true)]
    async fn edges_a_phase_that_nobody_received() {
        let (phases, phase) = watch::channel(Phase::Running);
        drop(phase);
        assert!(phases.send(Phase::Stopping).is_err());
        assert_eq!(*phases.borrow(), Phase::Running);
        phases.send_replace(Phase::Stopping);
        assert_eq!(render(5, phases.subscribe()).await, (0, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_stops_the_rendering() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(run(Duration::from_millis(300))).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_stops_the_rendering() {
        let owner = tokio::spawn(run(hazards::HOUR));
        sleep(Duration::from_millis(300)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_same_phase_changes_nothing() {
        let (phases, phase) = watch::channel(Phase::Draining);
        let rendering = tokio::spawn(render(5, phase));
        for _ in 0..5 {
            sleep(Duration::from_millis(30)).await;
            phases.send_replace(Phase::Draining);
        }
        assert_eq!(rendering.await.expect("no panic"), (5, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_every_job() {
        let (phases, phase) = watch::channel(Phase::Draining);
        let mut renderers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            renderers.spawn(render(5, phase.clone()));
        }
        sleep(Duration::from_millis(250)).await;
        phases.send_replace(Phase::Stopping);
        for (done, left) in renderers.join_all().await {
            assert_eq!(done + left, 5);
        }
    }
}
