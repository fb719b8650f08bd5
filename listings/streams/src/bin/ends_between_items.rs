//! It is told to stop, finishes its item, and ends.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

// ANCHOR: between
/// Looks at the token before it begins a report, and not during it.
fn reports(
    stop: CancellationToken,
    journal: &Journal,
) -> impl Stream<Item = u32> {
    futures::stream::iter(1..)
        .take_until(stop.cancelled_owned())
        .then(|number| report(number, journal))
}
// ANCHOR_END: between

/// Three steps, each of which is noted.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_report_is_finished() {
        assert_eq!(stop_soon().await, (vec![1, 2], 6));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_the_stop_none_is_begun() {
        let (stop, journal) =
            (CancellationToken::new(), Journal::new(0));
        stop.cancel();
        assert_eq!(reports(stop, &journal).count().await, 0);
        assert_eq!(journal.into_inner(), 0);
    }
}
