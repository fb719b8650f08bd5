//! On a stop, it finishes its item and then ends.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

// ANCHOR: between
/// Checks the token before it starts a report, and not during it. So
/// after a stop, it takes as long as one report. Dropped, it drops the
/// report that is being made.
fn reports(
    stop: CancellationToken,
    journal: &Journal,
) -> impl Stream<Item = u32> {
    futures::stream::iter(1..)
        .take_until(stop.cancelled_owned())
        .then(|number| report(number, journal))
}
// ANCHOR_END: between

/// Three steps, counted in the journal.
async fn report(number: u32, journal: &Journal) -> u32 {
    for _ in 0..3 {
        sleep(Duration::from_millis(10)).await;
        journal.fetch_add(1, Ordering::Relaxed);
    }
    number
}

use std::sync::atomic::{AtomicU32, Ordering};

type Journal = AtomicU32;

/// Stops after 55 ms. Returns the reports and how many steps were
/// made for them.
async fn stop_soon() -> (Vec<u32>, u32) {
    let (stop, journal) = (CancellationToken::new(), Journal::new(0));
    let stop_later = async {
        sleep(Duration::from_millis(55)).await;
        stop.cancel();
    };
    let reports = reports(stop.clone(), &journal).collect();
    let (reports, ()) = tokio::join!(reports, stop_later);
    (reports, journal.into_inner())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (reports, steps) = stop_soon().await;
    println!("reports {reports:?}, of {steps} steps");
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_in_the_middle_of_a_report() {
        assert_eq!(stop_soon().await, (vec![1, 2], 6));
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
