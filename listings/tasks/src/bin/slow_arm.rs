//! While an arm waits, no other branch is looked at.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

// ANCHOR: two_ways
/// One loop for both queues. Its arms wait, so mails wait for prints.
async fn in_one_loop(mut mails: Queue, mut prints: Queue) {
    loop {
        tokio::select! {
            biased;
            Some(mail) = mails.recv() => handle(mail).await,
            Some(print) = prints.recv() => handle(print).await,
            else => return,
        }
    }
}

/// A loop for each queue, in the same task. Neither waits for the
/// other.
async fn in_two_loops(mails: Queue, prints: Queue) {
    tokio::join!(handle_all(mails), handle_all(prints));
}

async fn handle_all(mut queue: Queue) {
    while let Some(job) = queue.recv().await {
        handle(job).await;
    }
}
// ANCHOR_END: two_ways

type Queue = mpsc::Receiver<u32>;

/// Takes a second, in which it only waits.
async fn handle(_job: u32) {
    sleep(Duration::from_secs(1)).await;
}

/// A queue with three jobs, and no more to come.
fn queue() -> Queue {
    let (sender, queue) = mpsc::channel(3);
    for job in 1..=3 {
        sender.try_send(job).expect("there is room for three");
    }
    queue
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    in_one_loop(queue(), queue()).await;
    println!("in one loop:  {} s", start.elapsed().as_secs());

    let start = Instant::now();
    in_two_loops(queue(), queue()).await;
    println!("in two loops: {} s", start.elapsed().as_secs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_arm_that_waits_holds_up_the_others() {
        let start = Instant::now();
        in_one_loop(queue(), queue()).await;
        assert_eq!(start.elapsed(), Duration::from_secs(6));
        let start = Instant::now();
        in_two_loops(queue(), queue()).await;
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_job_is_taken_on_many_threads() {
        let (one, two) = (mpsc::channel(1), mpsc::channel(1));
        drop((one.0, two.0));
        in_one_loop(one.1, two.1).await;
    }
}
