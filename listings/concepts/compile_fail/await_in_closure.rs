//! Wrong: an await in a closure that isn't async.

async fn price_of(product: u32) -> u32 {
    10 * product
}

#[tokio::main]
async fn main() {
    let basket = [1, 2, 3];
    let prices: Vec<u32> =
        basket.iter().map(|&product| price_of(product).await).collect();
    println!("{prices:?}");
}
