//! Pin a stream and a timer, and poll both in a loop.

use std::{pin::pin, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::time::sleep;

// ANCHOR: main
/// Reads pages until the time is up, or there are no more pages.
/// Returns the pages, and whether it has seen their end. If this is
/// canceled, the pages are lost.
async fn read(limit: Duration) -> (Vec<u32>, bool) {
    let mut pages = pin!(pages());
    let mut time_is_up = pin!(sleep(limit));
    let mut read = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = &mut time_is_up => return (read, false),
            page = pages.next() => match page {
                Some(page) => read.push(page),
                None => return (read, true),
            },
        }
    }
}
// ANCHOR_END: main

/// Three pages, one every 10 ms.
fn pages() -> impl Stream<Item = u32> {
    stream::unfold(1, async |page| {
        sleep(Duration::from_millis(10)).await;
        (page <= 3).then_some((page, page + 1))
    })
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for limit in [25, 1000].map(Duration::from_millis) {
        let (pages, is_all) = read(limit).await;
        let more = if is_all { "no" } else { "maybe" };
        println!("{pages:?} in {limit:?}, more pages: {more}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_no_time_and_much_time() {
        assert_eq!(read(Duration::ZERO).await, (vec![], false));
        for much in [hazards::HOUR, Duration::MAX] {
            assert_eq!(read(much).await, (vec![1, 2, 3], true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_list_that_was_cut_short_is_not_whole() {
        for (millis, count) in [(25, 2), (35, 3), (45, 3)] {
            let limit = Duration::from_millis(millis);
            let (pages, is_all) = read(limit).await;
            assert_eq!((pages.len(), is_all), (count, millis > 40));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_pages_are_left_out() {
        let cut = (vec![1, 2], false);
        assert_eq!(read(Duration::from_millis(29)).await, cut);
        // Both are ready: the limit is the first branch, so it wins.
        for _ in 0..50 {
            assert_eq!(read(Duration::from_millis(30)).await, cut);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_leaves_nothing_behind() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(read(hazards::HOUR)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_move_it_while_it_is_pinned() {
        let task = tokio::spawn(read(hazards::HOUR));
        let (pages, _) = task.await.expect("no panic");
        assert_eq!(pages, [1, 2, 3]);
    }
}
