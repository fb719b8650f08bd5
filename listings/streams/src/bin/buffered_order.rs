//! In order, or as they finish: what a slow one holds up.

use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, Instant, sleep};

// ANCHOR: two_ways
/// Pages in their order. A slow page holds up those behind it, and
/// while it does, no new one is begun either.
fn in_order(pages: Vec<Page>) -> impl Stream<Item = u32> {
    stream::iter(pages).map(Page::fetch).buffered(2)
}

/// Pages as they come.
fn as_they_finish(pages: Vec<Page>) -> impl Stream<Item = u32> {
    stream::iter(pages).map(Page::fetch).buffer_unordered(2)
}
// ANCHOR_END: two_ways

/// A page, and how many milliseconds it takes.
struct Page(u32, u64);

impl Page {
    async fn fetch(self) -> u32 {
        sleep(Duration::from_millis(self.1)).await;
        self.0
    }
}

fn pages() -> Vec<Page> {
    vec![Page(1, 50), Page(2, 10), Page(3, 10), Page(4, 10)]
}

async fn times(pages: impl Stream<Item = u32>) -> Vec<(u128, u32)> {
    let start = Instant::now();
    pages
        .map(|page| (start.elapsed().as_millis(), page))
        .collect()
        .await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("in order:");
    for (at, page) in times(in_order(pages())).await {
        println!("  {at} ms  page {page}");
    }
    println!("as they finish:");
    for (at, page) in times(as_they_finish(pages())).await {
        println!("  {at} ms  page {page}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_late_in_order() {
        let in_order = times(in_order(pages())).await;
        assert_eq!(in_order, [(50, 1), (50, 2), (60, 3), (60, 4)]);
        let finished = times(as_they_finish(pages())).await;
        assert_eq!(finished, [(10, 2), (20, 3), (30, 4), (50, 1)]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_order_is_kept_on_many_threads() {
        let pages: Vec<_> = in_order(pages()).collect().await;
        assert_eq!(pages, [1, 2, 3, 4]);
    }
}
