//! The results are taken as they come, without waiting.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

// ANCHOR: serve
/// Starts a task for each request. Before each, takes out of the set
/// what has ended, and looks how.
async fn serve(requests: u32) -> usize {
    let mut tasks = JoinSet::new();
    let mut most = 0;
    for request in 0..requests {
        sleep(Duration::from_millis(10)).await;
        while let Some(joined) = tasks.try_join_next() {
            if let Err(error) = joined {
                eprintln!("a request failed: {error}");
            }
        }
        tasks.spawn(answer(request));
        most = most.max(tasks.len());
    }
    most
}
// ANCHOR_END: serve

/// Handles a request, which takes a moment, and keeps its answer.
async fn answer(request: u32) -> [u8; 1024] {
    sleep(Duration::from_millis(1)).await;
    [request as u8; 1024]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let most = serve(1000).await;
    println!("1000 requests, at most {most} answers kept");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_is_under_way_is_kept() {
        assert_eq!(serve(1000).await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_ended_is_taken_on_many_threads() {
        assert!(serve(50).await < 50);
    }
}
