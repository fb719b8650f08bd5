//! Wrong: a server that never collects the results of its tasks.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

// ANCHOR: wrong
/// Wrong: a finished task stays in the set, with its result, until the
/// result is collected. This loop collects none.
async fn serve(requests: u32) -> usize {
    let mut tasks = JoinSet::new();
    let mut most = 0;
    for request in 0..requests {
        sleep(Duration::from_millis(10)).await;
        tasks.spawn(answer(request));
        most = most.max(tasks.len());
    }
    most
}
// ANCHOR_END: wrong

/// Handles a request, which takes 1 ms, and returns its answer.
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
    async fn overload_of_requests_keeps_few_answers() {
        // The mistake: every answer is kept.
        assert_eq!(serve(1000).await, 1000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_that_has_ended_stays_on_many_threads() {
        let mut tasks = JoinSet::new();
        let ended = tasks.spawn(answer(1));
        while !ended.is_finished() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tasks.len(), 1);
    }
}
