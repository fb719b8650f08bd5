//! A token tells several tasks to stop, each between two steps.

// ANCHOR: poll_mail
use tokio::time::{Duration, interval, sleep};
use tokio_util::sync::CancellationToken;

/// Fetches mail every second until it is told to stop, and returns how
/// often it did. A fetch that has begun is finished.
async fn poll_mail(stop: CancellationToken) -> u32 {
    let mut every = interval(Duration::from_secs(1));
    let mut fetched = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return fetched,
            _ = every.tick() => {}
        }
        // Not in the `select!`: nobody drops it halfway.
        fetch().await;
        fetched += 1;
    }
}
// ANCHOR_END: poll_mail

async fn fetch() {
    sleep(Duration::from_millis(300)).await;
}

// ANCHOR: run
/// Two mailboxes; after 1,100 ms, in the middle of a fetch, both stop.
async fn run() -> [u32; 2] {
    let stop = CancellationToken::new();
    let first = tokio::spawn(poll_mail(stop.clone()));
    let second = tokio::spawn(poll_mail(stop.clone()));
    sleep(Duration::from_millis(1100)).await;
    stop.cancel();
    [first.await, second.await]
        .map(|fetched| fetched.expect("a mailbox does not panic"))
}
// ANCHOR_END: run

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("fetched, each to the end: {:?}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fetch_is_finished() {
        let start = tokio::time::Instant::now();
        assert_eq!(run().await, [2, 2]);
        assert_eq!(start.elapsed(), Duration::from_millis(1300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_keeps_for_those_who_come_late() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(poll_mail(stop).await, 0);
    }
}
