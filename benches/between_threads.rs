//! One thread sends, and one receives, without a runtime: what a message costs.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::thread;

const MESSAGES: u64 = 100_000;
const CAPACITY: usize = 128;

/// Sends on a thread of its own, and sums up what is received here.
fn sum(send: impl FnOnce() + Send, receive: impl FnMut() -> Option<u64>) -> u64 {
    thread::scope(|scope| {
        scope.spawn(send);
        std::iter::from_fn(receive).sum()
    })
}

fn std_sync_channel() -> u64 {
    let (sender, receiver) = std::sync::mpsc::sync_channel(CAPACITY);
    let send = move || (0..MESSAGES).for_each(|it| sender.send(it).expect("it is received"));
    sum(send, || receiver.recv().ok())
}

fn tokio_blocking() -> u64 {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(CAPACITY);
    let send = move || {
        (0..MESSAGES).for_each(|it| sender.blocking_send(it).expect("it is received"));
    };
    sum(send, || receiver.blocking_recv())
}

fn flume() -> u64 {
    let (sender, receiver) = flume::bounded(CAPACITY);
    let send = move || (0..MESSAGES).for_each(|it| sender.send(it).expect("it is received"));
    sum(send, || receiver.recv().ok())
}

fn async_channel() -> u64 {
    let (sender, receiver) = async_channel::bounded(CAPACITY);
    let send = move || {
        (0..MESSAGES).for_each(|it| sender.send_blocking(it).expect("it is received"));
    };
    sum(send, || receiver.recv_blocking().ok())
}

fn kanal() -> u64 {
    let (sender, receiver) = kanal::bounded(CAPACITY);
    let send = move || (0..MESSAGES).for_each(|it| sender.send(it).expect("it is received"));
    sum(send, || receiver.recv().ok())
}

fn between_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("between_threads");
    group.sample_size(20);
    macro_rules! measure {
        ($way:literal, $run:path) => {
            group.bench_function(BenchmarkId::new($way, "all"), |bencher| {
                bencher.iter(|| black_box($run()));
            });
        };
    }
    measure!("std", std_sync_channel);
    measure!("tokio", tokio_blocking);
    measure!("flume", flume);
    measure!("async_channel", async_channel);
    measure!("kanal", kanal);
    group.finish();
}

criterion_group!(benches, between_threads);
criterion_main!(benches);
