//! Wrong: on shutdown, the stream drops the item that it's working on.

use futures::{Stream, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

// ANCHOR: wrong
/// Wrong: `take_until` ends the stream at any `.await`. The report that
/// is being made is dropped with it.
fn reports(
    stop: CancellationToken,
    journal: &Journal,
) -> impl Stream<Item = u32> {
    futures::stream::iter(1..)
        .then(|number| report(number, journal))
        .take_until(stop.cancelled_owned())
}
// ANCHOR_END: wrong

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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stop_in_the_middle_of_a_report() {
        assert_eq!(stop_soon().await, (vec![1], 5));
    }
}
