//! Make room, and send, at the same time.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

// ANCHOR: send_or_make_room
/// Sends an order. Where the queue stays full for 50 ms, takes two
/// orders out, and goes on polling `send` meanwhile.
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
            // The queue is not closed: it is ours.
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_orders_arrive() {
        let (sender, mut queue) = mpsc::channel(1);
        sender.send(1).await.expect("the queue is there");
        let taken = send_or_make_room(&sender, &mut queue).await;
        assert_eq!(taken, [1, 2]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn both_arrive_on_many_threads() {
        let (sender, mut queue) = mpsc::channel(1);
        sender.send(1).await.expect("the queue is there");
        let taken = send_or_make_room(&sender, &mut queue).await;
        assert_eq!(taken, [1, 2]);
    }
}
