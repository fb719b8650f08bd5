//! What becomes of the others when one fails.

// ANCHOR: two_ways
use futures::{StreamExt, TryStreamExt, stream};

/// Ends at the first error. What is under way then is dropped.
async fn all_or_error(mails: u64) -> Result<Vec<u64>, Bounced> {
    stream::iter(1..=mails)
        .map(send)
        .buffer_unordered(4)
        .try_collect()
        .await
}

/// Each is sent, and the errors are results like others.
async fn each_on_its_own(mails: u64) -> (Vec<u64>, Vec<Bounced>) {
    let outcomes: Vec<_> = stream::iter(1..=mails)
        .map(send)
        .buffer_unordered(4)
        .collect()
        .await;
    let (mut sent, mut bounced) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(mail) => sent.push(mail),
            Err(error) => bounced.push(error),
        }
    }
    (sent, bounced)
}
// ANCHOR_END: two_ways

use tokio::time::{Duration, Instant, sleep};

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("mail {0} came back")]
struct Bounced(u64);

/// The third one comes back.
async fn send(mail: u64) -> Result<u64, Bounced> {
    sleep(Duration::from_millis(10 * mail)).await;
    if mail == 3 { Err(Bounced(mail)) } else { Ok(mail) }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let outcome = all_or_error(8).await;
    println!("{} ms  {outcome:?}", start.elapsed().as_millis());
    let start = Instant::now();
    let (sent, bounced) = each_on_its_own(8).await;
    let took = start.elapsed().as_millis();
    println!("{took} ms  sent {sent:?}, {bounced:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_ends_and_the_other_goes_on() {
        let start = Instant::now();
        assert_eq!(all_or_error(8).await, Err(Bounced(3)));
        assert_eq!(start.elapsed().as_millis(), 30);
        let (sent, bounced) = each_on_its_own(8).await;
        assert_eq!(sent, [1, 2, 4, 5, 6, 7, 8]);
        assert_eq!(bounced, [Bounced(3)]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_an_error_all_are_sent() {
        assert_eq!(all_or_error(2).await, Ok(vec![1, 2]));
    }
}
