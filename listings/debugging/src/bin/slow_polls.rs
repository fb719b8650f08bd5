//! Which handler blocks? The one whose polls are slow.

use std::{
    io::{self, Write},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{advance, sleep},
};
use tokio_metrics::{TaskMetrics, TaskMonitor};

// ANCHOR: monitor
/// A monitor for each kind of work. A poll of more than 10 ms is
/// slow, because all other tasks on its thread have to wait.
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
    requests.spawn(monitors.report.instrument(report()));
    for _ in 0..3 {
        requests.spawn(monitors.search.instrument(search()));
    }
    join_all(requests).await;
}

/// If stdout is closed, `println!` would panic and abort the others.
async fn join_all(mut requests: JoinSet<()>) {
    while let Some(request) = requests.join_next().await {
        if let Err(error) = request {
            let why = format!("a request has panicked: {error}");
            _ = writeln!(io::stdout(), "{why}");
        }
    }
}
// ANCHOR_END: monitor

/// Waits for the index.
async fn search() {
    sleep(Duration::from_millis(40)).await;
}

/// Waits for the index, too, and then computes.
async fn report() {
    sleep(Duration::from_millis(40)).await;
    block_for(Duration::from_millis(200)).await;
}

/// Stands in for a call that blocks: it advances the paused clock
/// within one poll.
async fn block_for(time: Duration) {
    advance(time).await;
}

// ANCHOR: print
fn print(name: &str, metrics: &TaskMetrics) {
    let polls = metrics.total_poll_count;
    let slow = metrics.total_slow_poll_count;
    println!("{name}: {polls} polls, {slow} of them slow");
    let slow = 100.0 * metrics.slow_poll_ratio();
    let late = 100.0 * metrics.long_delay_ratio();
    println!("    slow polls: {slow:.0} %, long delays: {late:.0} %");
    let waited = metrics.mean_scheduled_duration();
    println!("    mean delay from wake to poll: {waited:?}");
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
    async fn slow_polls_are_where_the_mistake_is() {
        let monitors = Monitors::new();
        serve(&monitors).await;
        let search = monitors.search.cumulative();
        let report = monitors.report.cumulative();
        assert_eq!(search.total_slow_poll_count, 0);
        assert_eq!(report.total_slow_poll_count, 1);
        let waited = search.mean_scheduled_duration();
        assert_eq!(waited.as_millis(), 200);
    }

    /// Does nothing as a test: another test runs it as a child process.
    #[tokio::test(start_paused = true)]
    async fn child() {
        if !hazards::is_unread() {
            return;
        }
        let mut requests = JoinSet::new();
        requests.spawn(async { panic!("no index") });
        let (done, is_done) = tokio::sync::oneshot::channel();
        requests.spawn(async {
            report().await;
            done.send(()).expect("it is waited for");
        });
        join_all(requests).await;
        std::process::exit(i32::from(is_done.await.is_err()));
    }

    /// Nobody reads the log anymore, and a request panics.
    #[test]
    fn failure_of_stdout_does_not_abort_other_requests() {
        hazards::succeeds_unread(module_path!(), "child");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn cancel_is_counted_as_dropped() {
        let monitors = Monitors::new();
        drop(monitors.search.instrument(search()));
        let search = monitors.search.cumulative();
        assert_eq!(search.instrumented_count, 1);
        assert_eq!(search.dropped_count, 1);
        assert_eq!(search.total_poll_count, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_count_every_poll() {
        let monitors = Monitors::new();
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let work = tokio::task::yield_now();
            tasks.spawn(monitors.search.instrument(work));
        }
        tasks.join_all().await;
        let search = monitors.search.cumulative();
        assert_eq!(search.instrumented_count, 100);
        assert_eq!(search.total_poll_count, 200);
    }

    #[tokio::test]
    async fn panic_is_counted_as_dropped() {
        let monitors = Monitors::new();
        let work = async { panic!("no index") };
        let work = monitors.search.instrument(work);
        assert!(tokio::spawn(work).await.is_err());
        assert_eq!(monitors.search.cumulative().dropped_count, 1);
    }
}
