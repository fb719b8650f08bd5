//! A broadcast asks its subscribers to stop.

// ANCHOR: stop_all
use tokio::{
    sync::broadcast,
    task::JoinSet,
    time::{Duration, sleep},
};

/// Starts three workers, each with a receiver that already exists.
async fn stop_all() -> Vec<u32> {
    let (stop, _) = broadcast::channel::<()>(1);
    let mut workers = JoinSet::new();
    for pace in [100, 200, 300] {
        let mut stopped = stop.subscribe();
        workers.spawn(async move {
            let mut steps = 0;
            loop {
                tokio::select! {
                    biased;
                    // Also on an error: the sender was dropped.
                    _ = stopped.recv() => return steps,
                    () = sleep(Duration::from_millis(pace)) => {}
                }
                steps += 1;
            }
        });
    }
    sleep(Duration::from_millis(650)).await;
    // Fails if no worker is running anymore.
    let _ = stop.send(());
    let mut steps = workers.join_all().await;
    steps.sort_unstable();
    steps
}
// ANCHOR_END: stop_all

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("steps done: {:?}", stop_all().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_reaches_every_worker() {
        assert_eq!(stop_all().await, [2, 3, 6]);
    }
}
