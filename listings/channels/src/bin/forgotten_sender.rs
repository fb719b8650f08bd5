//! Wrong: one sender is still alive, so the loop never finishes.

// ANCHOR: wrong
use tokio::{sync::mpsc, task::JoinSet};

/// Three tills report their sales; the report is the sum.
async fn report() -> u32 {
    let (till, mut takings) = mpsc::channel(8);
    let mut tills = JoinSet::new();
    for number in 1..=3 {
        tills.spawn(count(number, till.clone()));
    }
    let mut sum = 0;
    // Wrong: `till` itself is a sender, too, and it's still here.
    while let Some(taken) = takings.recv().await {
        sum += taken;
    }
    sum
}
// ANCHOR_END: wrong

async fn count(number: u32, till: mpsc::Sender<u32>) {
    // Fails only if the report was dropped.
    _ = till.send(number * 100).await;
}

use std::time::Duration;

use tokio::time::timeout;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match timeout(Duration::from_secs(60), report()).await {
        Ok(sum) => println!("the report is {sum}"),
        Err(_) => println!("no report after a minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_last_sender() {
        assert!(timeout(hazards::HOUR, report()).await.is_err());
    }
}
