//! What each macro and wrapper adds to a future that is ready at once.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::coop;
use tokio::time::timeout;

const CALLS: u64 = 1000;

/// A call that has its answer: what is measured is what stands around it.
async fn cached_price(product: u64) -> u64 {
    black_box(product)
}

async fn other_price(product: u64) -> u64 {
    black_box(product)
}

fn combinators(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("combinators");
    macro_rules! measure {
        ($way:literal, |$product:ident| $call:expr) => {
            group.bench_function(BenchmarkId::new($way, "all"), |bencher| {
                bencher.iter(|| {
                    runtime.block_on(async {
                        let mut sum = 0u64;
                        for $product in 0..CALLS {
                            sum = sum.wrapping_add($call);
                        }
                        sum
                    })
                });
            });
        };
    }
    measure!("await", |product| cached_price(product).await);
    measure!("boxed", |product| Box::pin(cached_price(product)).await);
    measure!("consume_budget", |product| {
        coop::consume_budget().await;
        cached_price(product).await
    });
    measure!("join", |product| {
        let (a, b) = tokio::join!(cached_price(product), other_price(product));
        a ^ b
    });
    measure!("select", |product| tokio::select! {
        price = cached_price(product) => price,
        price = other_price(product) => price,
    });
    measure!("select_biased", |product| tokio::select! {
        biased;
        price = cached_price(product) => price,
        price = other_price(product) => price,
    });
    measure!("timeout", |product| {
        timeout(Duration::from_secs(1), cached_price(product))
            .await
            .expect("it is ready")
    });
    measure!("spawn", |product| {
        tokio::spawn(cached_price(product))
            .await
            .expect("it does not panic")
    });
    group.finish();
}

criterion_group!(benches, combinators);
criterion_main!(benches);
