//! Three ways: drop the future, spawn it, or keep polling it.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    task::JoinError,
    time::{Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: three_ways
/// Let `select!` own the future. It's dropped before the arm runs, so
/// it leaves the queue for the lock, or stops halfway through its
/// work. Use this if the work may be canceled and repeated.
async fn give_up(ledger: &Ledger) {
    tokio::select! {
        () = ledger.write("refreshed") => {}
        () = sleep(Duration::from_millis(50)) => {
            ledger.write("refresh is slow").await;
        }
    }
}

/// Spawn a task, which the runtime polls, and wait for its handle.
/// Dropping this future aborts the task.
async fn in_a_task(ledger: &Arc<Ledger>) -> Result<(), JoinError> {
    let owned = Arc::clone(ledger);
    let work = async move { owned.write("refreshed").await };
    let mut refresh = AbortOnDropHandle::new(tokio::spawn(work));
    tokio::select! {
        joined = &mut refresh => return joined,
        () = sleep(Duration::from_millis(50)) => {
            ledger.write("refresh is slow").await;
        }
    }
    refresh.await
}

/// Keep polling the future while the arm waits.
async fn together(ledger: &Ledger) {
    let mut refresh = pin!(ledger.write("refreshed"));
    tokio::select! {
        () = &mut refresh => {}
        () = sleep(Duration::from_millis(50)) => {
            let note = ledger.write("refresh is slow");
            tokio::join!(refresh, note);
        }
    }
}
// ANCHOR_END: three_ways

/// Lines, and how long it takes to write one while holding the lock.
#[derive(Default)]
struct Ledger {
    lines: Arc<Mutex<Vec<String>>>,
    writing: Duration,
    has_bug: bool,
}

impl Ledger {
    async fn write(&self, line: &str) {
        let mut lines = self.lines.lock().await;
        if !self.writing.is_zero() {
            lines.push(format!("{line}: begun"));
            sleep(self.writing).await;
        }
        assert!(!self.has_bug, "{line} has no page");
        lines.push(line.to_owned());
    }
}

/// A ledger whose lock another task holds, for a backup.
fn ledger(writing: Duration, backup: Duration) -> Arc<Ledger> {
    let ledger = Ledger { writing, ..Ledger::default() };
    let lines = Arc::clone(&ledger.lines);
    let has_lock = lines.try_lock_owned().expect("it is new");
    tokio::spawn(async move {
        sleep(backup).await;
        drop(has_lock);
    });
    Arc::new(ledger)
}

async fn print(way: &str, ledger: &Ledger, start: Instant) {
    let lines = ledger.lines.lock().await;
    let took = start.elapsed().as_millis();
    println!("{way:<10} {took} ms  {}", lines.join(", "));
}

const BACKUP: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    let quick = Duration::ZERO;
    let (one, start) = (ledger(quick, BACKUP), Instant::now());
    give_up(&one).await;
    print("give up", &one, start).await;

    let (two, start) = (ledger(quick, BACKUP), Instant::now());
    in_a_task(&two).await?;
    print("in a task", &two, start).await;

    let (three, start) = (ledger(quick, BACKUP), Instant::now());
    together(&three).await;
    print("together", &three, start).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left_after, within};

    use super::*;

    const QUICK: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn slow_refreshes_do_not_hang() {
        let one = ledger(QUICK, BACKUP);
        within(HOUR, give_up(&one)).await;
        assert_eq!(*one.lines.lock().await, ["refresh is slow"]);
        let both = ["refreshed", "refresh is slow"];
        let two = ledger(QUICK, BACKUP);
        within(HOUR, in_a_task(&two)).await.expect("no panic");
        assert_eq!(*two.lines.lock().await, both);
        let three = ledger(QUICK, BACKUP);
        within(HOUR, together(&three)).await;
        assert_eq!(*three.lines.lock().await, both);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_writes_are_cut_only_where_they_are_given_up() {
        let slow = Duration::from_millis(500);
        let short = Duration::from_millis(10);
        let one = ledger(slow, short);
        within(HOUR, give_up(&one)).await;
        let lines = one.lines.lock().await.join(", ");
        let cut = "refreshed: begun, refresh is slow: begun, \
                   refresh is slow";
        assert_eq!(lines, cut);
        let two = ledger(slow, short);
        within(HOUR, in_a_task(&two)).await.expect("no panic");
        let three = ledger(slow, short);
        within(HOUR, together(&three)).await;
        for ledger in [two, three] {
            assert_eq!(ledger.lines.lock().await.len(), 4);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_frees_the_lock_and_leaves_no_task() {
        at_every_poll(async |cancel| {
            let ledger = ledger(Duration::from_millis(20), BACKUP);
            cancel.run(give_up(&ledger)).await;
            no_task_left_after(BACKUP).await;
            assert!(ledger.lines.try_lock().is_ok());
        })
        .await;
        at_every_poll(async |cancel| {
            let ledger = ledger(Duration::from_millis(20), BACKUP);
            cancel.run(in_a_task(&ledger)).await;
            no_task_left_after(BACKUP).await;
            assert!(ledger.lines.try_lock().is_ok());
        })
        .await;
        at_every_poll(async |cancel| {
            let ledger = ledger(Duration::from_millis(20), BACKUP);
            cancel.run(together(&ledger)).await;
            no_task_left_after(BACKUP).await;
            assert!(ledger.lines.try_lock().is_ok());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_returned() {
        let ledger =
            Arc::new(Ledger { has_bug: true, ..Ledger::default() });
        let error = in_a_task(&ledger).await.expect_err("it panics");
        assert!(error.to_string().contains("refreshed has no page"));
        assert!(ledger.lines.try_lock().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_the_times() {
        for backup in [0, 1, 49, 50, 51, 1000] {
            for writing in [0, 1, 50, 100] {
                let times =
                    [writing, backup].map(Duration::from_millis);
                let [one, two, three] =
                    [(); 3].map(|()| ledger(times[0], times[1]));
                within(HOUR, async {
                    give_up(&one).await;
                    in_a_task(&two).await.expect("no panic");
                    together(&three).await;
                })
                .await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_do_not_hang() {
        let short = Duration::from_millis(51);
        for _ in 0..10 {
            give_up(&ledger(QUICK, short)).await;
            in_a_task(&ledger(QUICK, short)).await.expect("no panic");
            together(&ledger(QUICK, short)).await;
        }
    }
}
