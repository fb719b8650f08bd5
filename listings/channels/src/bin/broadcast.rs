//! Each subscriber gets each message.

// ANCHOR: publish
use tokio::{
    sync::broadcast::{self, error::RecvError},
    task::JoinSet,
};

/// Notes each price, until the exchange has closed.
async fn follow(
    name: &'static str,
    mut prices: broadcast::Receiver<u32>,
) -> Report {
    let mut report = Report { name, seen: Vec::new(), missed: 0 };
    loop {
        match prices.recv().await {
            Ok(price) => report.seen.push(price),
            // Too slow: so many were overwritten. The next call goes
            // on with the oldest that is still there.
            Err(RecvError::Lagged(missed)) => report.missed += missed,
            Err(RecvError::Closed) => return report,
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (exchange, _) = broadcast::channel(16);
    let mut followers = JoinSet::new();
    for name in ["screen", "archive"] {
        // Subscribed here, not in the task: it misses nothing.
        followers.spawn(follow(name, exchange.subscribe()));
    }
    for price in [101, 99, 104] {
        // Fails where nobody follows, which is no error here.
        let _ = exchange.send(price);
    }
    drop(exchange); // Closes it: the followers end.
    while let Some(joined) = followers.join_next().await {
        println!("{:?}", joined.expect("no follower panics"));
    }
}
// ANCHOR_END: publish

#[derive(Debug, PartialEq)]
struct Report {
    name: &'static str,
    seen: Vec<u32>,
    missed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_follower_sees_each_price() {
        let (exchange, _) = broadcast::channel(16);
        let one = tokio::spawn(follow("one", exchange.subscribe()));
        let two = tokio::spawn(follow("two", exchange.subscribe()));
        for price in 0..10 {
            exchange.send(price).expect("two follow");
        }
        drop(exchange);
        for follower in [one, two] {
            let report = follower.await.expect("no panic");
            assert!(report.seen.into_iter().eq(0..10));
        }
    }

    #[tokio::test]
    async fn what_was_missed_is_counted() {
        let (exchange, prices) = broadcast::channel(4);
        for price in 0..10 {
            exchange.send(price).expect("one follows");
        }
        drop(exchange);
        let report = follow("slow", prices).await;
        assert_eq!(report.missed, 6);
        assert_eq!(report.seen, [6, 7, 8, 9]);
    }
}
