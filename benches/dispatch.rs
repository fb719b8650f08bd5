//! What a call of an async method costs, by the kind of its dispatch.

use async_trait::async_trait;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dynosaur::dynosaur;
use futures::future::BoxFuture;
use std::hint::black_box;
use tokio::runtime::Builder;

const CALLS: u64 = 1000;

#[dynosaur(DynPrices = dyn(box) Prices)]
trait Prices: Send + Sync {
    fn price(&self, product: u64) -> impl Future<Output = u64> + Send;
}

#[async_trait]
trait AttributePrices: Send + Sync {
    async fn price(&self, product: u64) -> u64;
}

trait BoxedPrices: Send + Sync {
    fn price(&self, product: u64) -> BoxFuture<'_, u64>;
}

/// The answer is there: what is measured is the call.
#[derive(Clone, Copy)]
struct Fixed;

impl Prices for Fixed {
    async fn price(&self, product: u64) -> u64 {
        black_box(product)
    }
}

#[async_trait]
impl AttributePrices for Fixed {
    async fn price(&self, product: u64) -> u64 {
        black_box(product)
    }
}

impl BoxedPrices for Fixed {
    fn price(&self, product: u64) -> BoxFuture<'_, u64> {
        Box::pin(async move { black_box(product) })
    }
}

#[derive(Clone, Copy)]
struct Doubled;

impl Doubled {
    async fn price(&self, product: u64) -> u64 {
        2 * black_box(product)
    }
}

enum Kind {
    Fixed(Fixed),
    Doubled(Doubled),
}

impl Kind {
    async fn price(&self, product: u64) -> u64 {
        match self {
            Self::Fixed(fixed) => Prices::price(fixed, product).await,
            Self::Doubled(doubled) => doubled.price(product).await,
        }
    }
}

fn dispatch(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("dispatch");
    macro_rules! measure {
        ($way:literal, |$product:ident| $call:expr) => {
            group.bench_function(BenchmarkId::new($way, "all"), |bencher| {
                bencher.iter(|| {
                    runtime.block_on(async {
                        let mut sum = 0u64;
                        for $product in 0..CALLS {
                            sum = sum.wrapping_add($call.await);
                        }
                        sum
                    })
                });
            });
        };
    }
    let fixed = black_box(Fixed);
    let kinds = black_box([Kind::Fixed(fixed), Kind::Doubled(Doubled)]);
    let boxed: &dyn BoxedPrices = black_box(&fixed);
    let attribute: &dyn AttributePrices = black_box(&fixed);
    let generated = black_box(DynPrices::new_box(fixed));
    measure!("generic", |product| Prices::price(&fixed, product));
    measure!("enum", |product| kinds[product as usize % 2].price(product));
    measure!("boxed", |product| boxed.price(product));
    measure!("async_trait", |product| attribute.price(product));
    measure!("dynosaur", |product| generated.price(product));
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
