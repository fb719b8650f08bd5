//! Leave the loop in the branches that end it, and in no other branch.
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let (sender, mut delays) = mpsc::channel(8);
    let station = tokio::spawn(async move {
        for delay in [7, 2] {
            // It fails only if the receiver is dropped.
            let _ = sender.send(delay).await;
        }
    });
    // ANCHOR: ends
    let mut count = 0;
    loop {
        tokio::select! {
            biased;
            delay = delays.recv() => match delay {
                Some(delay) => println!("{delay} minutes late"),
                // All senders are dropped.
                None => break,
            },
            () = sleep(Duration::from_secs(60)) => break,
        }
        count += 1;
    }
    println!("{count} trains were late");
    // ANCHOR_END: ends
    // After a silent minute, the station is still running.
    station.abort();
    match station.await {
        Err(error) if error.is_panic() => Err(error),
        _ => Ok(()),
    }
}
