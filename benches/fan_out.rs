//! The same message to sixteen receivers: one broadcast channel, or sixteen queues.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::future::join_all;
use std::hint::black_box;
use tokio::runtime::Builder;
use tokio::sync::{broadcast, mpsc};

const MESSAGES: u64 = 1000;
const RECEIVERS: usize = 16;

async fn by_broadcast() -> u64 {
    let sender = broadcast::Sender::new(MESSAGES as usize);
    let receive = (0..RECEIVERS).map(|_| {
        let mut receiver = sender.subscribe();
        async move {
            let mut sum = 0;
            while let Ok(message) = receiver.recv().await {
                sum += message;
            }
            sum
        }
    });
    let receive: Vec<_> = receive.collect();
    for message in 0..MESSAGES {
        sender.send(message).expect("sixteen listen");
    }
    drop(sender);
    join_all(receive).await.into_iter().sum()
}

async fn by_queues() -> u64 {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..RECEIVERS)
        .map(|_| mpsc::channel(MESSAGES as usize))
        .unzip();
    let receive = receivers.into_iter().map(|mut receiver| async move {
        let mut sum = 0;
        while let Some(message) = receiver.recv().await {
            sum += message;
        }
        sum
    });
    for message in 0..MESSAGES {
        for sender in &senders {
            sender.send(message).await.expect("it is received");
        }
    }
    drop(senders);
    join_all(receive).await.into_iter().sum()
}

fn fan_out(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("fan_out");
    group.bench_function(BenchmarkId::new("broadcast", "all"), |bencher| {
        bencher.iter(|| black_box(runtime.block_on(by_broadcast())));
    });
    group.bench_function(BenchmarkId::new("queues", "all"), |bencher| {
        bencher.iter(|| black_box(runtime.block_on(by_queues())));
    });
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
