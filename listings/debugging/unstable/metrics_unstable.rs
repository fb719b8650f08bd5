//! The metrics that need an unstable Tokio, by name.

use tokio::{
    runtime::{Builder, Handle, RuntimeMetrics},
    sync::{broadcast, mpsc},
    task::{spawn_blocking, yield_now},
};

// ANCHOR: metrics
fn print(metrics: &RuntimeMetrics) {
    println!("blocking pool");
    println!("  threads    {}", metrics.num_blocking_threads());
    println!("  idle       {}", metrics.num_idle_blocking_threads());
    println!("  queued     {}", metrics.blocking_queue_depth());
    println!("tasks");
    println!("  spawned    {}", metrics.spawned_tasks_count());
    println!("  yields     {}", metrics.budget_forced_yield_count());
    for worker in 0..metrics.num_workers() {
        let queued = metrics.worker_local_queue_depth(worker);
        println!("worker {worker}");
        println!("  queued     {queued}");
        let slowest = (0..metrics.poll_time_histogram_num_buckets())
            .filter(|&it| polls_in(metrics, worker, it) > 0)
            .map(|it| metrics.poll_time_histogram_bucket_range(it))
            .next_back();
        let was_slow = slowest.is_some_and(|it| it.end > SLOW);
        println!("  slow poll  {was_slow}");
    }
}

fn polls_in(
    metrics: &RuntimeMetrics,
    worker: usize,
    bucket: usize,
) -> u64 {
    metrics.poll_time_histogram_bucket_count(worker, bucket)
}
// ANCHOR_END: metrics

/// A poll that takes this long holds up all others.
const SLOW: std::time::Duration = std::time::Duration::from_millis(10);

async fn serve() {
    let (started, mut starts) = mpsc::channel(1);
    let (end, ends) = broadcast::channel::<()>(1);
    // The pool has one thread: it runs the first, and two wait.
    let files: Vec<_> = (0..3)
        .map(|_| (started.clone(), ends.resubscribe()))
        .map(|(started, mut ends)| {
            spawn_blocking(move || {
                let is_first = started.try_send(()).is_ok();
                (is_first, ends.blocking_recv().is_err())
            })
        })
        .collect();
    starts.recv().await.expect("the first one has started");
    let slow = tokio::spawn(async { std::thread::sleep(2 * SLOW) });
    slow.await.expect("it doesn't panic");
    yield_now().await;
    let waiting: Vec<_> =
        (0..4).map(|_| tokio::spawn(std::future::ready(()))).collect();
    print(&Handle::current().metrics());
    drop(end);
    for file in files {
        file.await.expect("it doesn't panic");
    }
    for task in waiting {
        task.await.expect("it doesn't panic");
    }
}

fn main() {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .event_interval(1)
        .enable_metrics_poll_time_histogram()
        .build()
        .expect("a runtime");
    runtime.block_on(serve());
}
