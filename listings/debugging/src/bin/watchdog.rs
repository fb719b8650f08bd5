//! A thread that notices when the runtime's timers stop.

use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{MissedTickBehavior, interval},
};

// ANCHOR: pulse
/// What the watchdog has seen.
enum Pulse {
    /// The runtime polls its tasks and fires its timers: the sign of
    /// life for a supervisor.
    Beat,
    /// Another `limit` has passed without a beat.
    Silent { tasks: usize },
}

async fn beat(every: Duration, beats: mpsc::SyncSender<()>) {
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // One unread beat is enough: with more, a slow `report` would
        // get old beats of a runtime that already hangs.
        if beats.try_send(()) == Err(TrySendError::Disconnected(())) {
            return; // The watchdog has returned.
        }
    }
}
// ANCHOR_END: pulse

// ANCHOR: watchdog
/// Waits for beats of the runtime, on a thread that no task can
/// block. Returns when `stop` is dropped, within `limit` even if the
/// runtime hangs, or when the runtime has shut down.
fn watch(
    runtime: &Handle,
    limit: Duration,
    stop: &mpsc::Receiver<()>,
    mut report: impl FnMut(Pulse),
) {
    let (sender, beats) = mpsc::sync_channel(1);
    let beating = runtime.spawn(beat(limit / 2, sender));
    loop {
        match beats.recv_timeout(limit) {
            Ok(()) => report(Pulse::Beat),
            Err(RecvTimeoutError::Timeout) => {
                let tasks = runtime.metrics().num_alive_tasks();
                report(Pulse::Silent { tasks });
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if stop.try_recv() != Err(TryRecvError::Empty) {
            beating.abort();
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

/// Blocks the only thread of a runtime; returns what was reported
/// until it beats again.
async fn run(limit: Duration, times: usize) -> Vec<String> {
    let runtime = Handle::current();
    let (stop, until) = mpsc::channel();
    let (noticed, is_noticed) = mpsc::channel();
    let first = Arc::new(Notify::new());
    let is_beating = Arc::clone(&first);
    let watchdog = thread::spawn(move || {
        let (mut stop, mut reports) = (Some(stop), Vec::new());
        watch(&runtime, limit, &until, |pulse| match pulse {
            Pulse::Beat => {
                if reports.len() > 1 {
                    stop = None;
                }
                reports.push("beat".to_owned());
                first.notify_one();
            }
            Pulse::Silent { tasks } => {
                reports.push(format!("silent; {tasks} tasks alive"));
                // Once the task is done, nothing is blocked.
                let _through = noticed.send(());
            }
        });
        drop(stop);
        reports
    });
    is_beating.notified().await;
    let blocked = tokio::spawn(block_until(is_noticed, times)).await;
    let reports = tokio::task::spawn_blocking(|| watchdog.join());
    match (blocked, reports.await) {
        (Ok(()), Ok(Ok(reports))) => reports,
        _ => vec!["a thread or a task has panicked".to_owned()],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for line in run(Duration::from_millis(500), 1).await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use tokio::{
        runtime::{Builder, Runtime},
        time::sleep,
    };

    const LIMIT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn slow_runtime_is_reported_and_beats_again() {
        let reports = run(5 * LIMIT, 1).await;
        assert_eq!(reports, ["beat", "silent; 2 tasks alive", "beat"]);
    }

    #[tokio::test]
    async fn silence_is_reported_for_as_long_as_it_lasts() {
        let reports = run(LIMIT, 3).await;
        let silent = reports.iter().filter(|it| it.starts_with("s"));
        assert!(silent.count() >= 3, "{reports:?}");
        assert_eq!(reports.first().map(String::as_str), Some("beat"));
        assert_eq!(reports.last().map(String::as_str), Some("beat"));
    }

    #[test]
    fn slow_reports_do_not_hide_a_hang() {
        let runtime = runtime(1);
        let (end, until) = mpsc::channel::<()>();
        let mut until = Some(until);
        let (stop, stopped) = mpsc::channel();
        let mut stop = Some(stop);
        let mut pulses = 0;
        watch(runtime.handle(), LIMIT, &stopped, |pulse| {
            pulses += 1;
            thread::sleep(3 * LIMIT);
            if let Some(until) = until.take_if(|_| pulses == 3) {
                let (hangs, does_hang) = mpsc::channel::<()>();
                runtime.spawn(async move {
                    drop(hangs);
                    let _ended = until.recv();
                });
                assert!(does_hang.recv().is_err());
            }
            if matches!(pulse, Pulse::Silent { .. }) {
                stop = None;
            }
        });
        // Three, one that was not read yet, and the silence.
        assert!(pulses <= 5, "{pulses}");
        drop(end);
    }

    fn runtime(workers: usize) -> Runtime {
        Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn stop_is_noticed_while_the_runtime_hangs() {
        let runtime = runtime(1);
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
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let (stop, stopped) = mpsc::channel();
        let mut runtime = Some(runtime);
        watch(&handle, 20 * LIMIT, &stopped, |pulse| {
            assert!(matches!(pulse, Pulse::Beat));
            if let Some(runtime) = runtime.take() {
                runtime.shutdown_background();
            }
        });
        drop(stop);
    }

    #[test]
    fn again_it_leaves_no_task_behind() {
        let runtime = runtime(1);
        for _ in 0..3 {
            let (stop, stopped) = mpsc::channel();
            let mut stop = Some(stop);
            watch(runtime.handle(), 20 * LIMIT, &stopped, |_| {
                stop = None;
            });
        }
        let metrics = runtime.handle().metrics();
        let start = Instant::now();
        while metrics.num_alive_tasks() > 0 {
            // Its next beat would be much later.
            assert!(start.elapsed() < 5 * LIMIT);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// A worker that has just fired a timer, and blocks then, keeps the
    /// driver: nobody else fires timers until another worker wakes up.
    fn is_silent_with_one_blocked_worker_of_two() -> bool {
        let runtime = runtime(2);
        let (end, until) = mpsc::channel::<()>();
        runtime.spawn(async move {
            sleep(Duration::from_millis(20)).await;
            let _ended = until.recv();
        });
        let (stop, stopped) = mpsc::channel();
        let mut stop = Some(stop);
        let (mut pulses, mut is_silent) = (0, false);
        watch(runtime.handle(), 3 * LIMIT, &stopped, |pulse| {
            pulses += 1;
            is_silent |= matches!(pulse, Pulse::Silent { .. });
            if is_silent || pulses == 5 {
                stop = None;
            }
        });
        drop(end);
        is_silent
    }

    #[test]
    fn threads_one_blocked_worker_that_stops_all_timers_is_reported() {
        let mut rounds = 0..10;
        assert!(
            rounds.any(|_| is_silent_with_one_blocked_worker_of_two())
        );
    }

    #[test]
    fn edges_a_limit_of_zero_does_not_panic_or_spin_the_runtime() {
        let runtime = runtime(1);
        let (stop, stopped) = mpsc::channel();
        let mut stop = Some(stop);
        let mut beats = 0;
        watch(runtime.handle(), Duration::ZERO, &stopped, |pulse| {
            beats += usize::from(matches!(pulse, Pulse::Beat));
            if beats == 3 {
                stop = None;
            }
        });
        assert_eq!(beats, 3);
        let task = async { tokio::spawn(async { 7 }).await };
        assert_eq!(runtime.block_on(task).ok(), Some(7));
    }
}
