//! The closure makes futures; they are awaited behind it.

use futures::future::join_all;

// ANCHOR: main
async fn price_of(product: u32) -> u32 {
    10 * product
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let basket = [1, 2, 3];
    let calls = basket.iter().map(|&product| price_of(product));
    println!("{:?}", join_all(calls).await);
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn each_has_its_price() {
        let calls = [1, 2, 3].map(price_of);
        assert_eq!(join_all(calls).await, [10, 20, 30]);
    }
}
