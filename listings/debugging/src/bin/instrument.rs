//! A span around each call, with the call's arguments.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::sleep;
use tracing::{error, info, instrument};
use tracing_subscriber::EnvFilter;

struct Card {
    number: String,
}

// ANCHOR: instrument
/// The span contains the order but not the card. At level ERROR, it's
/// logged whenever one of its events is.
#[instrument(level = "error", skip(card))]
async fn charge(order: u32, cents: u32, card: &Card) -> Result<u32> {
    info!("asks the bank");
    let charged = ask_bank(cents, card).await;
    let receipt = charged
        .context("cannot charge the card")
        // The whole chain of causes, in one line, and only here.
        .inspect_err(|error| error!("{error:#}"))?;
    info!(receipt, "is charged");
    Ok(receipt)
}
// ANCHOR_END: instrument

async fn ask_bank(cents: u32, card: &Card) -> Result<u32> {
    sleep(Duration::from_millis(20)).await;
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
        .with_env_filter(EnvFilter::new("info"))
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
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
    use tracing::{Subscriber, instrument::WithSubscriber};

    /// For each call site, tracing caches whether a subscriber listens,
    /// so tests with different filters run one after the other.
    static ALONE: Mutex<()> = Mutex::new(());

    fn logs(
        filter: &str,
    ) -> (impl Read, impl Subscriber + Send + Sync + use<>) {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_target(false)
            .with_writer(Mutex::new(writer))
            .finish();
        (reader, subscriber)
    }

    fn card() -> Card {
        Card { number: "4111".to_owned() }
    }

    fn logged(filter: &str, run: impl Future) -> String {
        let _alone = ALONE.lock().expect("no test panics");
        let (mut reader, subscriber) = logs(filter);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(run)
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[test]
    fn each_line_has_its_order_and_none_has_the_card() {
        let text = logged("info", charge_both(&card()));
        assert!(!text.contains("4111"), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
        for line in text.lines() {
            let is_refused = line.contains("ERROR");
            let is_charged = line.contains("is charged");
            assert!(line.contains("charge{order="), "{line}");
            assert!(!is_refused || line.contains("{order=8"), "{line}");
            assert!(!is_charged || line.contains("{order=7"), "{line}");
        }
        assert_eq!(text.matches("ERROR").count(), 1);
    }

    #[test]
    fn failure_is_logged_with_its_span_and_cause_by_every_filter() {
        for filter in ["info", "warn", "error"] {
            let text = logged(filter, charge_both(&card()));
            let line = "ERROR charge{order=8 cents=99000}: cannot \
                charge the card: the bank refuses 99000 cents";
            assert!(text.contains(line), "{filter}: {text}");
        }
    }

    #[instrument(err)]
    async fn with_defaults(order: u32) -> Result<()> {
        let asked = async { bail!("connection reset") };
        asked.await.with_context(|| format!("cannot charge {order}"))
    }

    #[instrument(level = "error", err(Debug))]
    async fn with_debug(order: u32) -> Result<()> {
        let asked = async { bail!("connection reset") };
        asked.await.with_context(|| format!("cannot charge {order}"))
    }

    #[test]
    fn by_default_err_loses_the_cause_and_a_filter_the_span() {
        let text = logged("warn", with_defaults(8));
        assert!(text.contains("ERROR error=cannot charge 8"), "{text}");
        assert!(!text.contains("reset"), "{text}");
        let text = logged("warn", with_debug(8));
        assert!(text.contains("with_debug{order=8}: "), "{text}");
        assert!(text.contains("connection reset"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_a_line_without_an_end() {
        hazards::at_every_poll(async |cancel| {
            let (mut reader, subscriber) = logs("info");
            let card = card();
            let charge =
                charge(9, 100, &card).with_subscriber(subscriber);
            let charged = cancel.run(charge).await;
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("it is text");
            let began = text.contains("asks the bank");
            assert_eq!(began, cancel.polls() > 0, "{text}");
            let ended = text.contains("is charged");
            assert_eq!(ended, charged.is_some(), "{text}");
            assert!(!text.contains("ERROR"), "{text}");
        })
        .await;
    }

    #[test]
    fn threads_do_not_mix_up_spans() {
        let _alone = ALONE.lock().expect("no test panics");
        let (mut reader, subscriber) = logs("info");
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(
            async {
                let mut calls = tokio::task::JoinSet::new();
                for order in 0..50 {
                    let call = async move {
                        charge(order, 99_000 + order, &card()).await
                    };
                    calls.spawn(call.with_current_subscriber());
                }
                assert_eq!(calls.join_all().await.len(), 50);
            }
            .with_subscriber(subscriber),
        );
        drop(runtime);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        for order in 0..50 {
            let cents = 99_000 + order;
            let line = format!(
                "ERROR charge{{order={order} cents={cents}}}: cannot \
                 charge the card: the bank refuses {cents} cents\n"
            );
            assert!(text.contains(&line), "{order}: {text}");
        }
    }
}
