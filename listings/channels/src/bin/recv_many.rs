//! Take what is there, all at once, and never ask for zero.

// ANCHOR: recv_many
use tokio::sync::mpsc;

/// Takes orders in batches of at most so many.
async fn batches(
    mut orders: mpsc::Receiver<u32>,
    at_most: usize,
) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut batch = Vec::new();
    // Zero: closed and empty. Or: `at_most` is zero.
    while orders.recv_many(&mut batch, at_most).await > 0 {
        sizes.push(batch.len());
        batch.clear();
    }
    sizes
}
// ANCHOR_END: recv_many

/// A channel with ten orders in it, which is closed.
fn ten_orders() -> mpsc::Receiver<u32> {
    let (queue, orders) = mpsc::channel(10);
    for order in 0..10 {
        queue.try_send(order).expect("there is room for ten");
    }
    orders
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for at_most in [4, 100, 0] {
        let sizes = batches(ten_orders(), at_most).await;
        println!("at most {at_most:>3}: {sizes:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn zero_looks_like_the_end() {
        assert_eq!(batches(ten_orders(), 4).await, [4, 4, 2]);
        assert_eq!(batches(ten_orders(), 100).await, [10]);
        assert_eq!(batches(ten_orders(), 0).await, [0; 0]);
    }
}
