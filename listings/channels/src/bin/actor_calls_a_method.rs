//! What the actor needs of itself is a method, and no message.

// ANCHOR: shop
use tokio::sync::{mpsc, oneshot};

enum Message {
    Price { answer: oneshot::Sender<u32> },
    Invoice { units: u32, answer: oneshot::Sender<u32> },
}

/// What the actor owns, and knows how to do without any channel.
struct Shop {
    price: u32,
}

impl Shop {
    fn invoice(&self, units: u32) -> u32 {
        units * self.price
    }

    async fn run(self, mut inbox: mpsc::Receiver<Message>) {
        while let Some(message) = inbox.recv().await {
            // An answer fails where nobody waits for it.
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

async fn ask(
    inbox: &mpsc::Sender<Message>,
    question: impl FnOnce(oneshot::Sender<u32>) -> Message,
) -> Option<u32> {
    let (answer, answered) = oneshot::channel();
    inbox.send(question(answer)).await.ok()?;
    answered.await.ok()
}

async fn price_and_invoice() -> (Option<u32>, Option<u32>) {
    let (inbox, messages) = mpsc::channel(8);
    tokio::spawn(Shop { price: 42 }.run(messages));
    let price = ask(&inbox, |answer| Message::Price { answer }).await;
    let invoice = |answer| Message::Invoice { units: 3, answer };
    (price, ask(&inbox, invoice).await)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (price, invoice) = price_and_invoice().await;
    println!("price: {price:?}, invoice: {invoice:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_are_answered() {
        let answers = price_and_invoice().await;
        assert_eq!(answers, (Some(42), Some(126)));
    }
}
