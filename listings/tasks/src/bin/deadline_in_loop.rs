//! Wrong: every iteration restarts the deadline.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

// ANCHOR: wrong
/// Wrong: every iteration calls `sleep` again, so every iteration gets
/// its own ten seconds. With a request every second, it never fires.
async fn serve(mut requests: mpsc::Receiver<u32>) -> u32 {
    let mut handled = 0;
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(_) => handled += 1,
                None => return handled,
            },
            () = sleep(Duration::from_secs(10)) => return handled,
        }
    }
}
// ANCHOR_END: wrong

/// A connection on which a request arrives every second.
fn requests() -> mpsc::Receiver<u32> {
    let (sender, requests) = mpsc::channel(8);
    tokio::spawn(async move {
        for request in 1..=100 {
            sleep(Duration::from_secs(1)).await;
            // The connection is closed: the receiver is dropped.
            if sender.send(request).await.is_err() {
                return;
            }
        }
    });
    requests
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let handled = serve(requests()).await;
    let seconds = start.elapsed().as_secs();
    println!("{handled} requests in {seconds} s; the limit is 10 s");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_it_ends_at_the_deadline() {
        // The mistake: the deadline never fires.
        assert_eq!(serve(requests()).await, 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn requests_are_handled_on_many_threads() {
        let (sender, requests) = mpsc::channel(8);
        let served = tokio::spawn(serve(requests));
        for request in 0..50 {
            sender.send(request).await.expect("it is served");
        }
        drop(sender);
        assert_eq!(served.await.expect("it does not panic"), 50);
    }
}
