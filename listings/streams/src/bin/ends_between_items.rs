//! On shutdown, the stream finishes its item and then ends.

use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;

// ANCHOR: between
/// Checks the token before it starts a report, but not during a report.
/// A stop thus takes as long as one report, ten seconds at most. If
/// dropped, it drops the report in progress.
fn reports(
    stop: CancellationToken,
    journal: &Journal,
) -> impl Stream<Item = Result<u32, TooSlow>> {
    futures::stream::iter(1..).take_until(stop.cancelled_owned()).then(
        move |number| async move {
            let limit = Duration::from_secs(10);
            let making = timeout(limit, report(number, journal)).await;
            making.map_err(|_elapsed| TooSlow(number))
        },
    )
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("report {0} takes more than ten seconds")]
struct TooSlow(u32);
// ANCHOR_END: between

/// Three steps, counted in the journal.
async fn report(number: u32, journal: &Journal) -> u32 {
    for _ in 0..3 {
        sleep(Duration::from_millis(10)).await;
        if journal.load(Ordering::Relaxed) == HANGS_AT {
            std::future::pending::<()>().await;
        }
        journal.fetch_add(1, Ordering::Relaxed);
    }
    number
}

use std::sync::atomic::{AtomicU32, Ordering};

type Journal = AtomicU32;

/// A journal with so many steps takes no more.
const HANGS_AT: u32 = 1000;

/// Stops after 55 ms. Returns the reports and how many steps were
/// made for them.
async fn stop_soon() -> (Result<Vec<u32>, TooSlow>, u32) {
    let (stop, journal) = (CancellationToken::new(), Journal::new(0));
    let stop_later = async {
        sleep(Duration::from_millis(55)).await;
        stop.cancel();
    };
    let reports = reports(stop.clone(), &journal).try_collect();
    let (reports, ()) = tokio::join!(reports, stop_later);
    (reports, journal.into_inner())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), TooSlow> {
    let (reports, steps) = stop_soon().await;
    println!("reports {:?}, of {steps} steps", reports?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_in_the_middle_of_a_report() {
        assert_eq!(stop_soon().await, (Ok(vec![1, 2]), 6));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_at_every_poll_finishes_the_report() {
        for polls in 0..50 {
            let stop = CancellationToken::new();
            let journal = Journal::new(0);
            let later = async {
                for _ in 0..polls {
                    yield_now().await;
                }
                sleep(Duration::from_millis(polls)).await;
                stop.cancel();
            };
            let reports = reports(stop.clone(), &journal);
            let (count, ()) = tokio::join!(reports.count(), later);
            let steps = journal.into_inner() as usize;
            assert_eq!(steps, 3 * count, "after {polls} polls");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_in_a_report_bounds_the_stop() {
        let stop = CancellationToken::new();
        let journal = Journal::new(HANGS_AT - 1);
        let later = async {
            sleep(Duration::from_millis(15)).await;
            stop.cancel();
        };
        let reports = reports(stop.clone(), &journal);
        let both = async {
            tokio::join!(reports.collect::<Vec<_>>(), later).0
        };
        assert_eq!(within(HOUR, both).await, [Err(TooSlow(1))]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_next_makes_no_step_twice() {
        at_every_poll(async |cancel| {
            let stop = CancellationToken::new();
            let journal = Journal::new(0);
            let reports = reports(stop.clone(), &journal).take(3);
            let mut reports = std::pin::pin!(reports);
            let first = cancel.run(reports.next()).await;
            let count = reports.count().await;
            assert_eq!(count + usize::from(first.is_some()), 3);
            assert_eq!(journal.load(Ordering::Relaxed), 9);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_after_the_stop_none_is_started() {
        let (stop, journal) =
            (CancellationToken::new(), Journal::new(0));
        stop.cancel();
        assert_eq!(reports(stop, &journal).count().await, 0);
        assert_eq!(journal.into_inner(), 0);
    }
}
