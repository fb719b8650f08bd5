//! What `{:?}` shows of a task, a lock, and a channel.

use tokio::sync::{Mutex, oneshot};

async fn price(book: &str) -> usize {
    book.len()
}

// ANCHOR: debug
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let value = price("Dune").await;
    println!("a value: {value:?}");

    let task = tokio::spawn(price("Emma"));
    println!("a task, not its value: {task:?}");
    println!("its result: {:?}", task.await);

    let stock = Mutex::new(3);
    println!("a lock: {stock:?}");
    let units = stock.lock().await;
    println!("a locked one: {stock:?}");
    println!("its guard: {units:?}");

    let (sender, receiver) = oneshot::channel::<u32>();
    drop(sender);
    println!("a channel's result: {:?}", receiver.await);
}
// ANCHOR_END: debug

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_locked_value_is_hidden() {
        let stock = Mutex::new(3);
        let _units = stock.lock().await;
        assert!(format!("{stock:?}").contains("<locked>"));
    }
}
