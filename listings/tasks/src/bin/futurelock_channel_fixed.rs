//! Keep polling `send` while making room for it.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

// ANCHOR: send_or_make_room
/// Sends an order. If the queue stays full for 50 ms, takes two
/// orders out, and polls `send` in the meantime. `send` can fail
/// only if the receiver was closed before, because it's borrowed here.
///
/// Dropping this future loses the order and what it has taken out.
async fn send_or_make_room(
    sender: &mpsc::Sender<u32>,
    queue: &mut mpsc::Receiver<u32>,
) -> Vec<u32> {
    let mut taken = Vec::new();
    let mut send = pin!(sender.send(2));
    tokio::select! {
        _ = &mut send => {}
        () = sleep(Duration::from_millis(50)) => {
            let make_room = async {
                for _ in 0..2 {
                    taken.extend(queue.recv().await);
                }
            };
            let (_, ()) = tokio::join!(send, make_room);
        }
    }
    taken
}
// ANCHOR_END: send_or_make_room

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
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overload_of_the_queue_does_not_hang() {
        let (sender, mut queue) = mpsc::channel(1);
        sender.send(1).await.expect("the queue is there");
        let work = send_or_make_room(&sender, &mut queue);
        assert_eq!(within(HOUR, work).await, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_room() {
        // There is room: nothing is taken out.
        let (sender, mut queue) = mpsc::channel(1);
        let work = send_or_make_room(&sender, &mut queue);
        assert!(within(HOUR, work).await.is_empty());
        assert_eq!(queue.len(), 1);
        // Two are taken out, and there is room for the third.
        let (sender, mut queue) = mpsc::channel(2);
        for order in [0, 1] {
            sender.send(order).await.expect("the queue is there");
        }
        let work = send_or_make_room(&sender, &mut queue);
        assert_eq!(within(HOUR, work).await, [0, 1]);
        assert_eq!(queue.try_recv(), Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_queue_usable() {
        at_every_poll(async |cancel| {
            let (sender, mut queue) = mpsc::channel(1);
            sender.send(1).await.expect("the queue is there");
            let work = send_or_make_room(&sender, &mut queue);
            cancel.run(work).await;
            // No room is reserved for a future that was dropped.
            while queue.try_recv().is_ok() {}
            assert!(sender.try_send(3).is_ok());
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_both_arrive() {
        let (sender, mut queue) = mpsc::channel(1);
        sender.send(1).await.expect("the queue is there");
        let taken = send_or_make_room(&sender, &mut queue).await;
        assert_eq!(taken, [1, 2]);
    }
}
