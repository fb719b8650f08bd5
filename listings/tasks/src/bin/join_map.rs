//! Keep one task for each shop: a newer task replaces the older one.

// ANCHOR: index_changes
use std::time::Duration;

use tokio::{
    task::JoinError,
    time::{error::Elapsed, sleep, timeout},
};
use tokio_util::task::JoinMap;

/// Indexes each changed shop in a task. If a shop changes while it is
/// being indexed, the older task is aborted, and `join_next` doesn't
/// report it. On another thread, the older task may still run to its
/// next `.await` while the newer task starts. If a shop keeps
/// changing before its index is finished, it never gets an index.
///
/// A task that takes longer than `LIMIT` is dropped. Dropping this
/// future aborts all tasks.
async fn index_changes(
    changes: Vec<Change>,
) -> Vec<(&'static str, Result<Indexed, JoinError>)> {
    let mut tasks = JoinMap::new();
    for change in changes {
        sleep(change.after).await;
        let index = index(change.shop, change.version);
        tasks.spawn(change.shop, timeout(LIMIT, index));
    }

    let mut outcomes = Vec::new();
    while let Some((shop, joined)) = tasks.join_next().await {
        outcomes.push((shop, joined));
    }
    outcomes
}
// ANCHOR_END: index_changes

use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(60);

type Indexed = Result<u32, Elapsed>;

/// A change of a shop's catalog, `after` the previous change.
struct Change {
    after: Duration,
    shop: &'static str,
    version: u32,
}

/// Builds a shop's search index, which takes 300 ms. Version 99 never
/// ends.
async fn index(shop: &'static str, version: u32) -> u32 {
    let mut run =
        Run { shop, version, started: Instant::now(), done: false };
    sleep(Duration::from_millis(300)).await;
    if version == 99 {
        std::future::pending::<()>().await;
    }
    assert_ne!(version, 13, "{shop} v13 is damaged");
    run.done = true;
    version
}

/// Prints a line when it is dropped early.
struct Run {
    shop: &'static str,
    version: u32,
    started: Instant,
    done: bool,
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.done {
            println!(
                "{} v{}: dropped after {} ms",
                self.shop,
                self.version,
                self.started.elapsed().as_millis()
            );
        }
    }
}

fn change(after: u64, shop: &'static str, version: u32) -> Change {
    Change { after: Duration::from_millis(after), shop, version }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let start = Instant::now();
    let outcomes = index_changes(vec![
        change(0, "garden", 1),
        change(100, "toys", 1),
        change(100, "garden", 2),
    ])
    .await;
    for (shop, outcome) in outcomes {
        match outcome {
            Ok(Ok(version)) => println!("{shop} v{version}: indexed"),
            Ok(Err(_elapsed)) => println!("{shop}: too slow"),
            Err(error) => println!("{shop}: failed: {error}"),
        }
    }
    let took = start.elapsed().as_millis();
    println!("{took:>4} ms  every shop has its newest index");
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    fn indexed(
        outcomes: Vec<(&'static str, Result<Indexed, JoinError>)>,
    ) -> Vec<(&'static str, u32)> {
        outcomes
            .into_iter()
            .map(|(shop, version)| {
                let version = version.expect("no panic");
                (shop, version.expect("in time"))
            })
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_newer_change_replaces_a_running_task() {
        let outcomes = index_changes(vec![
            change(0, "garden", 1),
            change(100, "toys", 1),
            change(100, "garden", 2),
        ])
        .await;
        assert_eq!(indexed(outcomes), [("toys", 1), ("garden", 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_finished_task_is_replaced_too() {
        // Nobody took the first result before the key came again.
        let outcomes = index_changes(vec![
            change(0, "garden", 1),
            change(500, "garden", 2),
        ])
        .await;
        assert_eq!(indexed(outcomes), [("garden", 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_index_is_done_only_when_the_changes_pause() {
        let start = Instant::now();
        let changes = (20..70).map(|n| change(200, "garden", n));
        let outcomes = index_changes(changes.collect()).await;
        assert_eq!(indexed(outcomes), [("garden", 69)]);
        let changing = 50 * Duration::from_millis(200);
        let took = start.elapsed() - changing;
        assert_eq!(took, Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_shop() {
        let mut outcomes = index_changes(vec![
            change(0, "garden", 13),
            change(0, "toys", 1),
        ])
        .await;
        outcomes.sort_by_key(|(shop, _)| *shop);
        let (shop, outcome) = outcomes.remove(0);
        assert_eq!(shop, "garden");
        let error = outcome.expect_err("it panics").to_string();
        assert!(error.contains("garden v13 is damaged"), "{error}");
        assert_eq!(indexed(outcomes), [("toys", 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_shop_costs_only_its_index() {
        let changes = vec![
            change(0, "garden", 99),
            change(0, "toys", 1),
            change(0, "books", 99),
        ];
        let outcomes = within(HOUR, index_changes(changes)).await;
        let (in_time, too_slow): (Vec<_>, Vec<_>) = outcomes
            .into_iter()
            .partition(|(_, it)| matches!(it, Ok(Ok(_))));
        assert_eq!(indexed(in_time), [("toys", 1)]);
        assert_eq!(too_slow.len(), 2);
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            let changes = vec![
                change(10, "garden", 1),
                change(10, "toys", 1),
                change(10, "garden", 2),
            ];
            cancel.run(index_changes(changes)).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_change() {
        let none = within(HOUR, index_changes(Vec::new())).await;
        assert!(none.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_the_newest_wins() {
        let changes = (50..=98).map(|n| change(0, "toys", n)).collect();
        let outcomes = index_changes(changes).await;
        assert_eq!(indexed(outcomes), [("toys", 98)]);
    }
}
