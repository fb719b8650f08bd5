//! What a runtime tells of its health, without any unstable feature.

use std::{sync::mpsc, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeMetrics},
    task::JoinSet,
    time::sleep,
};

// ANCHOR: health
/// How loaded a runtime is, since the last look.
struct Health {
    metrics: RuntimeMetrics,
    busy_before: Duration,
}

struct Load {
    /// Tasks that have not ended.
    alive: usize,
    /// Tasks in the common queue, which no worker has taken yet.
    queued: usize,
    /// The time that the workers spent in polls, all together.
    busy: Duration,
}

impl Health {
    fn of(runtime: &Handle) -> Self {
        let metrics = runtime.metrics();
        Self { metrics, busy_before: Duration::ZERO }
    }

    fn look(&mut self) -> Load {
        let workers = 0..self.metrics.num_workers();
        let total: Duration = workers
            .map(|it| self.metrics.worker_total_busy_duration(it))
            .sum();
        let busy =
            total - std::mem::replace(&mut self.busy_before, total);
        Load {
            alive: self.metrics.num_alive_tasks(),
            queued: self.metrics.global_queue_depth(),
            busy,
        }
    }
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

/// Waits until the worker has nothing to do any more.
async fn rest(metrics: &RuntimeMetrics, parks_before: u64) {
    while metrics.worker_park_count(0) == parks_before {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Looks while the only worker is blocked, and afterwards. The thread
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
    let (during, afterwards) = look_twice().await;
    print("while a task blocks the worker", &during);
    print("afterwards", &afterwards);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_poll_counts_as_busy_when_it_has_ended() {
        let (during, afterwards) = look_twice().await;
        assert_eq!((during.alive, during.queued), (6, 5));
        assert!(during.busy < BLOCKED);
        assert_eq!((afterwards.alive, afterwards.queued), (0, 0));
        assert!(afterwards.busy >= BLOCKED);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_a_worker_spawns_is_not_in_the_common_queue() {
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
    async fn each_look_counts_from_the_last_one() {
        let runtime = Handle::current();
        let (_, after) = look_twice().await;
        let mut health = Health::of(&runtime);
        assert!(health.look().busy >= after.busy);
        assert!(health.look().busy < BLOCKED);
    }
}
