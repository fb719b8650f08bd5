//! A thread that notices when the runtime doesn't answer.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, TryRecvError},
    },
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::Notify, time::sleep};

// ANCHOR: pulse
/// What the watchdog has seen.
enum Pulse {
    /// The runtime answers: the sign of life for a supervisor.
    Beat,
    /// It has been silent for one more `limit`.
    Silent { tasks: usize },
}
// ANCHOR_END: pulse

// ANCHOR: watchdog
/// Asks the runtime for an answer again and again, on a thread that
/// no task can block. Returns when `stop` is dropped, within `limit`
/// even if the runtime hangs, or when the runtime has shut down.
fn watch(
    runtime: &Handle,
    limit: Duration,
    stop: &mpsc::Receiver<()>,
    mut report: impl FnMut(Pulse),
) {
    loop {
        let (answer, answered) = mpsc::channel();
        runtime.spawn(async move {
            // The answer needs a worker, and a timer that fires.
            sleep(Duration::from_millis(1)).await;
            // If nobody waits for it anymore, nobody needs it.
            let _late = answer.send(());
        });
        loop {
            match answered.recv_timeout(limit) {
                Ok(()) => break report(Pulse::Beat),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    let tasks = runtime.metrics().num_alive_tasks();
                    report(Pulse::Silent { tasks });
                }
            }
            if stop.try_recv() != Err(TryRecvError::Empty) {
                return;
            }
        }
        if stop.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
// ANCHOR_END: watchdog

/// A task that blocks its thread until it was noticed so many times.
async fn block_until(noticed: mpsc::Receiver<()>, times: usize) {
    for _ in 0..times {
        let _noticed = noticed.recv();
    }
}

/// Blocks the only thread of a runtime; returns what was reported.
async fn run(limit: Duration, times: usize) -> Vec<String> {
    let runtime = Handle::current();
    let (stop, until) = mpsc::channel();
    let (noticed, is_noticed) = mpsc::channel();
    let beats = Arc::new(Notify::new());
    let beat = Arc::clone(&beats);
    let watchdog = thread::spawn(move || {
        let mut reports = Vec::new();
        watch(&runtime, limit, &until, |pulse| match pulse {
            Pulse::Beat => {
                reports.push("beat".to_owned());
                beats.notify_one();
            }
            Pulse::Silent { tasks } => {
                reports.push(format!("silent; {tasks} tasks alive"));
                // Once the task is through, nothing is blocked.
                let _through = noticed.send(());
            }
        });
        reports
    });
    let blocking = tokio::spawn(block_until(is_noticed, times));
    let blocked = blocking.await;
    beat.notified().await;
    drop(stop);
    let reports = tokio::task::spawn_blocking(|| watchdog.join());
    match (blocked, reports.await) {
        (Ok(()), Ok(Ok(reports))) => reports,
        _ => vec!["a thread or a task has panicked".to_owned()],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for line in run(Duration::from_millis(300), 1).await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use tokio::runtime::{Builder, Runtime};

    const LIMIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn slow_runtime_is_reported_and_beats_again() {
        let reports = run(3 * LIMIT, 1).await;
        assert_eq!(reports, ["silent; 2 tasks alive", "beat"]);
    }

    #[tokio::test]
    async fn silence_is_reported_for_as_long_as_it_lasts() {
        let reports = run(LIMIT, 3).await;
        assert!(reports.len() >= 4, "{reports:?}");
        assert_eq!(reports.last().map(String::as_str), Some("beat"));
        assert!(reports[..3].iter().all(|it| it.starts_with("silent")));
    }

    fn runtime() -> Runtime {
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn stop_is_noticed_while_the_runtime_hangs() {
        let runtime = runtime();
        let (end, until) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _ended = until.recv();
        });
        let (stop, stopped) = mpsc::channel();
        let mut stop = Some(stop);
        let start = Instant::now();
        let mut silent = 0;
        watch(runtime.handle(), LIMIT, &stopped, |pulse| {
            silent +=
                usize::from(matches!(pulse, Pulse::Silent { .. }));
            if silent == 2 {
                stop = None;
            }
        });
        assert_eq!(silent, 2);
        assert!(start.elapsed() < 20 * LIMIT);
        drop(end);
    }

    #[test]
    fn owner_gone_it_returns_when_the_runtime_shuts_down() {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let (stop, stopped) = mpsc::channel();
        let mut runtime = Some(runtime);
        watch(&handle, LIMIT, &stopped, |pulse| {
            assert!(matches!(pulse, Pulse::Beat));
            if let Some(runtime) = runtime.take() {
                runtime.shutdown_background();
            }
        });
        drop(stop);
    }

    #[test]
    fn threads_one_blocked_worker_of_two_still_beats() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (end, until) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _ended = until.recv();
        });
        let (stop, stopped) = mpsc::channel();
        let mut stop = Some(stop);
        let limit = 20 * LIMIT;
        watch(runtime.handle(), limit, &stopped, |pulse| {
            assert!(matches!(pulse, Pulse::Beat));
            stop = None;
        });
        drop(end);
    }
}
