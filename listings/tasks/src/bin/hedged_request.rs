//! A second request, but only where the first one is slow.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

// ANCHOR: hedged
/// Asks once, and once more if there is no answer within `patience`.
/// The first answer wins, and the other request is dropped.
///
/// Only for requests that may be made twice.
async fn hedged(shop: &Shop, patience: Duration) -> u32 {
    let first = shop.quote();
    let second = async {
        sleep(patience).await;
        shop.quote().await
    };
    tokio::select! {
        price = first => price,
        price = second => price,
    }
}
// ANCHOR_END: hedged

/// A shop of which one request in a hundred is slow.
#[derive(Default)]
struct Shop {
    asked: AtomicU32,
}

impl Shop {
    async fn quote(&self) -> u32 {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let is_slow = number % 100 == 50;
        let millis = if is_slow { 2000 } else { 20 };
        sleep(Duration::from_millis(millis)).await;
        1250
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("200 quotes        slowest    requests");
    let hour = Duration::from_secs(3600);
    let hedge = Duration::from_millis(50);
    for (name, patience) in [("no hedge", hour), ("after 50 ms", hedge)]
    {
        let shop = Shop::default();
        let mut slowest = Duration::ZERO;
        for _ in 0..200 {
            let start = Instant::now();
            hedged(&shop, patience).await;
            slowest = slowest.max(start.elapsed());
        }
        let asked = shop.asked.load(Ordering::Relaxed);
        let slowest = slowest.as_millis();
        println!("{name:<12} {slowest:>9} ms {asked:>11}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_quick_answer_needs_no_second_request() {
        let shop = Shop::default();
        hedged(&shop, Duration::from_millis(50)).await;
        assert_eq!(shop.asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_asked_again() {
        let shop = Shop { asked: AtomicU32::new(50) };
        let start = Instant::now();
        hedged(&shop, Duration::from_millis(50)).await;
        assert_eq!(start.elapsed(), Duration::from_millis(70));
        assert_eq!(shop.asked.load(Ordering::Relaxed), 52);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_comes_on_many_threads() {
        let shop = Shop::default();
        assert_eq!(hedged(&shop, Duration::ZERO).await, 1250);
    }
}
