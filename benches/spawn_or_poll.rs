//! A thousand futures that compute for a while: each in a task of its own, or all in one task.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::future::join_all;
use futures::stream::{self, FuturesUnordered, StreamExt};
use std::hint::black_box;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const FUTURES: u64 = 1000;

/// The rows: how many steps each future computes. A step takes about a nanosecond.
const STEPS: [(&str, u64); 5] = [
    ("none", 0),
    ("100_ns", 100),
    ("1_us", 1_000),
    ("10_us", 10_000),
    ("100_us", 100_000),
];

async fn compute(steps: u64) -> u64 {
    let mut value = steps;
    for step in 0..steps {
        // Each needs the one before, so that two threads of one core do not hold each other up.
        value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ step;
    }
    black_box(value)
}

async fn in_a_join_set(steps: u64) -> u64 {
    let mut tasks: JoinSet<_> = (0..FUTURES).map(|_| compute(steps)).collect();
    let mut sum = 0u64;
    while let Some(joined) = tasks.join_next().await {
        sum = sum.wrapping_add(joined.expect("it does not panic"));
    }
    sum
}

async fn in_futures_unordered(steps: u64) -> u64 {
    let futures: FuturesUnordered<_> = (0..FUTURES).map(|_| compute(steps)).collect();
    futures
        .fold(0u64, async |sum, value| sum.wrapping_add(value))
        .await
}

async fn in_buffer_unordered(steps: u64) -> u64 {
    stream::iter((0..FUTURES).map(|_| compute(steps)))
        .buffer_unordered(64)
        .fold(0u64, async |sum, value| sum.wrapping_add(value))
        .await
}

async fn in_join_all(steps: u64) -> u64 {
    let values = join_all((0..FUTURES).map(|_| compute(steps))).await;
    values.into_iter().fold(0, u64::wrapping_add)
}

/// Runs `work` in a task, as a handler of a server would.
fn run(runtime: &Runtime, work: impl Future<Output = u64> + Send + 'static) -> u64 {
    let task = runtime.spawn(work);
    runtime.block_on(task).expect("it does not panic")
}

fn spawn_or_poll(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("spawn_or_poll");
    for (row, steps) in STEPS {
        macro_rules! measure {
            ($way:literal, $work:path) => {
                group.bench_function(BenchmarkId::new($way, row), |bencher| {
                    bencher.iter(|| run(&runtime, $work(black_box(steps))));
                });
            };
        }
        measure!("join_set", in_a_join_set);
        measure!("futures_unordered", in_futures_unordered);
        measure!("buffer_unordered", in_buffer_unordered);
        measure!("join_all", in_join_all);
    }
    group.finish();
}

criterion_group!(benches, spawn_or_poll);
criterion_main!(benches);
