//! Tasks that share an `Rc`, on a local runtime.

use std::{cell::Cell, rc::Rc};

use tokio::task::{JoinError, yield_now};
use tokio_util::task::JoinMap;

// ANCHOR: main
/// Counts visits in a `Cell`, without a lock, because all tasks of a
/// local runtime share one thread.
///
/// Returns the visits, and the guests whose tasks panicked, each with
/// the panic. Dropping this future aborts the tasks.
async fn count_visits(guests: u32) -> (u32, Vec<(u32, JoinError)>) {
    let visits = Rc::new(Cell::new(0));
    let mut tasks = JoinMap::new();
    for guest in 0..guests {
        let visits = Rc::clone(&visits);
        tasks.spawn_local(guest, async move {
            visits.set(visits.get() + 1);
            welcome(guest).await;
        });
    }
    let mut panicked = Vec::new();
    while let Some((guest, outcome)) = tasks.join_next().await {
        if let Err(error) = outcome {
            panicked.push((guest, error));
        }
    }
    (visits.get(), panicked)
}

#[tokio::main(flavor = "local")]
async fn main() {
    let (visits, panicked) = count_visits(3).await;
    println!("{visits} visits, panicked: {panicked:?}");
}
// ANCHOR_END: main

/// Says hello. The fifth guest (4) has no name.
async fn welcome(guest: u32) {
    yield_now().await;
    assert!(guest != 4, "there is no name");
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    /// The visits, and the guests whose tasks panicked.
    fn panicked(
        (visits, panicked): (u32, Vec<(u32, JoinError)>),
    ) -> (u32, Vec<u32>) {
        for (_, error) in &panicked {
            assert!(error.to_string().contains("there is no name"));
        }
        (visits, panicked.into_iter().map(|it| it.0).collect())
    }

    #[tokio::test(flavor = "local")]
    async fn edges_nobody_and_one_guest() {
        assert_eq!(panicked(count_visits(0).await), (0, vec![]));
        assert_eq!(panicked(count_visits(1).await), (1, vec![]));
    }

    #[tokio::test(flavor = "local")]
    async fn panic_of_one_task_leaves_the_others() {
        let (visits, guests) = panicked(count_visits(9).await);
        assert_eq!((visits, guests), (9, vec![4]));
    }

    #[tokio::test(flavor = "local")]
    async fn cancel_aborts_the_tasks() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(count_visits(3)).await;
            while tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
                > 0
            {
                yield_now().await;
            }
        })
        .await;
    }

    /// The older way: a `LocalSet` in a runtime of another kind.
    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_local_set_stays_on_one() {
        let set = LocalSet::new();
        let counted = set.run_until(count_visits(9)).await;
        assert_eq!(panicked(counted), (9, vec![4]));
    }
}
