//! Await the response first, and then lock.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: stock
use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

#[derive(Default)]
struct Stock {
    units: Mutex<HashMap<u32, Units>>,
    questions: AtomicU64,
}

struct Units {
    count: u32,
    /// The question's number. Later questions have larger ones.
    question: u64,
}

impl Stock {
    /// Cancel safe: the map changes in one step, or not at all. After
    /// an error, it has the old number. Nothing is awaited under the
    /// lock, so it's a std mutex.
    async fn refresh(&self, product: u32) -> io::Result<()> {
        let question = self.questions.fetch_add(1, Relaxed);
        let count = ask_warehouse(product).await?;
        let mut units = self.units.lock().expect("no panic");
        let newest = units.get(&product).map(|units| units.question);
        // A slow answer doesn't overwrite a newer one.
        if newest.is_none_or(|newest| newest < question) {
            units.insert(product, Units { count, question });
        }
        Ok(())
    }
}
// ANCHOR_END: stock

async fn ask_warehouse(product: u32) -> io::Result<u32> {
    sleep(Duration::from_millis(100)).await;
    match product {
        0 => Err(io::Error::other("there is no product 0")),
        13 => panic!("a bug in the answer for product 13"),
        _ => Ok(10 * product),
    }
}

impl Stock {
    fn sum(&self) -> u32 {
        let units = self.units.lock().expect("no panic");
        units.values().map(|units| units.count).sum()
    }
}

/// Refreshes ten products at the same time. Returns how long it took,
/// and what is there.
async fn refresh_ten() -> io::Result<(Duration, u32)> {
    let (stock, start) = (Arc::new(Stock::default()), Instant::now());
    let mut tasks = JoinSet::new();
    for product in 1..=10 {
        let stock = Arc::clone(&stock);
        tasks.spawn(async move { stock.refresh(product).await });
    }
    while let Some(refreshed) = tasks.join_next().await {
        refreshed.map_err(io::Error::other)??;
    }
    Ok((start.elapsed(), stock.sum()))
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (time, units) = refresh_ten().await?;
    println!("{units} units, after {time:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::at_every_poll;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_warehouse() -> io::Result<()> {
        let expected = (Duration::from_millis(100), 550);
        assert_eq!(refresh_ten().await?, expected);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_do_not_overwrite_newer_ones() {
        let stock = Stock::default();
        let mut old = Box::pin(stock.refresh(1));
        assert!(futures::poll!(old.as_mut()).is_pending());
        assert!(stock.refresh(1).await.is_ok());
        let newest = |stock: &Stock| {
            stock.units.lock().expect("no panic")[&1].question
        };
        assert_eq!(newest(&stock), 1);
        assert!(old.await.is_ok());
        assert_eq!(newest(&stock), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_refresh_all() -> io::Result<()> {
        assert_eq!(refresh_ten().await?.1, 550);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_changes_nothing() {
        at_every_poll(async |cancel| {
            let stock = Stock::default();
            let refreshed = cancel.run(stock.refresh(1)).await;
            let sum = if refreshed.is_some() { 10 } else { 0 };
            assert_eq!(stock.sum(), sum);
        })
        .await;
    }

    /// A refresh that waits for an answer doesn't block the others.
    #[tokio::test(start_paused = true)]
    async fn silence_leaves_the_lock_free() {
        let stock = Stock::default();
        let mut waits = Box::pin(stock.refresh(1));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(stock.units.try_lock().is_ok());
        assert!(stock.refresh(2).await.is_ok());
        assert_eq!(stock.sum(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn again_keeps_one_entry() {
        let stock = Stock::default();
        assert!(stock.refresh(1).await.is_ok());
        assert!(stock.refresh(1).await.is_ok());
        assert_eq!(stock.sum(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_one_refresh_leaves_the_others() {
        let stock = Arc::new(Stock::default());
        let task = Arc::clone(&stock);
        let panics =
            tokio::spawn(async move { task.refresh(13).await });
        assert!(panics.await.is_err());
        assert!(stock.refresh(1).await.is_ok());
        assert_eq!(stock.sum(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_keeps_the_old_number() {
        let stock = Stock::default();
        let old = Units { count: 7, question: 0 };
        stock.units.lock().expect("no panic").insert(0, old);
        let error = stock.refresh(0).await.expect_err("there is none");
        assert_eq!(error.to_string(), "there is no product 0");
        assert_eq!(stock.sum(), 7);
    }
}
