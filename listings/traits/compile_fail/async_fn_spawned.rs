//! Generic code can't spawn the future of an async closure.

// ANCHOR: wrong
/// Calls a handler for every order, each in its own task.
fn for_each<F>(orders: Vec<u32>, handler: F)
where
    F: AsyncFn(u32) + Clone + Send + 'static,
{
    for order in orders {
        tokio::spawn(call(handler.clone(), order));
    }
}

async fn call(handler: impl AsyncFn(u32), order: u32) {
    handler(order).await
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    for_each(vec![1, 2], async |order| println!("order {order}"));
}
