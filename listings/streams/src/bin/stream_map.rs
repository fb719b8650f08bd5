//! Shops come and go, and every order says which shop it is from.

// ANCHOR: follow
use futures::{StreamExt, stream::BoxStream};
use tokio::sync::mpsc;
use tokio_stream::{StreamMap, StreamNotifyClose};

/// Logs the orders of all shops, including shops that open later. Ends
/// when no shop can open anymore and all have closed.
///
/// If a shop opens twice, its second stream replaces the first. Orders
/// left in the first one are dropped, so the log says so.
async fn follow(
    mut opening: mpsc::Receiver<(Shop, BoxStream<'static, u32>)>,
    mut log: impl FnMut(String),
) {
    let mut shops = StreamMap::new();
    loop {
        // Not biased: shops that open must not hold up the orders.
        tokio::select! {
            Some((shop, orders)) = opening.recv() => {
                let orders = StreamNotifyClose::new(orders);
                if shops.insert(shop, orders).is_some() {
                    log(format!("{shop} has opened again"));
                }
            }
            // With no shops, the map returns `None`: no match.
            Some((shop, order)) = shops.next() => match order {
                Some(order) => log(format!("{shop}: {order}")),
                None => log(format!("{shop} has closed")),
            },
            else => return,
        }
    }
}
// ANCHOR_END: follow

type Shop = &'static str;

use futures::stream;
use tokio::time::{Duration, sleep};

/// An order every so many milliseconds.
fn orders(milliseconds: u64, count: u32) -> BoxStream<'static, u32> {
    let orders = stream::iter(1..=count);
    let orders = orders.then(move |order| async move {
        sleep(Duration::from_millis(milliseconds)).await;
        order
    });
    orders.boxed()
}

/// One shop opens immediately, and another one after 150 ms.
async fn open(opening: mpsc::Sender<(Shop, BoxStream<'static, u32>)>) {
    for (after, shop, orders) in
        [(0, "Rome", orders(100, 3)), (150, "Oslo", orders(70, 1))]
    {
        sleep(Duration::from_millis(after)).await;
        if opening.send((shop, orders)).await.is_err() {
            return; // The receiver was dropped.
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (opening, receiver) = mpsc::channel(1);
    let follow = follow(receiver, |line| println!("{line}"));
    tokio::join!(follow, open(opening));
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};
    use tokio::time::timeout;

    use super::*;

    const EXPECTED: [&str; 6] = [
        "Rome: 1",
        "Rome: 2",
        "Oslo: 1",
        "Oslo has closed",
        "Rome: 3",
        "Rome has closed",
    ];

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_repeats_no_line() {
        at_every_poll(async |cancel| {
            let mut log = Vec::new();
            let (opening, receiver) = mpsc::channel(1);
            let follow = follow(receiver, |line| log.push(line));
            let both = async { tokio::join!(follow, open(opening)) };
            let complete = cancel.run(both).await.is_some();
            assert_eq!(log, EXPECTED[..log.len()]);
            assert!(!complete || log.len() == EXPECTED.len());
        })
        .await;
    }

    /// What is logged within an hour.
    async fn log_of(
        shops: Vec<(Shop, BoxStream<'static, u32>)>,
    ) -> Vec<String> {
        let mut log = Vec::new();
        let (opening, receiver) = mpsc::channel(shops.len().max(1));
        for shop in shops {
            opening.try_send(shop).ok();
        }
        drop(opening);
        let follow = follow(receiver, |line| log.push(line));
        timeout(HOUR, follow).await.ok();
        log
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_shop_holds_only_itself() {
        let silent = stream::pending().boxed();
        let shops = vec![("Rome", silent), ("Oslo", orders(70, 2))];
        let log = log_of(shops).await;
        assert_eq!(log, ["Oslo: 1", "Oslo: 2", "Oslo has closed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_same_shop_is_logged() {
        let shops =
            vec![("Rome", orders(1, 9)), ("Rome", orders(1, 1))];
        let log = log_of(shops).await;
        let expected =
            ["Rome has opened again", "Rome: 1", "Rome has closed"];
        assert_eq!(log, expected);
    }

    #[tokio::test]
    async fn overload_of_one_shop_leaves_the_others_their_turns() {
        let busy = stream::iter(0..10_000).boxed();
        let log =
            log_of(vec![("Rome", busy), ("Oslo", orders(0, 1))]).await;
        let place = log.iter().position(|line| line == "Oslo: 1");
        assert!(place.is_some_and(|place| place < 10_000), "{place:?}");
    }

    #[tokio::test]
    async fn overload_by_shops_that_open_leaves_the_orders_a_turn() {
        use tokio_stream::wrappers::ReceiverStream;

        let (queue, orders) = mpsc::channel(1);
        queue.try_send(1).expect("there is room");
        let rome = ReceiverStream::new(orders).boxed();
        let opens = |_| ("Oslo", stream::pending().boxed());
        let opening = (0..10_000).map(opens);
        let mut shops = vec![("Rome", rome)];
        shops.extend(opening);
        let mut log = Vec::new();
        let (opening, receiver) = mpsc::channel(shops.len());
        for shop in shops {
            opening.try_send(shop).ok();
        }
        let mut follow =
            Box::pin(follow(receiver, |line| log.push(line)));
        // Each poll stops when the budget of the task is used up.
        for _ in 0..10_000 {
            assert!(futures::poll!(&mut follow).is_pending());
            tokio::task::yield_now().await;
        }
        drop(follow);
        let place = log.iter().position(|line| line == "Rome: 1");
        assert!(place.is_some_and(|place| place < 5_000), "{place:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn edges_without_a_shop_it_ends() {
        let (opening, receiver) = mpsc::channel(1);
        drop(opening);
        within(HOUR, follow(receiver, |_| ())).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_it_can_be_spawned() {
        let (opening, receiver) = mpsc::channel(1);
        let following = tokio::spawn(follow(receiver, |_| ()));
        for shop in ["Rome", "Oslo", "Bern"] {
            let sent = opening.send((shop, orders(1, 3))).await;
            assert!(sent.is_ok());
        }
        drop(opening);
        following.await.expect("no panic");
    }
}
