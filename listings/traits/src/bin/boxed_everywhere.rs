//! Wrong: every layer is boxed because one caller needs `dyn`.

// ANCHOR: wrong
use async_trait::async_trait;

// Wrong: the attribute boxes every call, even the calls for which the
// compiler knows the type.
#[async_trait]
trait Prices: Send + Sync {
    async fn price(&self, product: u32) -> u32;
}

struct Checked<P>(P);

#[async_trait]
impl<P: Prices> Prices for Checked<P> {
    async fn price(&self, product: u32) -> u32 {
        self.0.price(product).await.max(1)
    }
}

struct Discount<P>(P);

#[async_trait]
impl<P: Prices> Prices for Discount<P> {
    async fn price(&self, product: u32) -> u32 {
        self.0.price(product).await / 10 * 7
    }
}

fn prices() -> Box<dyn Prices> {
    Box::new(Checked(Discount(Fixed)))
}
// ANCHOR_END: wrong

struct Fixed;

#[async_trait]
impl Prices for Fixed {
    async fn price(&self, product: u32) -> u32 {
        product.saturating_mul(1000) / 7
    }
}

use allocation_counter::measure;
use futures::FutureExt;

/// Counts the allocations of a call through all layers.
fn allocations() -> u64 {
    let prices = prices();
    let counted = measure(|| {
        let price = prices.price(7).now_or_never();
        assert_eq!(price, Some(700));
    });
    counted.count_total
}

fn main() {
    println!("allocations of a call: {}", allocations());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_allocates_once_for_each_call() {
        // It allocates three times: once for each layer.
        assert_eq!(allocations(), 3);
    }
}
