//! What an item of a stream costs, by what the stream is made with.

use async_stream::stream;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::{Stream, StreamExt, stream};
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const ITEMS: u64 = 10_000;
const CAPACITY: usize = 128;

/// The numbers from `next` on.
struct Numbers {
    next: u64,
}

impl Stream for Numbers {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<u64>> {
        let number = self.next;
        self.next += 1;
        Poll::Ready((number < ITEMS).then_some(number))
    }
}

fn unfolded() -> impl Stream<Item = u64> {
    stream::unfold(0, async |number| {
        (number < ITEMS).then_some((number, number + 1))
    })
}

fn by_macro() -> impl Stream<Item = u64> {
    stream! {
        for number in 0..ITEMS {
            yield number;
        }
    }
}

/// Takes all of them, one by one.
async fn sum(numbers: impl Stream<Item = u64>) -> u64 {
    let mut numbers = std::pin::pin!(numbers);
    let mut sum = 0u64;
    while let Some(number) = numbers.next().await {
        sum = sum.wrapping_add(black_box(number));
    }
    sum
}

async fn through_channel() -> u64 {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let send = async move {
        for number in 0..ITEMS {
            sender.send(number).await.expect("it is received");
        }
    };
    tokio::join!(sum(ReceiverStream::new(receiver)), send).0
}

fn stream_sources(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("stream_sources");
    macro_rules! measure {
        ($way:literal, $sum:expr) => {
            group.bench_function(BenchmarkId::new($way, "all"), |bencher| {
                bencher.iter(|| runtime.block_on(async { $sum.await }));
            });
        };
    }
    measure!("by_hand", sum(Numbers { next: 0 }));
    measure!("iter", sum(stream::iter(0..ITEMS)));
    measure!("unfold", sum(unfolded()));
    measure!("macro", sum(by_macro()));
    measure!("boxed_macro", sum(by_macro().boxed()));
    measure!("tokio_iter", sum(tokio_stream::iter(0..ITEMS)));
    measure!("receiver", through_channel());
    group.finish();
}

criterion_group!(benches, stream_sources);
criterion_main!(benches);
