//! How healthy a runtime is, measured without unstable features.

use std::{sync::mpsc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeMetrics},
    task::JoinSet,
    time::sleep,
};

// ANCHOR: health
/// Measures how loaded a runtime is.
struct Health {
    metrics: RuntimeMetrics,
    busy_before: Duration,
}

struct Load {
    /// Tasks that haven't finished.
    alive: usize,
    /// Tasks in the queue that all workers share.
    queued: usize,
    /// The busy time of all workers since the last look.
    busy: Duration,
}

impl Health {
    fn of(runtime: &Handle) -> Self {
        let metrics = runtime.metrics();
        let busy_before = total_busy(&metrics);
        Self { metrics, busy_before }
    }

    fn look(&mut self) -> Load {
        let total = total_busy(&self.metrics);
        let before = std::mem::replace(&mut self.busy_before, total);
        Load {
            alive: self.metrics.num_alive_tasks(),
            queued: self.metrics.global_queue_depth(),
            busy: total.saturating_sub(before),
        }
    }
}

fn total_busy(metrics: &RuntimeMetrics) -> Duration {
    let workers = 0..metrics.num_workers();
    workers.map(|it| metrics.worker_total_busy_duration(it)).sum()
}
// ANCHOR_END: health

fn print(when: &str, load: &Load) {
    let is_busy = if load.busy < BLOCKED { "no" } else { "yes" };
    let Load { alive, queued, .. } = load;
    println!("{when}: {alive} alive, {queued} queued, busy: {is_busy}");
}

/// How long the worker is blocked, at least.
const BLOCKED: Duration = Duration::from_millis(20);

/// A task that blocks the worker until `end` is dropped, and five that
/// wait for it.
fn block_worker(tasks: &mut JoinSet<()>, end: mpsc::Receiver<()>) {
    let (blocks, is_blocked) = mpsc::channel::<()>();
    tasks.spawn(async move {
        drop(blocks);
        let _ended = end.recv();
    });
    let _is_blocked = is_blocked.recv();
    for _ in 0..5 {
        tasks.spawn(tokio::task::yield_now());
    }
}

/// Waits until the worker has nothing to do anymore.
async fn rest(metrics: &RuntimeMetrics, parks_before: u64) {
    while metrics.worker_park_count(0) == parks_before {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Looks while the only worker is blocked, and afterward. The thread
/// that calls this must be another one.
async fn look_twice() -> (Load, Load) {
    let metrics = Handle::current().metrics();
    let mut health = Health::of(&Handle::current());
    let mut tasks = JoinSet::new();
    let (end, until) = mpsc::channel();
    block_worker(&mut tasks, until);
    let parks = metrics.worker_park_count(0);
    std::thread::sleep(BLOCKED);
    let during = health.look();
    drop(end);
    tasks.join_all().await;
    rest(&metrics, parks).await;
    (during, health.look())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let (during, afterward) = look_twice().await;
    print("while a task blocks the worker", &during);
    print("afterward", &afterward);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn slow_a_blocked_worker_counts_as_busy_when_it_rests() {
        let (during, afterward) = look_twice().await;
        assert_eq!((during.alive, during.queued), (6, 5));
        assert!(during.busy < BLOCKED);
        assert_eq!((afterward.alive, afterward.queued), (0, 0));
        assert!(afterward.busy >= BLOCKED);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn slow_polls_that_follow_each_other_count_later() {
        let runtime = Handle::current();
        let mut health = Health::of(&runtime);
        let mut tasks = JoinSet::new();
        let (started, starts) = mpsc::channel();
        let (next, until) = mpsc::channel();
        let until = std::sync::Arc::new(std::sync::Mutex::new(until));
        for _ in 0..10 {
            let (started, until) = (started.clone(), until.clone());
            tasks.spawn(async move {
                let _started = started.send(());
                let _next: Result<(), _> =
                    until.lock().expect("no panic").recv();
            });
        }
        for _ in 0..3 {
            starts.recv().expect("it starts");
            std::thread::sleep(BLOCKED);
            next.send(()).expect("it waits");
        }
        starts.recv().expect("the fourth one starts");
        // Three polls are over, and took 60 ms.
        assert!(health.look().busy < BLOCKED);
        drop(next);
        tasks.join_all().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_what_a_worker_spawns_is_in_its_own_queue() {
        let on_a_worker = tokio::spawn(async {
            let mut tasks = JoinSet::new();
            for _ in 0..5 {
                tasks.spawn(tokio::task::yield_now());
            }
            let load = Health::of(&Handle::current()).look();
            tasks.join_all().await;
            (load.alive, load.queued)
        });
        assert_eq!(on_a_worker.await.expect("no panic"), (6, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn overload_of_a_workers_queue_is_shared() {
        let on_a_worker = tokio::spawn(async {
            let mut tasks = JoinSet::new();
            for _ in 0..300 {
                tasks.spawn(tokio::task::yield_now());
            }
            let load = Health::of(&Handle::current()).look();
            tasks.join_all().await;
            (load.alive, load.queued)
        });
        let (alive, queued) = on_a_worker.await.expect("no panic");
        assert_eq!(alive, 301);
        assert!((100..300).contains(&queued), "{queued}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn edges_a_finished_task_in_a_set_is_not_alive() {
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            tasks.spawn(async {});
        }
        let mut health = Health::of(&Handle::current());
        while health.look().alive > 0 {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(tasks.len(), 100);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn edges_each_look_counts_from_the_last_one() {
        let mut health = Health::of(&Handle::current());
        let (_, after) = look_twice().await;
        assert!(after.busy >= BLOCKED);
        assert!(health.look().busy >= BLOCKED);
        assert!(health.look().busy < BLOCKED);
    }
}
