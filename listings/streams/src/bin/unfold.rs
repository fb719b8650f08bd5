//! The progress of an export, as a stream that ends when it's done.

// ANCHOR: progress
use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, error::Elapsed, sleep, timeout};

const LIMIT: Duration = Duration::from_secs(5);

/// Asks a second after the last answer was read, until the export is
/// done. The last item is 100, or an error.
///
/// If dropped, it stops asking. It never asks ahead.
fn progress(export: Export) -> impl Stream<Item = Result<u8, Unknown>> {
    stream::unfold(Some(export), |export| async move {
        // `None` ends the stream, and so does `?`.
        let mut export = export?;
        sleep(Duration::from_secs(1)).await;
        let answer = timeout(LIMIT, export.percent()).await;
        let percent = answer.map_err(Unknown::NoAnswer).flatten();
        let next = matches!(percent, Ok(0..100)).then_some(export);
        Some((percent, next))
    })
}

#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("no answer: the export may still be running")]
    NoAnswer(#[source] Elapsed),
    #[error("the export has failed at {0} %")]
    Failed(u8),
}
// ANCHOR_END: progress

/// An export somewhere else, which does 40 % in a second.
#[derive(Default)]
struct Export {
    percent: u8,
    fails_at: Option<u8>,
    hangs_at: Option<u8>,
}

impl Export {
    async fn percent(&mut self) -> Result<u8, Unknown> {
        self.percent = (self.percent + 40).min(100);
        if self.hangs_at == Some(self.percent) {
            std::future::pending::<()>().await;
        }
        match self.fails_at {
            Some(at) if at == self.percent => Err(Unknown::Failed(at)),
            _ => Ok(self.percent),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let seen: Vec<_> = progress(Export::default()).collect().await;
    println!("{seen:?}");
    let export = Export { fails_at: Some(80), ..Export::default() };
    let seen: Vec<_> = progress(export).collect().await;
    println!("{seen:?}");
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::TryStreamExt;
    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_item_is_the_end() {
        let start = Instant::now();
        let progress = progress(Export::default());
        let seen: Vec<_> =
            progress.try_collect().await.expect("no failure");
        assert_eq!(seen, [40, 80, 100]);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_loses_nothing() {
        at_every_poll(async |cancel| {
            let mut progress = pin!(progress(Export::default()));
            let first = cancel.run(progress.next()).await.flatten();
            let mut seen: Vec<_> = first.into_iter().collect();
            seen.extend(progress.collect::<Vec<_>>().await);
            let seen: Vec<_> =
                seen.into_iter().filter_map(Result::ok).collect();
            assert_eq!(seen, [40, 80, 100]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_the_last_item() {
        for at in [40, 80, 100] {
            let export =
                Export { hangs_at: Some(at), ..Export::default() };
            let progress = progress(export);
            let seen: Vec<_> = within(HOUR, progress.collect()).await;
            let last = seen.last().expect("an item");
            assert!(matches!(last, Err(Unknown::NoAnswer(_))));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_the_last_item() {
        for (at, before) in [(40, 0), (80, 1), (100, 2)] {
            let export =
                Export { fails_at: Some(at), ..Export::default() };
            let seen: Vec<_> = progress(export).collect().await;
            assert_eq!(seen.len(), before + 1);
            let last = seen.last().expect("an item");
            assert!(
                matches!(last, Err(Unknown::Failed(it)) if *it == at)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "must not be polled after")]
    async fn after_its_end_it_must_not_be_polled() {
        let mut progress = pin!(progress(Export::default()));
        while progress.next().await.is_some() {}
        progress.next().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_done_before_it_is_asked() {
        let export = Export { percent: 100, ..Export::default() };
        assert_eq!(progress(export).count().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let progress =
            progress(Export { percent: 80, ..Export::default() });
        let task = tokio::spawn(progress.count());
        assert_eq!(task.await.expect("no panic"), 1);
    }
}
