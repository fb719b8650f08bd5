//! Collect the finished tasks before each new one, without waiting.

use std::{ops::Range, time::Duration};

use tokio::time::{error::Elapsed, sleep};

// ANCHOR: serve
use tokio::{task::JoinError, time::timeout};
use tokio_util::task::JoinMap;

/// Starts a task for each request, at most `MOST` at a time. Before
/// each start, collects the finished tasks. At the end, waits for the
/// rest. A request that hangs is removed after `PATIENCE`.
///
/// Dropping this future aborts the requests that are running.
async fn serve(requests: Range<u32>) -> Served {
    let mut tasks = JoinMap::new();
    let mut served = Served::default();
    for request in requests {
        sleep(Duration::from_millis(10)).await;
        while let Some(ended) = tasks.try_join_next() {
            served.note(ended);
        }
        // At the limit, the next request waits until a task has ended.
        if tasks.len() >= MOST
            && let Some(ended) = tasks.join_next().await
        {
            served.note(ended);
        }
        tasks.spawn(request, timeout(PATIENCE, answer(request)));
        served.most_kept = served.most_kept.max(tasks.len());
    }
    while let Some(ended) = tasks.join_next().await {
        served.note(ended);
    }
    served
}
// ANCHOR_END: serve

const MOST: usize = 100;

#[derive(Default)]
struct Served {
    most_kept: usize,
    answered: u32,
    /// A service would log these instead: the list only grows.
    failed: Vec<(u32, String)>,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Served {
    fn note(
        &mut self,
        (request, joined): (
            u32,
            Result<Result<[u8; 1024], Elapsed>, JoinError>,
        ),
    ) {
        match joined {
            Ok(Ok(_answer)) => self.answered += 1,
            Ok(Err(late)) => {
                self.failed.push((request, late.to_string()))
            }
            Err(error) => {
                self.failed.push((request, error.to_string()))
            }
        }
    }
}

/// Handles a request, which takes 1 ms, and returns its answer.
async fn answer(request: u32) -> [u8; 1024] {
    let millis = if request >= 2_000_000 { u64::MAX >> 20 } else { 1 };
    sleep(Duration::from_millis(millis)).await;
    assert_ne!(request, 1_000_013, "request {request} is damaged");
    [request as u8; 1024]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let served = serve(0..1000).await;
    let most = served.most_kept;
    println!("1000 requests, at most {most} answers kept");
}

#[cfg(test)]
mod tests {
    use hazards::{at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn overload_of_requests_keeps_few_answers() {
        let served = serve(0..1000).await;
        assert_eq!((served.most_kept, served.answered), (1, 1000));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_request() {
        for first in [1_000_013, 1_000_008, 1_000_004] {
            let served = serve(first..first + 10).await;
            assert_eq!(served.answered, 9);
            let (request, error) = &served.failed[0];
            assert_eq!(*request, 1_000_013);
            assert!(error.contains("is damaged"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_all_requests_keeps_a_limited_number() {
        let served = serve(2_000_000..2_001_000).await;
        assert_eq!(served.failed.len(), 1000);
        assert_eq!(served.most_kept, MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(serve(0..5)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_request_and_one() {
        assert_eq!(serve(0..0).await.answered, 0);
        assert_eq!(serve(0..1).await.answered, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_take_what_has_ended() {
        let served = serve(0..50).await;
        assert!(served.most_kept < 50);
        assert_eq!(served.answered, 50);
    }
}
