//! Count the allocations of a call, for each kind of dispatch.

// ANCHOR: kinds
use async_trait::async_trait;
use dynosaur::dynosaur;
use futures::future::BoxFuture;

#[dynosaur(DynPrices = dyn(box) Prices)]
trait Prices: Send + Sync {
    fn price(&self, product: u32) -> impl Future<Output = u32> + Send;
}

#[trait_variant::make(Send)]
trait SentPrices {
    async fn price(&self, product: u32) -> u32;
}

#[async_trait]
trait AttributePrices: Send + Sync {
    async fn price(&self, product: u32) -> u32;
}

trait BoxedPrices: Send + Sync {
    fn price(&self, product: u32) -> BoxFuture<'_, u32>;
}

enum Kind {
    Fixed(Fixed),
}
// ANCHOR_END: kinds

#[derive(Clone, Copy)]
struct Fixed;

impl Prices for Fixed {
    async fn price(&self, product: u32) -> u32 {
        product * 100
    }
}

impl SentPrices for Fixed {
    async fn price(&self, product: u32) -> u32 {
        product * 100
    }
}

#[async_trait]
impl AttributePrices for Fixed {
    async fn price(&self, product: u32) -> u32 {
        product * 100
    }
}

impl Kind {
    async fn price(&self, product: u32) -> u32 {
        match self {
            Self::Fixed(fixed) => Prices::price(fixed, product).await,
        }
    }
}

impl BoxedPrices for Fixed {
    fn price(&self, product: u32) -> BoxFuture<'_, u32> {
        Box::pin(async move { product * 100 })
    }
}

// ANCHOR: count
use allocation_counter::measure;
use futures::FutureExt;

/// Runs the calls and returns the number of allocations.
fn count(calls: impl Future<Output = ()>) -> u64 {
    let counted = measure(|| {
        assert!(calls.now_or_never().is_some(), "nothing to wait for");
    });
    counted.count_total
}

/// Counts the allocations of a hundred calls.
macro_rules! hundred {
    (|$product:ident| $call:expr) => {
        count(async {
            for $product in 0..100 {
                assert_eq!($call.await, $product * 100);
            }
        })
    };
}

fn counted() -> [(&'static str, u64); 6] {
    let fixed = Fixed;
    let kind = Kind::Fixed(fixed);
    let attribute: &dyn AttributePrices = &fixed;
    let boxed: &dyn BoxedPrices = &fixed;
    let generated = DynPrices::new_box(fixed);
    let generic = hundred!(|it| Prices::price(&fixed, it));
    [
        ("generic", generic),
        ("trait_variant", hundred!(|it| SentPrices::price(&fixed, it))),
        ("enum", hundred!(|it| kind.price(it))),
        ("async_trait", hundred!(|it| attribute.price(it))),
        ("hand-written", hundred!(|it| boxed.price(it))),
        ("dynosaur", hundred!(|it| generated.price(it))),
    ]
}
// ANCHOR_END: count

fn main() {
    for (kind, allocations) in counted() {
        println!("{kind:<14} {allocations:>3}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dyn_allocates_and_nothing_else_does() {
        let counted = counted().map(|(_, allocations)| allocations);
        assert_eq!(counted, [0, 0, 0, 100, 100, 100]);
    }

    #[test]
    fn async_trait_boxes_without_dyn_as_well() {
        let prices: &dyn AttributePrices = &Fixed;
        let generic = hundred!(|it| AttributePrices::price(&Fixed, it));
        assert_eq!(generic, hundred!(|it| prices.price(it)));
    }
}
