//! A buffer that is held across an await, three calls deep: in the future, behind a box, in a Vec.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

const FUTURES: usize = 100;

/// Holds its buffer across an await, inside of its own future.
async fn read_inline<const N: usize>() -> u8 {
    let mut buffer = [0u8; N];
    black_box(&mut buffer);
    yield_now().await;
    buffer[N - 1]
}

/// Holds it on the heap.
async fn read_into_vec<const N: usize>() -> u8 {
    let mut buffer = vec![0u8; N];
    black_box(&mut buffer);
    yield_now().await;
    buffer[N - 1]
}

/// What middleware does: takes a future, and awaits it inside of its own.
async fn layer(inner: impl Future<Output = u8>) -> u8 {
    yield_now().await;
    inner.await
}

/// Spawns many, one after the other, and waits for each.
fn run<F>(runtime: &Runtime, make: impl Fn() -> F + Send + 'static) -> u8
where
    F: Future<Output = u8> + Send + 'static,
{
    runtime.block_on(async move {
        let mut sum = 0u8;
        for _ in 0..FUTURES {
            let task = tokio::spawn(layer(layer(layer(make()))));
            sum = sum.wrapping_add(task.await.expect("it does not panic"));
        }
        sum
    })
}

fn future_size(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("future_size");
    macro_rules! measure {
        ($row:literal, $bytes:literal) => {
            group.bench_function(BenchmarkId::new("inline", $row), |bencher| {
                bencher.iter(|| run(&runtime, read_inline::<$bytes>));
            });
            group.bench_function(BenchmarkId::new("boxed", $row), |bencher| {
                bencher.iter(|| run(&runtime, || Box::pin(read_inline::<$bytes>())));
            });
            group.bench_function(BenchmarkId::new("vec", $row), |bencher| {
                bencher.iter(|| run(&runtime, read_into_vec::<$bytes>));
            });
        };
    }
    measure!("64", 64);
    measure!("1024", 1024);
    measure!("4096", 4096);
    measure!("16384", 16384);
    group.finish();
}

criterion_group!(benches, future_size);
criterion_main!(benches);
