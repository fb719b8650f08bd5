//! An actor: one task owns the stock, and all others send it messages.

// ANCHOR: actor
use tokio::sync::{mpsc, oneshot};

enum Message {
    Restock { units: u32 },
    Take { units: u32, answer: oneshot::Sender<Option<Taken>> },
}

/// The handle. The actor ends with its last clone.
#[derive(Clone)]
struct Stock {
    inbox: mpsc::Sender<Message>,
}

impl Stock {
    /// Takes this many units, or none if there aren't enough.
    ///
    /// If this is canceled, the units stay in stock or return to it.
    async fn take(
        &self,
        units: u32,
    ) -> Result<Option<Taken>, StockGone> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Take { units, answer }).await?;
        tokio::select! {
            biased;
            taken = answered => taken.map_err(|_| StockGone),
            () = self.inbox.closed() => Err(StockGone),
        }
    }

    /// `Ok`: the actor will add them, unless it panics or is aborted
    /// first. If this call is canceled, nothing is added.
    async fn restock(&self, units: u32) -> Result<(), StockGone> {
        self.send(Message::Restock { units }).await
    }

    async fn send(&self, message: Message) -> Result<(), StockGone> {
        self.inbox.send(message).await.map_err(|_| StockGone)
    }
}
// ANCHOR_END: actor

// ANCHOR: taken
/// The actor has ended: it was aborted, or it panicked.
#[derive(Debug, PartialEq)]
struct StockGone;

/// Units that were taken. If this is dropped before `keep` is called,
/// they return to stock.
struct Taken {
    units: u32,
    back: mpsc::UnboundedSender<u32>,
}

impl Taken {
    fn keep(mut self) -> u32 {
        std::mem::take(&mut self.units)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.units > 0 {
            // Fails if the actor was aborted: then the stock is lost, too.
            _ = self.back.send(self.units);
        }
    }
}
// ANCHOR_END: taken

// ANCHOR: run
/// Runs until the last handle is dropped and every [`Taken`] is kept
/// or returned. Returns the units that are left.
async fn run(mut inbox: mpsc::Receiver<Message>, units: u32) -> u64 {
    let mut units = u64::from(units);
    let (back, mut returned) = mpsc::unbounded_channel();
    loop {
        let message = tokio::select! {
            biased;
            Some(more) = returned.recv() => {
                units += u64::from(more);
                continue;
            }
            message = inbox.recv() => message,
        };
        match message {
            Some(Message::Restock { units: more }) => {
                units += u64::from(more);
            }
            Some(Message::Take { units: wanted, answer }) => {
                let left = units.checked_sub(wanted.into());
                let taken = left.map(|left| {
                    units = left;
                    Taken { units: wanted, back: back.clone() }
                });
                // An unread answer is dropped, which returns the units.
                _ = answer.send(taken);
            }
            None => break,
        }
    }
    drop(back);
    while let Some(more) = returned.recv().await {
        units += u64::from(more);
    }
    units
}
// ANCHOR_END: run

use tokio::task::JoinHandle;

/// Starts the actor. Its task's handle says how it ended.
fn start(units: u32) -> (Stock, JoinHandle<u64>) {
    let (inbox, messages) = mpsc::channel(32);
    (Stock { inbox }, tokio::spawn(run(messages, units)))
}

async fn sell(stock: &Stock, units: u32) -> Result<(), StockGone> {
    let taken = stock.take(units).await?;
    println!("take {units}: {:?}", taken.map(Taken::keep));
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), StockGone> {
    let (stock, actor) = start(10);
    sell(&stock, 8).await?;
    sell(&stock, 8).await?;
    stock.restock(20).await?;
    sell(&stock, 8).await?;
    drop(stock.take(8).await?);
    drop(stock);
    println!("left:   {}", actor.await.expect("it doesn't panic"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use fastrand::Rng;
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_take_nothing_twice() {
        let (stock, actor) = start(100);
        let mut buyers = JoinSet::new();
        for buyer in 0..50 {
            let stock = stock.clone();
            buyers.spawn(async move {
                let taken = stock.take(3).await.expect("it runs");
                // Every other buyer changes its mind.
                taken.filter(|_| buyer % 2 == 0).map(Taken::keep)
            });
        }
        drop(stock);
        let sold: u32 =
            buyers.join_all().await.into_iter().flatten().sum();
        let left = actor.await.expect("no panic");
        assert_eq!(u64::from(sold) + left, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_or_returns_the_units() {
        at_every_poll(async |cancel| {
            let (stock, actor) = start(10);
            let taken = cancel.run(stock.take(3)).await;
            let kept = taken
                .and_then(|taken| taken.expect("it runs"))
                .map_or(0, Taken::keep);
            drop(stock);
            let left = actor.await.expect("no panic");
            assert_eq!(u64::from(kept) + left, 10);
        })
        .await;
    }

    /// The answer is in the channel, and the caller leaves.
    #[tokio::test(start_paused = true)]
    async fn cancel_between_the_answer_and_its_reading() {
        let (stock, actor) = start(10);
        {
            let mut take = pin!(stock.take(3));
            assert!(futures::poll!(take.as_mut()).is_pending());
            yield_now().await; // The actor answers.
        }
        drop(stock);
        assert_eq!(actor.await.expect("no panic"), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_served_in_the_end() {
        let (stock, actor) = start(100);
        let takes = (0..65).map(|_| stock.take(1));
        let taken = futures::future::join_all(takes).await;
        let kept = taken.into_iter().map(|taken| {
            taken.expect("it runs").map_or(0, Taken::keep)
        });
        assert_eq!(kept.sum::<u32>(), 65);
        drop(stock);
        assert_eq!(actor.await.expect("no panic"), 35);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_buyers_hold_nobody_up() {
        let (stock, actor) = start(10);
        let slow = stock.take(4).await.expect("it runs");
        for _ in 0..2 {
            let taken = stock.take(3).await.expect("it runs");
            assert_eq!(taken.map(Taken::keep), Some(3));
        }
        assert!(stock.take(1).await.expect("it runs").is_none());
        drop(slow);
        drop(stock);
        assert_eq!(actor.await.expect("no panic"), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_nothing_everything_and_the_largest() {
        let (stock, actor) = start(u32::MAX);
        stock.restock(u32::MAX).await.expect("it runs");
        for units in [0, u32::MAX, u32::MAX] {
            let taken = stock.take(units).await.expect("it runs");
            assert_eq!(taken.map(Taken::keep), Some(units));
        }
        assert!(stock.take(1).await.expect("it runs").is_none());
        drop(stock);
        assert_eq!(actor.await.expect("no panic"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_what_is_in_the_inbox() {
        let (stock, actor) = start(0);
        for _ in 0..20 {
            stock.restock(1).await.expect("it runs");
        }
        drop(stock);
        let left = within(HOUR, actor).await.expect("no panic");
        assert_eq!(left, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_what_was_taken() {
        let (stock, actor) = start(10);
        let taken = stock.take(3).await.expect("it runs");
        drop(stock);
        tokio::time::sleep(HOUR).await;
        assert!(!actor.is_finished());
        drop(taken);
        assert_eq!(within(HOUR, actor).await.expect("no panic"), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_actor() {
        let (stock, actor) = start(10);
        let taken = stock.take(3).await.expect("it runs");
        drop((stock, actor, taken));
        no_task_left().await;
    }

    /// Drops the future after so many polls, wherever it is then:
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
    /// after the other: each is canceled after a random while.
    /// Returns what was accepted, and how many were canceled.
    async fn produce(stock: Stock, mut random: Rng) -> (u64, u32) {
        let (mut accepted, mut canceled) = (0, 0);
        while accepted < 125_000 {
            let producer = async {
                loop {
                    stock.restock(1).await.expect("the actor runs");
                    accepted += 1;
                }
            };
            dropped_after(random.u32(1..50), producer).await;
            canceled += 1;
        }
        (accepted, canceled)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_a_million_messages_are_accounted_for() {
        let (stock, actor) = start(0);
        let mut producers = JoinSet::new();
        for seed in 0..8 {
            let random = Rng::with_seed(seed);
            producers.spawn(produce(stock.clone(), random));
        }
        drop(stock);
        let (mut accepted, mut canceled) = (0, 0);
        for (units, times) in producers.join_all().await {
            accepted += units;
            canceled += times;
        }
        // Those that were accepted, and no other.
        assert_eq!(actor.await.expect("no panic"), accepted);
        assert!(accepted >= 1_000_000, "{accepted}");
        assert!(canceled > 100, "{canceled}");
    }

    /// As if `send` had raced with the end of the actor: the message
    /// stays in the channel.
    #[tokio::test(start_paused = true)]
    async fn failure_of_the_actor_before_the_message_is_dropped() {
        let (inbox, mut messages) = mpsc::channel(8);
        let actor = async {
            let message = messages.recv().await;
            drop(messages);
            std::future::pending::<()>().await;
            drop(message);
        };
        let stock = Stock { inbox };
        tokio::select! {
            taken = within(HOUR, stock.take(1)) => {
                assert!(matches!(taken, Err(StockGone)));
            }
            () = actor => {}
        }
    }

    #[tokio::test]
    async fn failure_of_the_actor_reaches_the_callers() {
        let (stock, actor) = start(10);
        actor.abort();
        assert!(actor.await.expect_err("aborted").is_cancelled());
        let taken = stock.take(1).await.map(|_| ());
        assert_eq!(taken, Err(StockGone));
        assert_eq!(stock.restock(1).await, Err(StockGone));
    }
}
