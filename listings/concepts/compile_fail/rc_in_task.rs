//! Wrong: an `Rc` is moved into a task.

use std::rc::Rc;

async fn total(prices: Rc<Vec<u32>>) -> u32 {
    prices.iter().sum()
}

#[tokio::main]
async fn main() {
    let prices = Rc::new(vec![1250, 990]);
    tokio::spawn(total(prices)).await.ok();
}
