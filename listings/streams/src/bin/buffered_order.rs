//! In order or as they finish: which pages does a slow page hold up?

use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, Instant, sleep, timeout};

// ANCHOR: two_ways
type Outcome = Result<u32, NotFetched>;

/// Pages in order. A slow page holds up the pages after it, and no new
/// one starts in the meantime, so `fetch` has a timeout.
fn in_order(pages: Vec<Page>) -> impl Stream<Item = Outcome> {
    stream::iter(pages).map(Page::fetch).buffered(2)
}

/// Pages as they finish.
fn as_they_finish(pages: Vec<Page>) -> impl Stream<Item = Outcome> {
    stream::iter(pages).map(Page::fetch).buffer_unordered(2)
}

impl Page {
    async fn fetch(self) -> Outcome {
        let Page { number, takes } = self;
        match timeout(Duration::from_secs(5), sleep(takes)).await {
            Ok(()) => Ok(number),
            Err(_) => Err(NotFetched(number)),
        }
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("page {0}: no answer")]
struct NotFetched(u32);
// ANCHOR_END: two_ways

struct Page {
    number: u32,
    takes: Duration,
}

fn pages_that_take(milliseconds: &[u64]) -> Vec<Page> {
    let times = milliseconds.iter().copied();
    (1..)
        .zip(times.map(Duration::from_millis))
        .map(|(number, takes)| Page { number, takes })
        .collect()
}

fn pages() -> Vec<Page> {
    pages_that_take(&[50, 10, 10, 10])
}

async fn times(
    pages: impl Stream<Item = Outcome>,
) -> Vec<(u128, Outcome)> {
    let start = Instant::now();
    pages
        .map(|page| (start.elapsed().as_millis(), page))
        .collect()
        .await
}

fn print(times: Vec<(u128, Outcome)>) {
    for (at, page) in times {
        match page {
            Ok(page) => println!("  {at} ms  page {page}"),
            Err(error) => println!("  {at} ms  {error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("in order:");
    print(times(in_order(pages())).await);
    println!("as they finish:");
    print(times(as_they_finish(pages())).await);
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    /// The pages that were fetched, and when.
    fn fetched(times: Vec<(u128, Outcome)>) -> Vec<(u128, u32)> {
        let page = |(at, page): (_, Outcome)| Some((at, page.ok()?));
        times.into_iter().filter_map(page).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn slow_first_page_holds_up_the_others_in_order() {
        let in_order = fetched(times(in_order(pages())).await);
        assert_eq!(in_order, [(50, 1), (50, 2), (60, 3), (60, 4)]);
        let finished = fetched(times(as_they_finish(pages())).await);
        assert_eq!(finished, [(10, 2), (20, 3), (30, 4), (50, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_more_pages_than_places() {
        let never = u64::MAX;
        let pages = || pages_that_take(&[never, never, never, 10]);
        let ways = [
            in_order(pages()).boxed(),
            as_they_finish(pages()).boxed(),
        ];
        for way in ways {
            let outcomes: Vec<_> = within(HOUR, way.collect()).await;
            assert_eq!(outcomes.len(), 4);
            assert!(outcomes.contains(&Ok(4)));
            for page in 1..=3 {
                assert!(outcomes.contains(&Err(NotFetched(page))));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_shows_in_its_turn() {
        let pages = pages_that_take(&[u64::MAX, 10, 10]);
        let times = times(in_order(pages)).await;
        let error = Err(NotFetched(1));
        assert_eq!(times[..2], [(5000, error), (5000, Ok(2))]);
        // `try_collect` sees an error behind a slow page only then.
        let pages = pages_that_take(&[4000, u64::MAX]);
        let start = Instant::now();
        let all = in_order(pages).try_collect::<Vec<_>>().await;
        assert_eq!(all, Err(NotFetched(2)));
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_behind_a_slow_page_is_held_back() {
        let start = Instant::now();
        let jobs = [(3000, true), (10, false)];
        let outcomes = stream::iter(jobs)
            .map(async |(takes, works)| {
                sleep(Duration::from_millis(takes)).await;
                if works { Ok(()) } else { Err("broken") }
            })
            .buffered(2);
        let all = outcomes.try_collect::<Vec<_>>().await;
        assert_eq!(all, Err("broken"));
        assert_eq!(start.elapsed().as_millis(), 3000);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_no_page() {
        at_every_poll(async |cancel| {
            let mut pages = Box::pin(in_order(pages()));
            let first = cancel.run(pages.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(pages.collect::<Vec<_>>().await);
            assert_eq!(seen, [Ok(1), Ok(2), Ok(3), Ok(4)]);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_keep_the_order() {
        let pages = pages_that_take(&[3; 100]);
        let pages: Vec<_> = in_order(pages).collect().await;
        assert!(pages.into_iter().eq((1..=100).map(Ok)));
    }

    #[tokio::test]
    async fn edges_no_page() {
        assert_eq!(in_order(Vec::new()).count().await, 0);
        assert_eq!(as_they_finish(Vec::new()).count().await, 0);
    }
}
