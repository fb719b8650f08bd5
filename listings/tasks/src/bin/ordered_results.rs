//! Get results in the order of the input, whichever task finishes first.

use std::{fmt, time::Duration};

// ANCHOR: in_order
use futures::{StreamExt, stream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::JoinQueue;

/// Tasks, with results as they finish. The first panic aborts the
/// other tasks.
async fn as_finished(pages: &[u64]) -> Result<Log, JoinError> {
    let mut log = Log::start();
    let mut tasks: JoinSet<u64> =
        pages.iter().copied().map(render).collect();
    while let Some(page) = tasks.join_next().await {
        log.got(page?);
    }
    Ok(log)
}

/// Tasks, with results in the order of spawning.
async fn as_spawned(pages: &[u64]) -> Result<Log, JoinError> {
    let mut log = Log::start();
    let mut tasks = JoinQueue::new();
    for &page in pages {
        tasks.spawn(render(page));
    }
    while let Some(page) = tasks.join_next().await {
        log.got(page?);
    }
    Ok(log)
}

/// No tasks: up to three futures at a time, in the order of the input.
/// A panic in `render` propagates.
async fn as_given(pages: &[u64]) -> Log {
    let mut log = Log::start();
    let mut rendered =
        stream::iter(pages).map(|&page| render(page)).buffered(3);
    while let Some(page) = rendered.next().await {
        log.got(page);
    }
    log
}
// ANCHOR_END: in_order

use tokio::time::{Instant, sleep};

/// Renders a page of a catalog. The first takes the longest.
async fn render(page: u64) -> u64 {
    sleep(Duration::from_millis(400u64.saturating_sub(100 * page)))
        .await;
    assert_ne!(page, 13, "page {page} is damaged");
    page
}

/// Which page was returned when.
struct Log {
    start: Instant,
    got: Vec<(u64, Duration)>,
}

impl Log {
    fn start() -> Self {
        Self { start: Instant::now(), got: Vec::new() }
    }

    fn got(&mut self, page: u64) {
        self.got.push((page, self.start.elapsed()));
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (page, at) in &self.got {
            write!(f, "  {page} at {} ms", at.as_millis())?;
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    println!("JoinSet    {}", as_finished(&[1, 2, 3]).await?);
    println!("JoinQueue  {}", as_spawned(&[1, 2, 3]).await?);
    println!("buffered(3){}", as_given(&[1, 2, 3]).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures::FutureExt;
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    fn millis(log: &Log) -> Vec<(u64, u128)> {
        log.got.iter().map(|&(p, at)| (p, at.as_millis())).collect()
    }

    fn pages(log: &Log) -> Vec<u64> {
        log.got.iter().map(|&(page, _)| page).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn slow_first_pages_hold_up_ordered_results_only() {
        let log = as_finished(&[1, 2, 3]).await.expect("no panic");
        assert_eq!(millis(&log), [(3, 100), (2, 200), (1, 300)]);
        let log = as_spawned(&[1, 2, 3]).await.expect("no panic");
        assert_eq!(millis(&log), [(1, 300), (2, 300), (3, 300)]);
        let log = as_given(&[1, 2, 3]).await;
        assert_eq!(millis(&log), [(1, 300), (2, 300), (3, 300)]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_returned_and_ends_the_others() {
        for pages in [[13, 1, 2], [1, 13, 2], [1, 2, 13], [13; 3]] {
            let error = as_finished(&pages).await.err();
            let error = error.expect("it panics").to_string();
            assert!(error.contains("page 13 is damaged"), "{error}");
            within(MOMENT, no_task_left()).await;
            assert!(as_spawned(&pages).await.is_err());
            within(MOMENT, no_task_left()).await;
            let work = AssertUnwindSafe(as_given(&pages));
            assert!(work.catch_unwind().await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            cancel.run(as_finished(&[1, 2, 3])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
        at_every_poll(async |cancel| {
            cancel.run(as_spawned(&[1, 2, 3])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
        at_every_poll(async |cancel| {
            cancel.run(as_given(&[1, 2, 3])).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_page_and_one_page_twice() {
        for pages in [&[][..], &[3, 3][..]] {
            within(HOUR, async {
                let log = as_finished(pages).await.expect("no panic");
                assert_eq!(self::pages(&log), pages);
                let log = as_spawned(pages).await.expect("no panic");
                assert_eq!(self::pages(&log), pages);
                assert_eq!(self::pages(&as_given(pages).await), pages);
            })
            .await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let log = as_spawned(&[4, 4, 3]).await.expect("no panic");
        assert_eq!(pages(&log), [4, 4, 3]);
        assert_eq!(pages(&as_given(&[3, 4, 4]).await), [3, 4, 4]);
        let log = as_finished(&[3, 4]).await.expect("no panic");
        let mut any_order = pages(&log);
        any_order.sort();
        assert_eq!(any_order, [3, 4]);
    }
}
