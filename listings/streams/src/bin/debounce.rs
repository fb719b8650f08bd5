//! The last of a series, when it has been quiet for 200 ms.

// ANCHOR: debounced
use async_stream::stream;
use futures::{Stream, StreamExt};
use tokio::time::{Duration, Instant, sleep, sleep_until};

/// The newest item, when no other one has come for `quiet`. At the
/// end of the stream, the last one comes without a wait.
fn debounced<S: Stream>(
    items: S,
    quiet: Duration,
) -> impl Stream<Item = S::Item> {
    stream! {
        let mut items = std::pin::pin!(items);
        let mut newest = None;
        let mut timer = std::pin::pin!(sleep(quiet));
        loop {
            tokio::select! {
                biased;
                item = items.next() => match item {
                    Some(item) => {
                        newest = Some(item);
                        let until = Instant::now() + quiet;
                        timer.as_mut().reset(until);
                    }
                    None => break,
                },
                () = timer.as_mut(), if newest.is_some() => {
                    yield newest.take();
                }
            }
        }
        yield newest;
    }
    .filter_map(std::future::ready)
}
// ANCHOR_END: debounced

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
    debounced(typed(), Duration::from_millis(200))
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_search_for_each_pause() {
        assert_eq!(searches().await, [(350, "asy"), (700, "")]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_empty_stream_has_nothing() {
        let nothing = tokio_stream::empty::<u32>();
        let nothing = debounced(nothing, Duration::from_millis(1));
        assert_eq!(nothing.count().await, 0);
    }
}
