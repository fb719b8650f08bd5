//! What locking and unlocking costs, where the hold time is one addition.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const LOCKS: u64 = 10_000;
const TASKS: u64 = 4;

async fn std_alone() -> u64 {
    let sum = std::sync::Mutex::new(0);
    for number in 0..LOCKS {
        *sum.lock().expect("no panic") += number;
    }
    sum.into_inner().expect("no panic")
}

async fn tokio_alone() -> u64 {
    let sum = tokio::sync::Mutex::new(0);
    for number in 0..LOCKS {
        *sum.lock().await += number;
    }
    sum.into_inner()
}

async fn std_shared() -> u64 {
    let sum = Arc::new(std::sync::Mutex::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let sum = Arc::clone(&sum);
        tasks.spawn(async move {
            for number in 0..LOCKS / TASKS {
                *sum.lock().expect("no panic") += number;
            }
        });
    }
    tasks.join_all().await;
    *sum.lock().expect("no panic")
}

async fn tokio_shared() -> u64 {
    let sum = Arc::new(tokio::sync::Mutex::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let sum = Arc::clone(&sum);
        tasks.spawn(async move {
            for number in 0..LOCKS / TASKS {
                *sum.lock().await += number;
            }
        });
    }
    tasks.join_all().await;
    *sum.lock().await
}

/// In a task, so that it runs on the workers.
fn run(runtime: &Runtime, work: impl Future<Output = u64> + Send + 'static) -> u64 {
    let task = runtime.spawn(work);
    runtime.block_on(task).expect("it does not panic")
}

fn locks(criterion: &mut Criterion) {
    let one = Builder::new_current_thread().build().expect("a runtime");
    let two = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("locks");
    macro_rules! measure {
        ($way:literal, $row:literal, $runtime:ident, $work:path) => {
            group.bench_function(BenchmarkId::new($way, $row), |bencher| {
                bencher.iter(|| run(&$runtime, $work()));
            });
        };
    }
    measure!("std", "alone", one, std_alone);
    measure!("tokio", "alone", one, tokio_alone);
    measure!("std", "shared", two, std_shared);
    measure!("tokio", "shared", two, tokio_shared);
    group.finish();
}

criterion_group!(benches, locks);
criterion_main!(benches);
