//! Get results in the order of the input, whichever finishes first.

use std::{fmt, time::Duration};

// ANCHOR: in_order
use futures::{StreamExt, stream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::JoinQueue;

/// Tasks, each result as soon as it is there.
async fn as_finished(pages: &[u64]) -> Result<Log, JoinError> {
    let mut log = Log::start();
    let mut tasks: JoinSet<u64> =
        pages.iter().copied().map(render).collect();
    while let Some(page) = tasks.join_next().await {
        log.got(page?);
    }
    Ok(log)
}

/// Tasks, the results in the order in which they were spawned.
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

/// No tasks: up to three at once, in the order of the input.
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
    sleep(Duration::from_millis(400 - 100 * page)).await;
    page
}

/// Which page came when.
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
    use super::*;

    fn millis(log: &Log) -> Vec<(u64, u128)> {
        log.got.iter().map(|&(p, at)| (p, at.as_millis())).collect()
    }

    fn pages(log: &Log) -> Vec<u64> {
        log.got.iter().map(|&(page, _)| page).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_join_set_reports_in_order_of_completion() {
        let log = as_finished(&[1, 2, 3]).await.expect("no panic");
        assert_eq!(millis(&log), [(3, 100), (2, 200), (1, 300)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_join_queue_reports_in_order_of_spawning() {
        let log = as_spawned(&[1, 2, 3]).await.expect("no panic");
        assert_eq!(millis(&log), [(1, 300), (2, 300), (3, 300)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_buffered_stream_keeps_the_order() {
        let log = as_given(&[1, 2, 3]).await;
        assert_eq!(millis(&log), [(1, 300), (2, 300), (3, 300)]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_order_holds_on_many_threads() {
        let log = as_spawned(&[4, 4, 3]).await.expect("no panic");
        assert_eq!(pages(&log), [4, 4, 3]);
        assert_eq!(pages(&as_given(&[3, 4, 4]).await), [3, 4, 4]);
        let log = as_finished(&[3, 4]).await.expect("no panic");
        let mut any_order = pages(&log);
        any_order.sort();
        assert_eq!(any_order, [3, 4]);
    }
}
