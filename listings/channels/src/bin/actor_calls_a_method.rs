//! When an actor needs something from itself, call a method.

// ANCHOR: shop
use tokio::sync::{mpsc, oneshot};

enum Message {
    Price { answer: oneshot::Sender<u32> },
    Invoice { units: u32, answer: oneshot::Sender<Option<u32>> },
}

/// The actor's state and operations, without any channel.
struct Shop {
    price: u32,
}

impl Shop {
    /// `None` if the sum doesn't fit: a caller must not be able to
    /// make the actor panic.
    fn invoice(&self, units: u32) -> Option<u32> {
        units.checked_mul(self.price)
    }

    async fn run(self, mut inbox: mpsc::Receiver<Message>) {
        while let Some(message) = inbox.recv().await {
            // Sending an answer fails if nobody waits for it.
            match message {
                Message::Price { answer } => {
                    _ = answer.send(self.price)
                }
                Message::Invoice { units, answer } => {
                    _ = answer.send(self.invoice(units));
                }
            }
        }
    }
}
// ANCHOR_END: shop

/// `None` if the actor has ended.
async fn ask<Answer>(
    inbox: &mpsc::Sender<Message>,
    question: impl FnOnce(oneshot::Sender<Answer>) -> Message,
) -> Option<Answer> {
    let (answer, answered) = oneshot::channel();
    inbox.send(question(answer)).await.ok()?;
    tokio::select! {
        biased;
        answer = answered => answer.ok(),
        // A question can stay in an inbox that was closed.
        () = inbox.closed() => None,
    }
}

async fn invoice(units: u32) -> (Option<u32>, Option<Option<u32>>) {
    let (inbox, messages) = mpsc::channel(8);
    tokio::spawn(Shop { price: 42 }.run(messages));
    let price = ask(&inbox, |answer| Message::Price { answer }).await;
    let invoice = |answer| Message::Invoice { units, answer };
    (price, ask(&inbox, invoice).await)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (price, sum) = invoice(3).await;
    println!("price: {:?}, invoice: {:?}", price, sum.flatten());
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    fn shop() -> mpsc::Sender<Message> {
        let (inbox, messages) = mpsc::channel(8);
        tokio::spawn(Shop { price: 42 }.run(messages));
        inbox
    }

    async fn sum(
        inbox: &mpsc::Sender<Message>,
        units: u32,
    ) -> Option<Option<u32>> {
        ask(inbox, |answer| Message::Invoice { units, answer }).await
    }

    #[tokio::test(start_paused = true)]
    async fn again_an_invoice_needs_the_price() {
        let answers = within(HOUR, invoice(3)).await;
        assert_eq!(answers, (Some(42), Some(Some(126))));
    }

    #[tokio::test]
    async fn edges_a_sum_that_does_not_fit_is_refused() {
        let shop = shop();
        for (units, expected) in
            [(0, Some(0)), (1, Some(42)), (u32::MAX, None)]
        {
            assert_eq!(sum(&shop, units).await, Some(expected));
        }
        // And the actor lives.
        assert_eq!(sum(&shop, 3).await, Some(Some(126)));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_actor_at_work() {
        at_every_poll(async |cancel| {
            let shop = shop();
            cancel.run(sum(&shop, 3)).await;
            assert_eq!(sum(&shop, 1).await, Some(Some(42)));
        })
        .await;
    }

    #[tokio::test]
    async fn overload_answers_all_in_the_end() {
        let shop = shop();
        let sums = join_all((0..17).map(|units| sum(&shop, units)));
        let expected = (0..17).map(|units| Some(Some(units * 42)));
        assert!(sums.await.into_iter().eq(expected));
    }

    #[tokio::test]
    async fn failure_of_the_actor_is_an_answer() {
        let (inbox, messages) = mpsc::channel(8);
        drop(messages);
        assert_eq!(sum(&inbox, 3).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_actor() {
        drop(shop());
        no_task_left().await;
    }
}
