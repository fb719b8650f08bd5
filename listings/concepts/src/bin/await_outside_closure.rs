//! Let the closure return futures, and await them outside of it.

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
    async fn edges_none_one_and_several() {
        let none: [u32; 0] = [];
        assert_eq!(join_all(none.map(price_of)).await, []);
        assert_eq!(join_all([1].map(price_of)).await, [10]);
        let calls = [1, 2, 3].map(price_of);
        assert_eq!(join_all(calls).await, [10, 20, 30]);
    }
}
