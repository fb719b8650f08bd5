//! Box a call only once, where `dyn` is needed.

// ANCHOR: layers
use futures::future::BoxFuture;

trait Prices: Send + Sync {
    fn price(&self, product: u32) -> impl Future<Output = u32> + Send;
}

struct Checked<P>(P);

impl<P: Prices> Prices for Checked<P> {
    async fn price(&self, product: u32) -> u32 {
        self.0.price(product).await.max(1)
    }
}

struct Discount<P>(P);

impl<P: Prices> Prices for Discount<P> {
    async fn price(&self, product: u32) -> u32 {
        self.0.price(product).await / 10 * 7
    }
}

/// For callers that choose the type at run time.
trait DynPrices: Send + Sync {
    fn price_boxed(&self, product: u32) -> BoxFuture<'_, u32>;
}

impl<P: Prices> DynPrices for P {
    fn price_boxed(&self, product: u32) -> BoxFuture<'_, u32> {
        Box::pin(self.price(product))
    }
}

fn prices() -> Box<dyn DynPrices> {
    Box::new(Checked(Discount(Fixed)))
}
// ANCHOR_END: layers

struct Fixed;

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
        let price = prices.price_boxed(7).now_or_never();
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
    fn edges_no_product_and_the_largest() {
        for (product, price) in
            [(0, 1), (7, 700), (u32::MAX, 429_496_725)]
        {
            let asked = prices().price_boxed(product).now_or_never();
            assert_eq!(asked, Some(price));
        }
    }

    #[test]
    fn overload_allocates_once_for_each_call() {
        assert_eq!(allocations(), 1);
    }
}
