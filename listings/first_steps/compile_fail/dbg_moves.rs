//! Wrong: `dbg!` moves the order that the next line needs.

#[derive(Debug)]
struct Order {
    number: u32,
}

async fn ship(order: Order) {
    println!("order {} is shipped", order.number);
}

#[tokio::main]
async fn main() {
    let order = Order { number: 7 };
    dbg!(order);
    ship(order).await;
}
