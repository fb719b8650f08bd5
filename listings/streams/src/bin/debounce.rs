//! The last item of a series, after 200 ms without another.

// ANCHOR: debounced
use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::task::coop::cooperative;
use tokio::time::{Duration, Instant, sleep};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The newest item, once no other has come for `quiet`, or `longest`
/// after the first item of the series. When `items` ends, the newest
/// item comes out immediately. It takes items only while it's polled.
fn debounced<S: Stream>(
    items: S,
    quiet: Duration,
    longest: Duration,
) -> impl Stream<Item = S::Item> {
    // Now plus `Duration::MAX` would overflow.
    let [quiet, longest] = [quiet, longest].map(|it| it.min(YEAR));
    stream! {
        let mut items = std::pin::pin!(items);
        let mut newest = None;
        let mut timer = std::pin::pin!(sleep(quiet));
        let mut latest = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = timer.as_mut(), if newest.is_some() => {
                    if let Some(item) = newest.take() { yield item; }
                }
                item = cooperative(items.next()) => {
                    if item.is_none() { break; }
                    let now = Instant::now();
                    if newest.is_none() { latest = now + longest; }
                    newest = item;
                    timer.as_mut().reset(latest.min(now + quiet));
                }
            }
        }
        if let Some(item) = newest { yield item; }
    }
}
// ANCHOR_END: debounced

use tokio::time::sleep_until;

/// What somebody types, and when.
fn typed() -> impl Stream<Item = &'static str> {
    let start = Instant::now();
    let typed =
        [(0, "a"), (80, "as"), (150, "asy"), (600, "async"), (700, "")];
    futures::stream::iter(typed).then(move |(at, text)| async move {
        sleep_until(start + Duration::from_millis(at)).await;
        text
    })
}

async fn searches() -> Vec<(u128, &'static str)> {
    let start = Instant::now();
    let quiet = Duration::from_millis(200);
    debounced(typed(), quiet, Duration::from_secs(2))
        .map(|text| (start.elapsed().as_millis(), text))
        .collect()
        .await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (at, text) in searches().await {
        println!("{at} ms  search for {text:?}");
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::{sync::mpsc, time::timeout};
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    const QUIET: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn one_search_for_each_pause() {
        assert_eq!(searches().await, [(350, "asy"), (700, "")]);
    }

    /// An item every 100 ms, and never a pause of 200 ms.
    fn busy() -> impl Stream<Item = u32> {
        futures::stream::iter(0..).then(async |item| {
            sleep(Duration::from_millis(100)).await;
            item
        })
    }

    #[tokio::test(start_paused = true)]
    async fn overload_by_a_source_without_a_pause() {
        let start = Instant::now();
        let items = debounced(busy(), QUIET, LONGEST).take(2);
        let times: Vec<_> = items
            .map(|item| (start.elapsed().as_millis(), item))
            .collect()
            .await;
        // The first series starts at 100 ms, the second one at 2100.
        assert_eq!(times, [(2100, 19), (4100, 39)]);
    }

    #[tokio::test]
    async fn overload_by_a_source_that_is_always_ready() {
        let items = futures::stream::repeat(1);
        let longest = Duration::from_millis(5);
        let items = debounced(items, QUIET, longest);
        let seen = within(HOUR, items.take(2).count()).await;
        assert_eq!(seen, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_source_repeats_nothing() {
        let items = futures::stream::iter([1]);
        let items = items.chain(futures::stream::pending());
        let items = debounced(items, QUIET, LONGEST);
        let mut items = std::pin::pin!(items);
        assert_eq!(items.next().await, Some(1));
        assert!(timeout(HOUR, items.next()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_gets_one_item_for_what_came_meanwhile() {
        let (queue, items) = mpsc::channel(100);
        let items = ReceiverStream::new(items);
        let items = debounced(items, QUIET, LONGEST);
        let mut items = std::pin::pin!(items);
        queue.try_send(0).expect("there is room");
        assert_eq!(items.next().await, Some(0));
        for item in 1..50 {
            queue.try_send(item).expect("there is room");
        }
        sleep(HOUR).await;
        assert_eq!(items.next().await, Some(49));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reader_gets_the_newest_of_what_was_taken() {
        let (queue, items) = mpsc::channel(100);
        let items = ReceiverStream::new(items);
        let items = debounced(items, QUIET, LONGEST);
        let mut items = std::pin::pin!(items);
        queue.try_send(0).expect("there is room");
        // It takes item 0, and then nobody asks for a while.
        assert!(futures::poll!(items.next()).is_pending());
        for item in 1..50 {
            queue.try_send(item).expect("there is room");
        }
        sleep(2 * LONGEST).await;
        assert_eq!(items.next().await, Some(0));
        assert_eq!(items.next().await, Some(49));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_nothing() {
        at_every_poll(async |cancel| {
            let items = debounced(typed(), QUIET, LONGEST);
            let mut items = std::pin::pin!(items);
            let mut seen = Vec::new();
            let first = cancel.run(items.next()).await;
            seen.extend(first.flatten());
            seen.extend(items.collect::<Vec<_>>().await);
            assert_eq!(seen, ["asy", ""]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_the_end_of_its_source_loses_nothing() {
        let (queue, items) = mpsc::channel(100);
        let items = debounced(ReceiverStream::new(items), QUIET, HOUR);
        let mut items = std::pin::pin!(items);
        queue.try_send(1).expect("there is room");
        assert!(futures::poll!(items.next()).is_pending());
        drop(queue);
        assert_eq!(items.next().await, Some(1));
        assert_eq!(items.next().await, None);
    }

    /// As the page says.
    #[tokio::test(start_paused = true)]
    async fn stop_by_dropping_it_loses_the_newest() {
        let (queue, items) = mpsc::channel(100);
        let mut source = ReceiverStream::new(items);
        queue.try_send(1).expect("there is room");
        let mut items =
            Box::pin(debounced(source.by_ref(), QUIET, LONGEST));
        assert!(futures::poll!(items.next()).is_pending());
        drop((items, queue));
        assert_eq!(source.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn clock_at_zero_and_below_a_millisecond() {
        for quiet in [Duration::ZERO, Duration::from_nanos(1)] {
            let items = debounced(busy(), quiet, LONGEST).take(3);
            let seen: Vec<_> = items.collect().await;
            assert_eq!(seen, [0, 1, 2]);
        }
        let none = debounced(busy(), QUIET, Duration::ZERO).take(3);
        assert_eq!(none.collect::<Vec<_>>().await, [0, 1, 2]);
        let items = debounced(typed(), QUIET, Duration::MAX);
        assert_eq!(items.count().await, 2);
        let items = debounced(typed(), Duration::MAX, LONGEST);
        assert_eq!(items.collect::<Vec<_>>().await, [""]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_no_item_and_one() {
        let nothing = tokio_stream::empty::<u32>();
        let nothing = debounced(nothing, QUIET, LONGEST);
        assert_eq!(nothing.count().await, 0);
        let one = debounced(tokio_stream::iter([1]), QUIET, LONGEST);
        assert_eq!(one.collect::<Vec<_>>().await, [1]);
    }
}
