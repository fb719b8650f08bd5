//! What happens to the other calls when one of three fails?

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

// ANCHOR: ways
/// Makes three calls: the second fails after 50 ms, the others succeed
/// after 100 ms.
fn calls(
    done: &Done,
) -> [impl Future<Output = Result<(), Failed>> + use<>; 3] {
    [(100, true), (50, false), (100, true)].map(|(millis, is_good)| {
        call(Arc::clone(done), millis, is_good)
    })
}

async fn by_try_join(done: &Done) -> Result<(), Failed> {
    let [one, two, three] = calls(done);
    tokio::try_join!(one, two, three).map(drop)
}

async fn by_try_join_all(done: &Done) -> Result<(), Failed> {
    try_join_all(calls(done)).await.map(drop)
}

async fn by_join_all(done: &Done) -> Result<(), Failed> {
    join_all(calls(done)).await.into_iter().collect()
}

async fn by_join_set(done: &Done) -> Result<(), Failed> {
    let mut set: JoinSet<_> = calls(done).into_iter().collect();
    while let Some(joined) = set.join_next().await {
        joined.expect("a call does not panic")?;
    }
    Ok(())
}

async fn by_handles(done: &Done) -> Result<(), Failed> {
    for task in calls(done).map(tokio::spawn) {
        task.await.expect("a call does not panic")?;
    }
    Ok(())
}
// ANCHOR_END: ways

type Done = Arc<AtomicUsize>;

#[derive(Debug)]
struct Failed;

async fn call(
    done: Done,
    millis: u64,
    is_good: bool,
) -> Result<(), Failed> {
    sleep(Duration::from_millis(millis)).await;
    if !is_good {
        return Err(Failed);
    }
    done.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn print<'a, F>(
    way: &str,
    run: impl FnOnce(&'a Done) -> F,
    done: &'a Done,
) where
    F: Future<Output = Result<(), Failed>>,
{
    let start = Instant::now();
    let failed = run(done).await.is_err();
    let took = start.elapsed().as_millis();
    sleep(Duration::from_secs(1)).await;
    let done = done.load(Ordering::Relaxed);
    let end = if failed { "fails" } else { "succeeds" };
    println!(
        "{way:<14} {end} after {took:>3} ms, {done} of the others done"
    );
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print("try_join!", by_try_join, &Done::default()).await;
    print("try_join_all", by_try_join_all, &Done::default()).await;
    print("join_all", by_join_all, &Done::default()).await;
    print("JoinSet and ?", by_join_set, &Done::default()).await;
    print("handles and ?", by_handles, &Done::default()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn done_a_second_later<'a, F>(
        run: impl FnOnce(&'a Done) -> F,
        done: &'a Done,
    ) -> usize
    where
        F: Future<Output = Result<(), Failed>>,
    {
        assert!(run(done).await.is_err());
        sleep(Duration::from_secs(1)).await;
        done.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn futures_are_dropped_and_tasks_of_handles_go_on() {
        let done = Done::default();
        assert_eq!(done_a_second_later(by_try_join, &done).await, 0);
        assert_eq!(
            done_a_second_later(by_try_join_all, &done).await,
            0
        );
        assert_eq!(done_a_second_later(by_join_set, &done).await, 0);
        assert_eq!(done_a_second_later(by_join_all, &done).await, 2);
        assert_eq!(done_a_second_later(by_handles, &done).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn try_join_all_of_more_than_thirty_reports_in_order() {
        for (count, reported_after) in [(30, 50), (31, 100)] {
            let start = Instant::now();
            let calls = (0..count).map(|place| async move {
                let is_last = place == count - 1;
                let millis = if is_last { 50 } else { 100 };
                sleep(Duration::from_millis(millis)).await;
                if is_last { Err(Failed) } else { Ok(()) }
            });
            assert!(try_join_all(calls).await.is_err());
            assert_eq!(start.elapsed().as_millis(), reported_after);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_way_fails_on_many_threads() {
        let done = Done::default();
        assert!(by_try_join(&done).await.is_err());
        assert!(by_join_all(&done).await.is_err());
        assert!(by_join_set(&done).await.is_err());
        assert!(by_handles(&done).await.is_err());
    }
}
