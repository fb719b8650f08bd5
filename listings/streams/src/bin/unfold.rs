//! The progress of an export, as a stream that ends when it is done.

// ANCHOR: progress
use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, sleep};

/// Asks each second, until the export is done. The last item is 100.
///
/// Dropped, it stops asking. Nothing is asked ahead.
fn progress(export: Export) -> impl Stream<Item = u8> {
    stream::unfold(Some(export), |export| async move {
        // `None` ends the stream, and so does `?`.
        let mut export = export?;
        sleep(Duration::from_secs(1)).await;
        let percent = export.percent().await;
        let next = (percent < 100).then_some(export);
        Some((percent, next))
    })
}
// ANCHOR_END: progress

/// An export somewhere else, of which 40 % are done each second.
struct Export {
    percent: u8,
}

impl Export {
    async fn percent(&mut self) -> u8 {
        self.percent = (self.percent + 40).min(100);
        self.percent
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let seen: Vec<_> = progress(Export { percent: 0 }).collect().await;
    println!("{seen:?}");
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_item_is_the_end() {
        let start = Instant::now();
        let seen: Vec<_> =
            progress(Export { percent: 0 }).collect().await;
        assert_eq!(seen, [40, 80, 100]);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_next_loses_nothing() {
        let mut progress = pin!(progress(Export { percent: 0 }));
        let soon = Duration::from_millis(600);
        assert!(timeout(soon, progress.next()).await.is_err());
        // The second of the first item has gone on.
        assert_eq!(timeout(soon, progress.next()).await, Ok(Some(40)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_moves_into_a_task() {
        let progress = progress(Export { percent: 80 });
        let task = tokio::spawn(progress.collect::<Vec<_>>());
        assert_eq!(task.await.expect("no panic"), [100]);
    }
}
