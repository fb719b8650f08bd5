//! Which handler blocks? The one whose polls are slow.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{advance, sleep},
};
use tokio_metrics::{TaskMetrics, TaskMonitor};

// ANCHOR: monitor
/// A monitor for each kind of work. A poll of more than 10 ms is
/// slow: so long, all other tasks of its thread wait.
struct Monitors {
    search: TaskMonitor,
    report: TaskMonitor,
}

impl Monitors {
    fn new() -> Self {
        let new = || {
            TaskMonitor::with_slow_poll_threshold(
                Duration::from_millis(10),
            )
        };
        Self { search: new(), report: new() }
    }
}

async fn serve(monitors: &Monitors) {
    let mut requests = JoinSet::new();
    for _ in 0..3 {
        requests.spawn(monitors.search.instrument(search()));
    }
    requests.spawn(monitors.report.instrument(report()));
    requests.join_all().await;
}
// ANCHOR_END: monitor

async fn search() {
    sleep(Duration::from_millis(40)).await;
}

/// Asks, and then computes.
async fn report() {
    sleep(Duration::from_millis(5)).await;
    block_for(Duration::from_millis(200)).await;
}

/// Stands for a call that blocks: the paused clock goes on, within
/// one poll.
async fn block_for(time: Duration) {
    advance(time).await;
}

// ANCHOR: print
fn print(name: &str, metrics: &TaskMetrics) {
    let TaskMetrics {
        instrumented_count,
        total_poll_count,
        total_slow_poll_count,
        max_idle_duration,
        ..
    } = metrics;
    println!(
        "{name}: {instrumented_count} tasks, {total_poll_count} polls, \
         {total_slow_poll_count} slow, waited {max_idle_duration:?}",
    );
}
// ANCHOR_END: print

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let monitors = Monitors::new();
    serve(&monitors).await;
    print("search", &monitors.search.cumulative());
    print("report", &monitors.report.cumulative());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_handler_is_slow_and_the_others_wait() {
        let monitors = Monitors::new();
        serve(&monitors).await;
        let search = monitors.search.cumulative();
        let report = monitors.report.cumulative();
        assert_eq!(search.total_slow_poll_count, 0);
        assert_eq!(report.total_slow_poll_count, 1);
        assert_eq!(search.max_idle_duration.as_millis(), 205);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_dropped_is_counted_as_dropped() {
        let monitors = Monitors::new();
        drop(monitors.search.instrument(search()));
        let search = monitors.search.cumulative();
        assert_eq!(search.instrumented_count, 1);
        assert_eq!(search.dropped_count, 1);
        assert_eq!(search.total_poll_count, 0);
    }
}
