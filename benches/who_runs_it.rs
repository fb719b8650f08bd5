//! The same small job, handed to a task, to the blocking pool, to a new thread.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::thread;
use tokio::runtime::{Builder, Runtime};

const JOBS: u64 = 100;

fn job(number: u64) -> u64 {
    black_box(number)
}

/// Hands over all jobs, then waits for all.
async fn tasks() -> u64 {
    let tasks: Vec<_> = (0..JOBS)
        .map(|number| tokio::spawn(async move { job(number) }))
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("it does not panic");
    }
    sum
}

async fn blocking() -> u64 {
    let tasks: Vec<_> = (0..JOBS)
        .map(|number| tokio::task::spawn_blocking(move || job(number)))
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.expect("it does not panic");
    }
    sum
}

fn threads() -> u64 {
    let threads: Vec<_> = (0..JOBS)
        .map(|number| thread::spawn(move || job(number)))
        .collect();
    let joined = threads
        .into_iter()
        .map(|thread| thread.join().expect("it does not panic"));
    joined.sum()
}

fn in_a_task(runtime: &Runtime, work: impl Future<Output = u64> + Send + 'static) -> u64 {
    let task = runtime.spawn(work);
    runtime.block_on(task).expect("it does not panic")
}

fn who_runs_it(criterion: &mut Criterion) {
    let current = Builder::new_current_thread().build().expect("a runtime");
    let several = Builder::new_multi_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("who_runs_it");
    group.bench_function(BenchmarkId::new("task_on_one_thread", "all"), |bencher| {
        bencher.iter(|| in_a_task(&current, tasks()));
    });
    group.bench_function(BenchmarkId::new("task", "all"), |bencher| {
        bencher.iter(|| in_a_task(&several, tasks()));
    });
    group.bench_function(BenchmarkId::new("spawn_blocking", "all"), |bencher| {
        bencher.iter(|| in_a_task(&several, blocking()));
    });
    group.bench_function(BenchmarkId::new("thread", "all"), |bencher| {
        bencher.iter(threads);
    });
    group.finish();
}

criterion_group!(benches, who_runs_it);
criterion_main!(benches);
