//! The last sender is dropped, and the loop ends.

// ANCHOR: report
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
    drop(till); // Each task has its own; this one would stay.
    let mut sum = 0;
    while let Some(taken) = takings.recv().await {
        sum += taken;
    }
    sum
}
// ANCHOR_END: report

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("the report is {}", report().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_last_till() {
        assert_eq!(report().await, 600);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_on_many_threads() {
        assert_eq!(report().await, 600);
    }
}
