//! What it costs to wait for a message and for a stop at once.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const MESSAGES: u64 = 1000;

fn cancellation(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("cancellation");
    macro_rules! measure {
        ($way:literal, |$queue:ident, $stop:ident| $next:expr) => {
            group.bench_function(BenchmarkId::new($way, "all"), |bencher| {
                let $stop = CancellationToken::new();
                let (sender, mut $queue) = mpsc::unbounded_channel();
                bencher.iter(|| {
                    for message in 0..MESSAGES {
                        sender.send(message).expect("it is open");
                    }
                    runtime.block_on(async {
                        let mut sum = 0u64;
                        for _ in 0..MESSAGES {
                            let message: Option<u64> = $next;
                            sum = sum.wrapping_add(message.expect("it was sent"));
                        }
                        sum
                    })
                });
            });
        };
    }
    measure!("recv", |queue, _stop| queue.recv().await);
    measure!("run_until_cancelled", |queue, stop| stop
        .run_until_cancelled(queue.recv())
        .await
        .flatten());
    measure!("select_biased", |queue, stop| tokio::select! {
        biased;
        () = stop.cancelled() => None,
        message = queue.recv() => message,
    });
    measure!("select", |queue, stop| tokio::select! {
        () = stop.cancelled() => None,
        message = queue.recv() => message,
    });
    measure!("is_cancelled", |queue, stop| if stop.is_cancelled() {
        None
    } else {
        queue.recv().await
    });
    group.finish();
}

criterion_group!(benches, cancellation);
criterion_main!(benches);
