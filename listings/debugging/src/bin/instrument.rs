//! A span around each call, with what it was called with.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::sleep;
use tracing::{info, instrument};

struct Card {
    number: String,
}

// ANCHOR: instrument
/// The span has the order, and not the card. An error is logged
/// once, here, where the span says which order it was.
#[instrument(skip(card), err)]
async fn charge(order: u32, cents: u32, card: &Card) -> Result<u32> {
    info!("asks the bank");
    sleep(Duration::from_millis(20)).await;
    let receipt = ask_bank(cents, card)?;
    info!(receipt, "is charged");
    Ok(receipt)
}
// ANCHOR_END: instrument

fn ask_bank(cents: u32, card: &Card) -> Result<u32> {
    if cents > 10_000 {
        bail!("the bank refuses {cents} cents");
    }
    Ok(u32::from(card.number.starts_with('4')) + 100)
}

// ANCHOR: both
async fn charge_both(card: &Card) -> (Result<u32>, Result<u32>) {
    tokio::join!(charge(7, 1_250, card), charge(8, 99_000, card))
}
// ANCHOR_END: both

fn set_up_tracing() {
    tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    set_up_tracing();
    let card = Card { number: "4111111111111111".to_owned() };
    let (first, second) = charge_both(&card).await;
    println!("{:?}, {}", first.ok(), second.is_err());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;
    use tracing::Subscriber;

    fn logs() -> (impl Read, impl Subscriber + Send + Sync) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        (reader, subscriber)
    }

    fn card() -> Card {
        Card { number: "4111".to_owned() }
    }

    #[test]
    fn each_line_has_its_order_and_none_has_the_card() {
        let (mut reader, subscriber) = logs();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(charge_both(&card()))
        })
        .0
        .expect("the bank agrees");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert!(!text.contains("4111"), "{text}");
        for line in text.lines() {
            let is_refused = line.contains("ERROR");
            let is_charged = line.contains("is charged");
            assert!(!is_refused || line.contains("{order=8"), "{line}");
            assert!(!is_charged || line.contains("{order=7"), "{line}");
        }
        assert_eq!(text.matches("ERROR").count(), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn dropped_at_its_await_it_tells_no_end() {
        use tracing::instrument::WithSubscriber;
        let (mut reader, subscriber) = logs();
        let card = card();
        {
            let charge =
                charge(9, 100, &card).with_subscriber(subscriber);
            let mut charge = std::pin::pin!(charge);
            assert!(futures::poll!(charge.as_mut()).is_pending());
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        assert!(text.contains("asks the bank"), "{text}");
        assert!(
            !text.contains("is charged") && !text.contains("ERROR")
        );
    }
}
