//! A watch tells how far the shutdown is.

// ANCHOR: phases
use tokio::{
    sync::watch,
    time::{Duration, sleep},
};

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Phase {
    Running,
    /// Take nothing new, finish what there is.
    Draining,
    /// Leave it, and go.
    Stopping,
}

/// Renders jobs; returns how many are done and how many are left.
async fn render(
    mut jobs: u32,
    mut phase: watch::Receiver<Phase>,
) -> (u32, u32) {
    let mut done = 0;
    let mut stopping = phase.clone();
    while jobs > 0 {
        tokio::select! {
            biased;
            // An error: whoever told the phase has gone.
            _ = stopping.wait_for(|it| *it == Phase::Stopping) => break,
            () = sleep(Duration::from_millis(100)) => {
                (done, jobs) = (done + 1, jobs - 1);
            }
        }
        // More work comes in only while it runs.
        jobs += u32::from(*phase.borrow_and_update() == Phase::Running);
    }
    (done, jobs)
}
// ANCHOR_END: phases

/// Drains after 250 ms, and stops after `patience` more.
async fn run(patience: Duration) -> (u32, u32) {
    let (tell, phase) = watch::channel(Phase::Running);
    let rendering = tokio::spawn(render(5, phase));
    sleep(Duration::from_millis(250)).await;
    tell.send_replace(Phase::Draining);
    sleep(patience).await;
    tell.send_replace(Phase::Stopping);
    rendering.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for millis in [1000, 300] {
        let (done, left) = run(Duration::from_millis(millis)).await;
        println!("after {millis} ms: {done} done, {left} left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn with_patience_all_is_done() {
        assert_eq!(run(Duration::from_secs(1)).await, (7, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn without_some_is_left() {
        assert_eq!(run(Duration::from_millis(300)).await, (5, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_late_is_told() {
        let (_tell, phase) = watch::channel(Phase::Stopping);
        assert_eq!(render(5, phase).await, (0, 5));
    }
}
