//! Wrong: the variable's type doesn't determine which implementation is called.

// ANCHOR: wrong
trait Load {
    async fn load(id: u32) -> Self;
}

struct Order(u32);

impl Load for Order {
    async fn load(id: u32) -> Order {
        Order(id)
    }
}

#[tokio::main]
async fn main() {
    let order: Order = Load::load(7).await;
    println!("order {}", order.0);
}
// ANCHOR_END: wrong
