//! What reading a small value costs, that four tasks read and nobody writes.

use arc_swap::ArcSwap;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

const READS: u64 = 10_000;
const TASKS: u64 = 4;

macro_rules! four_readers {
    ($name:ident, $state:expr, |$shared:ident| $read:expr) => {
        async fn $name() -> u64 {
            let state = Arc::new($state);
            let mut readers = JoinSet::new();
            for _ in 0..TASKS {
                let $shared = Arc::clone(&state);
                readers.spawn(async move {
                    let mut sum = 0;
                    for _ in 0..READS / TASKS {
                        sum += black_box($read);
                    }
                    sum
                });
            }
            readers.join_all().await.into_iter().sum()
        }
    };
}

four_readers!(arc_swap, ArcSwap::from_pointee(7u64), |state| **state
    .load());
four_readers!(watched, watch::Sender::new(7u64), |state| *state.borrow());
four_readers!(std_rwlock, std::sync::RwLock::new(7u64), |state| {
    *state.read().expect("no panic")
});
four_readers!(std_mutex, std::sync::Mutex::new(7u64), |state| {
    *state.lock().expect("no panic")
});
four_readers!(tokio_rwlock, tokio::sync::RwLock::new(7u64), |state| {
    *state.read().await
});

/// In a task, so that it runs on the workers.
fn run(runtime: &Runtime, work: impl Future<Output = u64> + Send + 'static) {
    let task = runtime.spawn(work);
    let sum = runtime.block_on(task).expect("it does not panic");
    assert_eq!(sum, 7 * READS);
}

fn read_mostly(criterion: &mut Criterion) {
    let one = Builder::new_current_thread().build().expect("a runtime");
    let two = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let mut group = criterion.benchmark_group("read_mostly");
    for (row, runtime) in [("one", &one), ("two", &two)] {
        macro_rules! measure {
            ($way:literal, $work:path) => {
                group.bench_function(BenchmarkId::new($way, row), |bencher| {
                    bencher.iter(|| run(runtime, $work()));
                });
            };
        }
        measure!("arc_swap", arc_swap);
        measure!("watch", watched);
        measure!("std_rwlock", std_rwlock);
        measure!("std_mutex", std_mutex);
        measure!("tokio_rwlock", tokio_rwlock);
    }
    group.finish();
}

criterion_group!(benches, read_mostly);
criterion_main!(benches);
