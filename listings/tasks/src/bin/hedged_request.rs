//! Send a second request, but only when the first one is slow.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

// ANCHOR: hedged
use std::pin::pin;

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

/// Asks once, and again if there is no answer within `patience`. The
/// first success wins, and the other request is dropped. `hedges` is
/// a budget that all callers share. If its permits are in use, the
/// shop is slow for all, and more requests would add to its load.
///
/// Use this only for requests that may be made twice, and put a
/// `timeout` around it, because a shop may never answer.
///
/// # Errors
///
/// The first request fails before the second is made, or both fail.
/// If both fail, the error is the later one.
async fn hedged(
    shop: &Shop,
    patience: Duration,
    hedges: &Semaphore,
) -> Result<u32, Refused> {
    let mut first = pin!(shop.quote());
    if let Ok(answer) = timeout(patience, &mut first).await {
        return answer;
    }
    let Ok(_hedge) = hedges.try_acquire() else {
        return first.await;
    };
    let mut second = pin!(shop.quote());
    let (answer, other) = tokio::select! {
        answer = &mut first => (answer, second),
        answer = &mut second => (answer, first),
    };
    if answer.is_ok() { answer } else { other.await }
}
// ANCHOR_END: hedged

/// A shop that is slow for one request in a hundred.
struct Shop {
    asked: AtomicU32,
    slow: fn(u32) -> bool,
    fails: fn(u32) -> bool,
}

#[derive(Debug, PartialEq)]
struct Refused(u32);

impl Shop {
    fn new(slow: fn(u32) -> bool, fails: fn(u32) -> bool) -> Self {
        Self { asked: AtomicU32::new(0), slow, fails }
    }

    async fn quote(&self) -> Result<u32, Refused> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let millis = if (self.slow)(number) { 2000 } else { 20 };
        sleep(Duration::from_millis(millis)).await;
        if (self.fails)(number) {
            Err(Refused(number))
        } else {
            Ok(1250)
        }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("200 quotes        slowest    requests");
    let hour = Duration::from_secs(3600);
    let hedge = Duration::from_millis(50);
    for (name, patience) in [("no hedge", hour), ("after 50 ms", hedge)]
    {
        let shop = Shop::new(|number| number % 100 == 50, |_| false);
        let hedges = Semaphore::new(4);
        let mut slowest = Duration::ZERO;
        for _ in 0..200 {
            let start = Instant::now();
            if let Err(refused) = hedged(&shop, patience, &hedges).await
            {
                println!("{refused:?}");
            }
            slowest = slowest.max(start.elapsed());
        }
        let (slowest, asked) = (slowest.as_millis(), shop.asked());
        println!("{name:<12} {slowest:>9} ms {asked:>11}");
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn edges_a_quick_answer_needs_no_second_request() {
        let shop = Shop::new(|_| false, |_| false);
        let answer = hedged(&shop, PATIENCE, &Semaphore::new(4)).await;
        assert_eq!((answer, shop.asked()), (Ok(1250), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_requests_are_asked_again() {
        let shop = Shop::new(|number| number == 0, |_| false);
        let start = Instant::now();
        let answer = hedged(&shop, PATIENCE, &Semaphore::new(4)).await;
        assert_eq!((answer, shop.asked()), (Ok(1250), 2));
        assert_eq!(start.elapsed(), Duration::from_millis(70));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_quick_one_does_not_win() {
        // The second request is refused quickly.
        let shop =
            Shop::new(|number| number == 0, |number| number == 1);
        let answer = hedged(&shop, PATIENCE, &Semaphore::new(4)).await;
        assert_eq!(answer, Ok(1250));
        let shop = Shop::new(|number| number == 0, |_| true);
        let answer = hedged(&shop, PATIENCE, &Semaphore::new(4)).await;
        assert_eq!(answer, Err(Refused(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_does_not_double_the_load() {
        let shop = Shop::new(|_| true, |_| false);
        let hedges = Semaphore::new(4);
        let calls = (0..100).map(|_| hedged(&shop, PATIENCE, &hedges));
        let answers = join_all(calls).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(shop.asked(), 104);
        assert_eq!(hedges.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_hedge_back() {
        at_every_poll(async |cancel| {
            let shop = Shop::new(|_| true, |_| false);
            let hedges = Semaphore::new(1);
            cancel.run(hedged(&shop, PATIENCE, &hedges)).await;
            assert_eq!(hedges.available_permits(), 1);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_have_an_answer() {
        let task = tokio::spawn(async {
            let shop = Shop::new(|_| false, |_| false);
            hedged(&shop, Duration::ZERO, &Semaphore::new(1)).await
        });
        assert_eq!(
            within(HOUR, task).await.expect("no panic"),
            Ok(1250)
        );
    }
}
