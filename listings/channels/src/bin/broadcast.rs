//! Every subscriber gets every message.

// ANCHOR: publish
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::task::JoinMap;

/// Records every price until the exchange is closed.
async fn follow(mut prices: broadcast::Receiver<u32>) -> Report {
    let mut report = Report { seen: Vec::new(), missed: 0 };
    loop {
        match prices.recv().await {
            Ok(price) => report.seen.push(price),
            // Too slow: `missed` prices were overwritten. The next
            // call returns the oldest price that's still there.
            Err(RecvError::Lagged(missed)) => report.missed += missed,
            Err(RecvError::Closed) => return report,
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (exchange, _) = broadcast::channel(16);
    let mut followers = JoinMap::new();
    for name in ["screen", "archive"] {
        // Subscribe before the spawn, to miss no price.
        followers.spawn(name, follow(exchange.subscribe()));
    }
    for price in [101, 99, 104] {
        // Fails if there is no follower, which is fine here.
        _ = exchange.send(price);
    }
    drop(exchange); // Closes the channel: the followers finish.
    while let Some((name, joined)) = followers.join_next().await {
        match joined {
            Ok(report) => println!("{name}: {report:?}"),
            Err(error) => println!("{name} failed: {error}"),
        }
    }
}
// ANCHOR_END: publish

#[derive(Debug, PartialEq)]
struct Report {
    seen: Vec<u32>,
    missed: u64,
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_see_every_price() {
        for _ in 0..50 {
            let (exchange, _) = broadcast::channel(16);
            let mut followers = JoinMap::new();
            for name in 0..4 {
                followers.spawn(name, follow(exchange.subscribe()));
            }
            for price in 0..10 {
                exchange.send(price).expect("four follow");
            }
            drop(exchange);
            while let Some((_, joined)) = followers.join_next().await {
                let report = joined.expect("no panic");
                assert!(report.seen.into_iter().eq(0..10));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_archive_after_a_lag() {
        let (exchange, prices) = broadcast::channel(4);
        for price in 0..10 {
            exchange.send(price).expect("one follows");
        }
        drop(exchange);
        let report = within(HOUR, follow(prices)).await;
        let seen = vec![6, 7, 8, 9];
        assert_eq!(report, Report { seen, missed: 6 });
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_follower_is_reported_by_its_name() {
        let (exchange, _) = broadcast::channel(16);
        let mut followers = JoinMap::new();
        followers.spawn("archive", follow(exchange.subscribe()));
        let mut prices = exchange.subscribe();
        followers.spawn("screen", async move {
            panic!("the screen is broken: {:?}", prices.recv().await)
        });
        for price in 0..3 {
            exchange.send(price).expect("they follow");
        }
        drop(exchange);
        while let Some((name, joined)) = followers.join_next().await {
            match joined {
                Ok(report) => assert_eq!(report.seen, [0, 1, 2]),
                Err(error) => {
                    assert_eq!(name, "screen");
                    assert!(error.to_string().contains("broken"));
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_one_follower_leaves_the_other() {
        at_every_poll(async |cancel| {
            let (exchange, _) = broadcast::channel(16);
            let one = cancel.run(follow(exchange.subscribe()));
            let other = follow(exchange.subscribe());
            let send = async {
                for price in 0..3 {
                    exchange.send(price).expect("one follows");
                    tokio::task::yield_now().await;
                }
                drop(exchange);
            };
            let (_, other, ()) = tokio::join!(one, other, send);
            assert_eq!(other.seen, [0, 1, 2]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_followers() {
        let (exchange, _) = broadcast::channel::<u32>(16);
        let mut followers = JoinMap::new();
        followers.spawn("screen", follow(exchange.subscribe()));
        drop(followers);
        no_task_left().await;
        assert!(exchange.send(101).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_price_and_no_follower() {
        let (exchange, prices) = broadcast::channel(1);
        drop(exchange);
        let nothing = Report { seen: vec![], missed: 0 };
        assert_eq!(follow(prices).await, nothing);
    }
}
