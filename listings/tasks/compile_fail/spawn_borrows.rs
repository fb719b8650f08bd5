//! Wrong: a task borrows from the function that spawned it.

use tokio::task::JoinSet;

async fn ship(order: &str) {
    println!("{order} is on its way");
}

async fn ship_all(orders: Vec<String>) {
    let mut tasks = JoinSet::new();
    for order in &orders {
        tasks.spawn(ship(order));
    }
    tasks.join_all().await;
}

#[tokio::main]
async fn main() {
    ship_all(vec!["desk".to_owned(), "lamp".to_owned()]).await;
}
