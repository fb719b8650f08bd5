//! Wrong: a sender is still alive, so the loop never ends.

// ANCHOR: wrong
use tokio::sync::mpsc;

/// Three tills report what they took; the report is their sum.
async fn report() -> u32 {
    let (till, mut takings) = mpsc::channel(8);
    for number in 1..=3 {
        let till = till.clone();
        tokio::spawn(async move {
            // Fails only where the report has been given up.
            let _ = till.send(number * 100).await;
        });
    }
    let mut sum = 0;
    // Wrong: `till` itself is a sender, too, and lives to the end.
    while let Some(taken) = takings.recv().await {
        sum += taken;
    }
    sum
}
// ANCHOR_END: wrong

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
    async fn it_never_ends() {
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(timeout(day, report()).await.is_err());
    }
}
