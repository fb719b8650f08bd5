//! Wrong: a canceled caller leaves half a change under the lock.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

// ANCHOR: wrong
struct Totals {
    orders: u32,
    euros: u32,
}

/// Wrong: if this is dropped at the second `.await`, only one of two
/// numbers has changed, and the next caller sees that.
async fn add(totals: &Mutex<Totals>, order: u32) {
    let mut totals = totals.lock().await;
    totals.orders += 1;
    totals.euros += fetch_price(order).await;
}
// ANCHOR_END: wrong

async fn fetch_price(_order: u32) -> u32 {
    sleep(Duration::from_secs(1)).await;
    12
}

/// The second of two callers gives up.
async fn two_callers(totals: &Mutex<Totals>) -> (u32, u32) {
    add(totals, 1).await;
    let patience = Duration::from_millis(300);
    if timeout(patience, add(totals, 2)).await.is_err() {
        println!("the second caller gave up");
    }
    let totals = totals.lock().await;
    (totals.orders, totals.euros)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let totals = Mutex::new(Totals { orders: 0, euros: 0 });
    let (orders, euros) = two_callers(&totals).await;
    println!("orders: {orders}, euros: {euros}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_between_the_changes() {
        let totals = Mutex::new(Totals { orders: 0, euros: 0 });
        assert_eq!(two_callers(&totals).await, (2, 12));
    }
}
