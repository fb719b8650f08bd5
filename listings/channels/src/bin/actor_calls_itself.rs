//! Wrong: an actor sends itself a message and waits for the answer.

// ANCHOR: wrong
use tokio::sync::{mpsc, oneshot};

enum Message {
    Price { answer: oneshot::Sender<u32> },
    Invoice { units: u32, answer: oneshot::Sender<u32> },
}

#[derive(Clone)]
struct Shop {
    inbox: mpsc::Sender<Message>,
}

impl Shop {
    async fn price(&self) -> Option<u32> {
        let (answer, answered) = oneshot::channel();
        self.inbox.send(Message::Price { answer }).await.ok()?;
        answered.await.ok()
    }
}

async fn run(mut inbox: mpsc::Receiver<Message>, shop: Shop) {
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Price { answer } => _ = answer.send(42),
            Message::Invoice { units, answer } => {
                // Wrong: only this loop could take the question out
                // of the inbox, and it's waiting for the answer.
                let price = shop.price().await.unwrap_or_default();
                _ = answer.send(units * price);
            }
        }
    }
}
// ANCHOR_END: wrong

use std::time::Duration;

use tokio::time::timeout;

async fn invoice(units: u32) -> Option<u32> {
    let (inbox, messages) = mpsc::channel(8);
    let shop = Shop { inbox };
    tokio::spawn(run(messages, shop.clone()));
    let (answer, answered) = oneshot::channel();
    let message = Message::Invoice { units, answer };
    shop.inbox.send(message).await.ok()?;
    answered.await.ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match timeout(Duration::from_secs(60), invoice(3)).await {
        Ok(sum) => println!("invoice: {sum:?}"),
        Err(_) => println!("no invoice after a minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_an_invoice_needs_the_price() {
        assert!(timeout(hazards::HOUR, invoice(3)).await.is_err());
    }
}
