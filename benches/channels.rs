//! One task sends, and one receives, on one thread: what a message costs.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

const MESSAGES: u64 = 10_000;
const CAPACITY: usize = 128;

async fn tokio_recv() -> u64 {
    let (sender, mut receiver) = mpsc::channel(CAPACITY);
    let send = async move {
        for message in 0..MESSAGES {
            sender.send(message).await.expect("it is received");
        }
    };
    let receive = async {
        let mut sum = 0;
        while let Some(message) = receiver.recv().await {
            sum += message;
        }
        sum
    };
    tokio::join!(receive, send).0
}

async fn tokio_recv_many() -> u64 {
    let (sender, mut receiver) = mpsc::channel(CAPACITY);
    let send = async move {
        for message in 0..MESSAGES {
            sender.send(message).await.expect("it is received");
        }
    };
    let receive = async {
        let (mut sum, mut batch) = (0, Vec::with_capacity(CAPACITY));
        while receiver.recv_many(&mut batch, CAPACITY).await > 0 {
            sum += batch.drain(..).sum::<u64>();
        }
        sum
    };
    tokio::join!(receive, send).0
}

async fn tokio_unbounded() -> u64 {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let send = async move {
        for message in 0..MESSAGES {
            sender.send(message).expect("it is received");
        }
    };
    let receive = async {
        let mut sum = 0;
        while let Some(message) = receiver.recv().await {
            sum += message;
        }
        sum
    };
    tokio::join!(receive, send).0
}

async fn flume() -> u64 {
    let (sender, receiver) = flume::bounded(CAPACITY);
    let send = async move {
        for message in 0..MESSAGES {
            sender.send_async(message).await.expect("it is received");
        }
    };
    let receive = async {
        let mut sum = 0;
        while let Ok(message) = receiver.recv_async().await {
            sum += message;
        }
        sum
    };
    tokio::join!(receive, send).0
}

async fn async_channel() -> u64 {
    let (sender, receiver) = async_channel::bounded(CAPACITY);
    let send = async move {
        for message in 0..MESSAGES {
            sender.send(message).await.expect("it is received");
        }
    };
    let receive = async {
        let mut sum = 0;
        while let Ok(message) = receiver.recv().await {
            sum += message;
        }
        sum
    };
    tokio::join!(receive, send).0
}

async fn kanal() -> u64 {
    let (sender, receiver) = kanal::bounded_async(CAPACITY);
    let send = async move {
        for message in 0..MESSAGES {
            sender.send(message).await.expect("it is received");
        }
    };
    let receive = async {
        let mut sum = 0;
        while let Ok(message) = receiver.recv().await {
            sum += message;
        }
        sum
    };
    tokio::join!(receive, send).0
}

fn channels(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("channels");
    macro_rules! measure {
        ($way:literal, $run:path) => {
            group.bench_function(BenchmarkId::new($way, "all"), |bencher| {
                bencher.iter(|| black_box(runtime.block_on($run())));
            });
        };
    }
    measure!("recv", tokio_recv);
    measure!("recv_many", tokio_recv_many);
    measure!("unbounded", tokio_unbounded);
    measure!("flume", flume);
    measure!("async_channel", async_channel);
    measure!("kanal", kanal);
    group.finish();
}

criterion_group!(benches, channels);
criterion_main!(benches);
