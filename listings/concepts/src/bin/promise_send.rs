//! Require `Send` where a future is defined, not where it is spawned.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: promise
trait Carrier {
    /// Callers may spawn this future: the signature says `Send`.
    fn ship(&self, order: u32) -> impl Future<Output = u32> + Send;
}

struct Truck;

impl Carrier for Truck {
    /// If this future isn't `Send`, the compiler says so here, not in
    /// the code that spawns it.
    async fn ship(&self, order: u32) -> u32 {
        sleep(Duration::from_millis(10)).await;
        order
    }
}

/// A function whose signature doesn't mention `Send`.
async fn bill(order: u32) -> u32 {
    sleep(Duration::from_millis(10)).await;
    order
}

fn demand_spawnable<T: Send + 'static>(_: T) {}

const _: fn() = || demand_spawnable(bill(1));
// ANCHOR_END: promise

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (shipped, billed) = tokio::join!(Truck.ship(1), bill(2));
    println!("shipped {shipped}, billed {billed}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_both_can_be_spawned() {
        let task = tokio::spawn(async { Truck.ship(1).await });
        assert_eq!(task.await.ok(), Some(1));
        assert_eq!(tokio::spawn(bill(2)).await.ok(), Some(2));
    }
}
