//! Three ways to handle a mix of results and errors.

// ANCHOR: policies
use futures::{
    StreamExt, TryStreamExt, future::join_all, stream::FuturesUnordered,
};

/// A shop and its price, or a shop and why it has no price.
type Price = (u32, u32);
type Missing = (u32, String);

/// Fail on any error: the first error drops the other calls.
async fn all_or_nothing(shops: &[u32]) -> Result<Vec<Price>, Missing> {
    let calls: FuturesUnordered<_> = shops.iter().map(ask).collect();
    calls.try_collect().await // As they arrive, in any order.
}

/// Best effort: the prices, and why the others are missing.
async fn best_effort(shops: &[u32]) -> (Vec<Price>, Vec<Missing>) {
    let (mut prices, mut missing) = (Vec::new(), Vec::new());
    for answer in join_all(shops.iter().map(ask)).await {
        match answer {
            Ok(price) => prices.push(price),
            Err(error) => missing.push(error),
        }
    }
    (prices, missing)
}
// ANCHOR_END: policies

// ANCHOR: quorum
/// A quorum: the first `enough` answers, or why there are too few. The
/// calls whose answers are no longer needed are dropped.
async fn quorum(
    shops: &[u32],
    enough: usize,
) -> Result<Vec<Price>, Vec<Missing>> {
    let (mut prices, mut missing) = (Vec::new(), Vec::new());
    let mut calls: FuturesUnordered<_> =
        shops.iter().map(ask).collect();
    while prices.len() < enough {
        if prices.len() + calls.len() < enough {
            return Err(missing);
        }
        match calls.next().await {
            Some(Ok(price)) => prices.push(price),
            Some(Err(error)) => missing.push(error),
            None => return Err(missing),
        }
    }
    Ok(prices)
}

/// Asks a shop, which may be silent.
async fn ask(shop: &u32) -> Result<Price, Missing> {
    match timeout(Duration::from_secs(1), price(*shop)).await {
        Ok(Ok(price)) => Ok((*shop, price)),
        Ok(Err(error)) => Err((*shop, error)),
        Err(_elapsed) => Err((*shop, "no answer".into())),
    }
}
// ANCHOR_END: quorum

use tokio::time::{Duration, sleep, timeout};

/// The third shop is closed, the ninth one never answers, and the
/// tenth one closes before anyone else has answered.
async fn price(shop: u32) -> Result<u32, String> {
    if shop == 10 {
        return Err("the shop has moved".into());
    }
    sleep(Duration::from_millis(10)).await;
    match shop {
        3 => Err("the shop is closed".into()),
        9 => std::future::pending().await,
        13 => panic!("shop 13 has no price list"),
        _ => Ok(shop * 100),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let shops = [1, 2, 3, 4];
    println!("all or nothing: {:?}", all_or_nothing(&shops).await);
    println!("best effort:    {:?}", best_effort(&shops).await);
    println!("three of four:  {:?}", quorum(&shops, 3).await);
    println!("four of four:   {:?}", quorum(&shops, 4).await);
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn closed() -> Missing {
        (3, "the shop is closed".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_one_is_handled_as_each_policy_says() {
        let shops = [1, 2, 3, 4];
        assert_eq!(all_or_nothing(&shops).await, Err(closed()));
        let (prices, missing) = best_effort(&shops).await;
        assert_eq!(prices, [(1, 100), (2, 200), (4, 400)]);
        assert_eq!(missing, [closed()]);
        assert_eq!(quorum(&shops, 4).await, Err(vec![closed()]));
        assert_eq!(quorum(&shops, 3).await.map(|it| it.len()), Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_among_many_ends_all_immediately() {
        let mut shops = vec![1; 40];
        shops.push(10);
        let start = Instant::now();
        assert!(all_or_nothing(&shops).await.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO);
        // With more than thirty futures, `try_join_all` sees the last
        // one's error only after all the answers before it.
        let in_turn =
            futures::future::try_join_all(shops.iter().map(ask));
        assert!(in_turn.await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_too_many_ends_a_quorum_immediately() {
        let start = Instant::now();
        let two = quorum(&[9, 10, 10], 2).await;
        assert_eq!(two.map_err(|it| it.len()), Err(2));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_one_shop_is_bounded() {
        let start = Instant::now();
        let (prices, missing) = best_effort(&[1, 9, 2]).await;
        assert_eq!((prices.len(), missing.len()), (2, 1));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_shops_do_not_hold_up_a_quorum() {
        let start = Instant::now();
        assert!(quorum(&[9, 1, 2, 4], 3).await.is_ok());
        assert_eq!(start.elapsed(), Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_call_reaches_the_caller() {
        let asked = tokio::spawn(async { best_effort(&[1, 13]).await });
        assert!(asked.await.is_err_and(|error| error.is_panic()));
        let asked = tokio::spawn(async { quorum(&[1, 13], 2).await });
        assert!(asked.await.is_err_and(|error| error.is_panic()));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_shop_none_enough_and_too_many_wanted() {
        assert_eq!(all_or_nothing(&[]).await, Ok(vec![]));
        assert_eq!(best_effort(&[]).await, (vec![], vec![]));
        assert_eq!(quorum(&[], 0).await, Ok(vec![]));
        assert_eq!(quorum(&[1], 2).await, Err(vec![]));
        assert_eq!(quorum(&[1], usize::MAX).await, Err(vec![]));
        // The same shop twice is asked twice.
        let twice = quorum(&[1, 1], 2).await;
        assert_eq!(twice, Ok(vec![(1, 100), (1, 100)]));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(quorum(&[1, 2, 3, 9], 2)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_may_run_them() {
        let asked = tokio::spawn(async {
            let all = all_or_nothing(&[1, 2]).await;
            (all, best_effort(&[1]).await, quorum(&[1, 2], 1).await)
        });
        assert!(asked.await.expect("no panic").2.is_ok());
    }
}
