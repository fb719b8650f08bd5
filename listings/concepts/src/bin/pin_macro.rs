//! Pin a stream and a timer, and poll both in a loop.

use std::{pin::pin, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::time::sleep;

// ANCHOR: main
/// Reads pages until the time is up, or there are no more pages.
/// Returns the pages. If this is canceled, they are lost.
async fn read(limit: Duration) -> Vec<u32> {
    let mut pages = pin!(pages());
    let mut time_is_up = pin!(sleep(limit));
    let mut read = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = &mut time_is_up => return read,
            page = pages.next() => match page {
                Some(page) => read.push(page),
                None => return read,
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
    println!("in 25 ms: {:?}", read(Duration::from_millis(25)).await);
    println!("in 1 s:   {:?}", read(Duration::from_secs(1)).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_no_time_and_much_time() {
        assert!(read(Duration::ZERO).await.is_empty());
        assert_eq!(read(hazards::HOUR).await, [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_pages_are_left_out() {
        assert_eq!(read(Duration::from_millis(29)).await, [1, 2]);
        // Both are ready: the limit is the first branch, so it wins.
        for _ in 0..50 {
            assert_eq!(read(Duration::from_millis(30)).await, [1, 2]);
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
        assert_eq!(task.await.expect("no panic"), [1, 2, 3]);
    }
}
