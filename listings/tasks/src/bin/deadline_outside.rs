//! One deadline for the whole loop, created once.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

// ANCHOR: serve
/// Handles requests for at most ten seconds. Requests that are still
/// queued after that are dropped with the receiver.
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
    use hazards::{HOUR, at_every_poll, no_task_left_after, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clock_it_ends_at_the_deadline() {
        let start = Instant::now();
        assert_eq!(serve(requests()).await, 9);
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn clock_a_late_wake_up_ends_it_too() {
        for _ in 0..20 {
            let (sender, requests) = mpsc::channel(100);
            let mut served = pin!(serve(requests));
            assert!(futures::poll!(&mut served).is_pending());
            for request in 0..100 {
                sender.try_send(request).expect("there is room");
            }
            tokio::time::advance(HOUR).await;
            // Both are ready, and the deadline wins.
            assert_eq!(served.await, 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_deadline() {
        let (_sender, requests) = mpsc::channel(1);
        assert_eq!(within(HOUR, serve(requests)).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_connection() {
        at_every_poll(async |cancel| {
            cancel.run(serve(requests())).await;
            // The client notices it with its next request.
            no_task_left_after(Duration::from_secs(1)).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_closed_queue_ends_it() {
        let (_, requests) = mpsc::channel(1);
        assert_eq!(within(HOUR, serve(requests)).await, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_ends_with_the_last_request() {
        let (sender, requests) = mpsc::channel(8);
        let served = tokio::spawn(serve(requests));
        for request in 0..50 {
            sender.send(request).await.expect("it is served");
        }
        drop(sender);
        assert_eq!(served.await.expect("no panic"), 50);
    }
}
