//! Shops come and go, and each order says from which one it is.

// ANCHOR: follow
use futures::{StreamExt, stream::BoxStream};
use tokio::sync::mpsc;
use tokio_stream::{StreamMap, StreamNotifyClose};

/// Writes down the orders of all shops, also of those that open later.
/// Ends when no shop can open any more and all have closed.
async fn follow(
    mut opening: mpsc::Receiver<(Shop, BoxStream<'static, u32>)>,
) -> Vec<String> {
    let mut shops = StreamMap::new();
    let mut log = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some((shop, orders)) = opening.recv() => {
                shops.insert(shop, StreamNotifyClose::new(orders));
            }
            // Without shops, the map says `None`, which is no item.
            Some((shop, order)) = shops.next() => match order {
                Some(order) => log.push(format!("{shop}: {order}")),
                None => log.push(format!("{shop} has closed")),
            },
            else => return log,
        }
    }
}
// ANCHOR_END: follow

type Shop = &'static str;

use futures::stream;
use tokio::time::{Duration, sleep};

/// An order each so many milliseconds.
fn orders(milliseconds: u64, count: u32) -> BoxStream<'static, u32> {
    let orders = stream::iter(1..=count);
    let orders = orders.then(move |order| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        order
    });
    orders.boxed()
}

/// One shop opens at once, and another one after 150 ms.
async fn open(opening: mpsc::Sender<(Shop, BoxStream<'static, u32>)>) {
    for (after, shop, orders) in
        [(0, "Rome", orders(100, 3)), (150, "Oslo", orders(70, 1))]
    {
        sleep(Duration::from_millis(after)).await;
        opening.send((shop, orders)).await.expect("it follows");
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (opening, receiver) = mpsc::channel(1);
    let (log, ()) = tokio::join!(follow(receiver), open(opening));
    for line in log {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_says_who_and_who_has_closed() {
        let (opening, receiver) = mpsc::channel(1);
        let (log, ()) = tokio::join!(follow(receiver), open(opening));
        let expected = [
            "Rome: 1",
            "Rome: 2",
            "Oslo: 1",
            "Oslo has closed",
            "Rome: 3",
            "Rome has closed",
        ];
        assert_eq!(log, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_shop_it_ends() {
        let (opening, receiver) = mpsc::channel(1);
        drop(opening);
        assert!(follow(receiver).await.is_empty());
    }

    #[tokio::test]
    async fn the_same_key_replaces() {
        let mut shops = StreamMap::new();
        shops.insert("Rome", orders(1, 1));
        assert!(shops.insert("Rome", orders(1, 2)).is_some());
        assert!(shops.remove("Rome").is_some());
        assert!(shops.is_empty());
    }
}
