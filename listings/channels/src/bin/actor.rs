//! An actor: one task owns the stock, all others send it messages.

// ANCHOR: actor
use tokio::sync::{mpsc, oneshot};

enum Message {
    Restock { units: u32 },
    Take { units: u32, answer: oneshot::Sender<bool> },
}

/// What others hold of it. The actor ends with the last clone.
#[derive(Clone)]
struct Stock {
    inbox: mpsc::Sender<Message>,
}

/// The actor has ended: at shutdown, or by a panic.
#[derive(Debug, PartialEq)]
struct StockGone;

impl Stock {
    /// Whether there were enough. They are yours then.
    async fn take(&self, units: u32) -> Result<bool, StockGone> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Take { units, answer }).await?;
        answered.await.map_err(|_| StockGone)
    }

    async fn restock(&self, units: u32) -> Result<(), StockGone> {
        self.send(Message::Restock { units }).await
    }

    async fn send(&self, message: Message) -> Result<(), StockGone> {
        self.inbox.send(message).await.map_err(|_| StockGone)
    }
}
// ANCHOR_END: actor

// ANCHOR: run
/// Runs until the last handle is dropped, and returns what is left.
///
/// No lock: only this task touches `units`, one message at a time.
async fn run(
    mut inbox: mpsc::Receiver<Message>,
    mut units: u32,
) -> u32 {
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Restock { units: more } => units += more,
            Message::Take { units: wanted, answer } => {
                let is_enough = wanted <= units;
                // Given back where nobody waits for the answer.
                if answer.send(is_enough).is_ok() && is_enough {
                    units -= wanted;
                }
            }
        }
    }
    units
}

/// Starts the actor. Who holds the second value learns how it ended.
fn start(units: u32) -> (Stock, JoinHandle<u32>) {
    let (inbox, messages) = mpsc::channel(32);
    (Stock { inbox }, tokio::spawn(run(messages, units)))
}
// ANCHOR_END: run

use tokio::task::JoinHandle;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), StockGone> {
    let (stock, actor) = start(10);
    println!("take 8: {}", stock.take(8).await?);
    println!("take 8: {}", stock.take(8).await?);
    stock.restock(20).await?;
    println!("take 8: {}", stock.take(8).await?);
    drop(stock);
    println!("left:   {}", actor.await.expect("it does not panic"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use fastrand::Rng;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_taken_twice() {
        let (stock, actor) = start(100);
        let buyers: Vec<_> = (0..50)
            .map(|_| {
                let stock = stock.clone();
                tokio::spawn(async move { stock.take(3).await })
            })
            .collect();
        drop(stock);
        let mut sold = 0;
        for buyer in buyers {
            let taken =
                buyer.await.expect("no panic").expect("it runs");
            sold += u32::from(taken);
        }
        assert_eq!(sold, 33);
        assert_eq!(actor.await.expect("no panic"), 1);
    }

    /// Drops the future after so many polls, wherever it stands then:
    /// while it waits for room, or when it was just given some.
    async fn dropped_after(
        polls: u32,
        future: impl Future<Output = ()>,
    ) {
        let mut future = pin!(future);
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            future.as_mut().poll(context)
        })
        .await;
    }

    /// Restocks until 125,000 units were accepted, by one producer
    /// after the other: each is cancelled after a random while.
    /// Returns what was accepted, and how many were cancelled.
    async fn produce(stock: Stock, mut random: Rng) -> (u32, u32) {
        let (mut accepted, mut cancelled) = (0, 0);
        while accepted < 125_000 {
            let producer = async {
                loop {
                    stock.restock(1).await.expect("the actor runs");
                    accepted += 1;
                }
            };
            dropped_after(random.u32(1..50), producer).await;
            cancelled += 1;
        }
        (accepted, cancelled)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_million_messages_are_accounted_for() {
        let (stock, actor) = start(0);
        let mut producers = JoinSet::new();
        for seed in 0..8 {
            let random = Rng::with_seed(seed);
            producers.spawn(produce(stock.clone(), random));
        }
        drop(stock);
        let (mut accepted, mut cancelled) = (0, 0);
        for (units, times) in producers.join_all().await {
            accepted += units;
            cancelled += times;
        }
        // Those that were accepted, and no other.
        assert_eq!(actor.await.expect("no panic"), accepted);
        assert!(accepted >= 1_000_000, "{accepted}");
        assert!(cancelled > 100, "{cancelled}");
    }

    #[tokio::test]
    async fn an_actor_that_has_ended_is_told() {
        let (stock, actor) = start(10);
        actor.abort();
        assert!(actor.await.expect_err("aborted").is_cancelled());
        assert_eq!(stock.take(1).await, Err(StockGone));
        assert_eq!(stock.restock(1).await, Err(StockGone));
    }
}
