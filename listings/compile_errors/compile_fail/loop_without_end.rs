//! Wrong: the first loop ends in each of its branches, and the second one never ends.
#![deny(clippy::never_loop, unreachable_code)]
use std::time::Duration;
use tokio::{sync::mpsc::Receiver, time::sleep};

async fn announce(mut delays: Receiver<u32>) {
    loop {
        tokio::select! {
            delay = delays.recv() => {
                println!("{delay:?} minutes late");
                break;
            }
            () = sleep(Duration::from_secs(60)) => return,
        }
    }
}

async fn count(mut delays: Receiver<u32>) -> u32 {
    let mut count = 0;
    loop {
        let _ = delays.recv().await;
        count += 1;
        println!("{count} trains are late");
    }
    count
}

fn main() {
    let _ = (announce, count);
}
