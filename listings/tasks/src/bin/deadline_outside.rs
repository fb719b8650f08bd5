//! One deadline for the whole loop, made once.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

// ANCHOR: serve
/// Handles requests for ten seconds at most.
async fn serve(mut requests: mpsc::Receiver<u32>) -> u32 {
    let mut deadline = pin!(sleep(Duration::from_secs(10)));
    let mut handled = 0;
    loop {
        tokio::select! {
            biased;
            () = &mut deadline => return handled,
            request = requests.recv() => match request {
                Some(_) => handled += 1,
                None => return handled,
            },
        }
    }
}
// ANCHOR_END: serve

/// A connection on which something comes each second.
fn requests() -> mpsc::Receiver<u32> {
    let (sender, requests) = mpsc::channel(8);
    tokio::spawn(async move {
        for request in 1..=100 {
            sleep(Duration::from_secs(1)).await;
            // The connection is closed: nobody reads it any more.
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
    async fn it_ends_at_the_deadline() {
        let start = Instant::now();
        assert_eq!(serve(requests()).await, 9);
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_ends_with_the_last_request_on_many_threads() {
        let (sender, requests) = mpsc::channel(8);
        let served = tokio::spawn(serve(requests));
        for request in 0..50 {
            sender.send(request).await.expect("it is served");
        }
        drop(sender);
        assert_eq!(served.await.expect("it does not panic"), 50);
    }
}
