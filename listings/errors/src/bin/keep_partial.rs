//! Three ways to treat many results, some of them errors.

// ANCHOR: policies
use futures::future::{join_all, try_join_all};

/// All or nothing: the first error drops the others.
async fn all_or_nothing(shops: &[u32]) -> Result<Vec<u32>, String> {
    try_join_all(shops.iter().map(|it| price(*it))).await
}

/// Best effort: what there is, and why the rest is missing.
async fn best_effort(shops: &[u32]) -> (Vec<u32>, Vec<String>) {
    let (mut prices, mut errors) = (Vec::new(), Vec::new());
    for answer in join_all(shops.iter().map(|it| price(*it))).await {
        match answer {
            Ok(price) => prices.push(price),
            Err(error) => errors.push(error),
        }
    }
    (prices, errors)
}

/// A quorum: enough answers, or the reasons why there are too few.
async fn quorum(
    shops: &[u32],
    enough: usize,
) -> Result<Vec<u32>, Vec<String>> {
    let (prices, errors) = best_effort(shops).await;
    if prices.len() < enough {
        return Err(errors);
    }
    Ok(prices)
}
// ANCHOR_END: policies

use tokio::time::{Duration, sleep};

/// Asks a shop for its price. The third one is closed.
async fn price(shop: u32) -> Result<u32, String> {
    sleep(Duration::from_millis(10)).await;
    if shop == 3 {
        return Err(format!("shop {shop} is closed"));
    }
    Ok(shop * 100)
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_policy_treats_one_failure_in_its_way() {
        let closed = "shop 3 is closed".to_owned();
        let shops = [1, 2, 3, 4];
        assert_eq!(all_or_nothing(&shops).await, Err(closed.clone()));
        let (prices, errors) = best_effort(&shops).await;
        assert_eq!(prices, [100, 200, 400]);
        assert_eq!(errors, ["shop 3 is closed"]);
        assert_eq!(quorum(&shops, 4).await, Err(vec![closed]));
        assert_eq!(all_or_nothing(&[1, 2]).await, Ok(vec![100, 200]));
    }
}
