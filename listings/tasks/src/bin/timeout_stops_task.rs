//! After a timeout, drop the charge, or abort its task and await it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinError,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: charge_in_time
const LIMIT: Duration = Duration::from_millis(100);

/// Charges a card, or gives up. There is no task, so the timeout drops
/// the charge, and nothing continues after this function returns.
///
/// After an error, the outcome is unknown: a request that was already
/// sent may still charge the card.
async fn charge_in_time(
    card: &Card,
    cents: u32,
) -> Result<u32, Elapsed> {
    timeout(LIMIT, card.charge(cents)).await
}

/// The same with a task, which is aborted and then awaited. If the
/// charge finishes before the abort, its receipt is returned. `None`
/// means that the charge was stopped: its outcome is unknown, as above.
///
/// If the task computes without an `.await`, this waits for however
/// long that takes. Dropping this future aborts the task.
async fn charge_in_task(
    card: &Arc<Card>,
    cents: u32,
) -> Result<Option<u32>, JoinError> {
    let card = Arc::clone(card);
    let work = async move { card.charge(cents).await };
    let mut task = AbortOnDropHandle::new(tokio::spawn(work));
    if let Ok(joined) = timeout(LIMIT, &mut task).await {
        return joined.map(Some);
    }
    task.abort();
    match task.await {
        Ok(receipt) => Ok(Some(receipt)),
        Err(error) if error.is_cancelled() => Ok(None),
        Err(panicked) => Err(panicked),
    }
}
// ANCHOR_END: charge_in_time

/// A card, and how long a charge waits for the bank.
struct Card {
    bank_takes: Duration,
    /// The time between two awaits in which a charge computes.
    computes: Duration,
    charged: AtomicU32,
}

impl Card {
    fn new(bank_takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            bank_takes,
            computes: Duration::ZERO,
            charged: AtomicU32::new(0),
        })
    }

    async fn charge(&self, cents: u32) -> u32 {
        assert!(cents > 0, "a charge of {cents} cents");
        sleep(self.bank_takes).await;
        std::thread::sleep(self.computes);
        println!("{cents} cents are charged");
        self.charged.fetch_add(cents, Ordering::SeqCst);
        cents
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let card = Card::new(Duration::from_secs(1));
    match charge_in_time(&card, 1250).await {
        Ok(_) => println!("thank you"),
        Err(error) => println!("the outcome is unknown: {error}"),
    }
    match charge_in_task(&card, 1250).await {
        Ok(Some(_)) => println!("thank you"),
        Ok(None) => println!("the outcome is unknown: stopped"),
        Err(error) => println!("please call us: {error}"),
    }
    sleep(Duration::from_secs(3600)).await;
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_bank_charges_nothing_later() {
        let card = Card::new(Duration::from_secs(1));
        assert!(charge_in_time(&card, 1).await.is_err());
        let receipt = charge_in_task(&card, 1).await;
        assert_eq!(receipt.expect("no panic"), None);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(card.charged.load(Ordering::SeqCst), 0);
        let silent = Card::new(HOUR);
        let limit = Duration::from_millis(300);
        within(limit, async {
            assert!(charge_in_time(&silent, 1).await.is_err());
            assert!(charge_in_task(&silent, 1).await.is_ok());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let card = Card::new(Duration::from_millis(10));
            cancel.run(charge_in_task(&card, 1)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_charge_is_reported() {
        let card = Card::new(Duration::ZERO);
        let error = charge_in_task(&card, 0).await;
        let error = error.expect_err("it panics").to_string();
        assert!(error.contains("a charge of 0 cents"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_charge_that_wins_is_reported() {
        // It computes when the time is up, so it can't be aborted.
        let card = Arc::new(Card {
            bank_takes: Duration::from_millis(80),
            computes: Duration::from_millis(60),
            charged: AtomicU32::new(0),
        });
        let receipt = charge_in_task(&card, 7).await.expect("no panic");
        let charged = card.charged.load(Ordering::SeqCst);
        assert_eq!(receipt.unwrap_or(0), charged);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(card.charged.load(Ordering::SeqCst), charged);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_what_is_reported_is_what_is_charged() {
        for round in 0..30 {
            let card = Card::new(Duration::from_millis(98 + round % 4));
            let receipt = charge_in_task(&card, 1).await;
            let receipt = receipt.expect("no panic").unwrap_or(0);
            assert_eq!(receipt, card.charged.load(Ordering::SeqCst));
        }
    }
}
