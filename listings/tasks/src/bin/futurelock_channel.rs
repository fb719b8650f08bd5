//! Wrong: a future that waits to send is no longer polled.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

// ANCHOR: wrong
/// Wrong: the queue is full, and after 50 ms the arm makes room by
/// taking two orders out. The room is reserved for `send`, but nothing
/// polls `send`, so the second order never arrives.
async fn send_or_make_room(
    sender: &mpsc::Sender<u32>,
    queue: &mut mpsc::Receiver<u32>,
) -> Vec<u32> {
    let mut taken = Vec::new();
    let mut send = pin!(sender.send(2));
    tokio::select! {
        _ = &mut send => {}
        () = sleep(Duration::from_millis(50)) => {
            for _ in 0..2 {
                taken.extend(queue.recv().await);
            }
        }
    }
    taken
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (sender, mut queue) = mpsc::channel(1);
    sender.send(1).await.expect("the queue is there");
    let hour = Duration::from_secs(3600);
    match timeout(hour, send_or_make_room(&sender, &mut queue)).await {
        Ok(taken) => println!("taken: {taken:?}"),
        Err(_) => println!("It hung for an hour."),
    }
    println!("left in the queue: {}", queue.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_of_the_queue_does_not_hang() {
        // The mistake: the room goes to a future that nothing polls.
        let (sender, mut queue) = mpsc::channel(1);
        sender.send(1).await.expect("the queue is there");
        let hour = Duration::from_secs(3600);
        let work = send_or_make_room(&sender, &mut queue);
        assert!(timeout(hour, work).await.is_err());
        // The first was taken, the second dropped with its future.
        assert!(queue.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_threads_do_not_help() {
        let (sender, mut queue) = mpsc::channel(1);
        sender.send(1).await.expect("the queue is there");
        let mut send = pin!(sender.send(2));
        assert!(futures::poll!(&mut send).is_pending());
        assert_eq!(queue.recv().await, Some(1));
        // There is room, but it is promised.
        assert!(sender.try_send(3).is_err());
        assert!(queue.is_empty());
        send.await.expect("the queue is there");
        assert_eq!(queue.recv().await, Some(2));
    }
}
