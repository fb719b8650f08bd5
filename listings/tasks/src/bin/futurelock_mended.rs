//! Three ways: drop the future, give it a task, or go on polling it.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: three_ways
type Ledger = Mutex<Vec<&'static str>>;

/// Let `select!` own it. The loser is dropped before the body runs,
/// and with it its place in line. Right if it may be given up.
async fn give_up(ledger: &Ledger) {
    tokio::select! {
        () = write(ledger, "refreshed") => {}
        () = sleep(Duration::from_millis(50)) => {
            write(ledger, "refresh is slow").await;
        }
    }
}

/// Give it a task, which the runtime polls, and wait for the handle.
async fn in_a_task(ledger: &Arc<Ledger>) {
    let owned = Arc::clone(ledger);
    let work = async move { write(&owned, "refreshed").await };
    let mut refresh = AbortOnDropHandle::new(tokio::spawn(work));
    tokio::select! {
        joined = &mut refresh => {
            return joined.expect("it does not panic");
        }
        () = sleep(Duration::from_millis(50)) => {
            write(ledger, "refresh is slow").await;
        }
    }
    refresh.await.expect("it does not panic");
}

/// Go on polling it while the body waits.
async fn together(ledger: &Ledger) {
    let mut refresh = pin!(write(ledger, "refreshed"));
    tokio::select! {
        () = &mut refresh => {}
        () = sleep(Duration::from_millis(50)) => {
            let note = write(ledger, "refresh is slow");
            tokio::join!(refresh, note);
        }
    }
}
// ANCHOR_END: three_ways

async fn write(ledger: &Ledger, line: &'static str) {
    ledger.lock().await.push(line);
}

/// Another task has the lock, for 100 ms.
fn back_up(ledger: &Arc<Ledger>) {
    let ledger = Arc::clone(ledger);
    let has_lock = ledger.try_lock_owned().expect("it is new");
    tokio::spawn(async move {
        sleep(Duration::from_millis(100)).await;
        drop(has_lock);
    });
}

/// A ledger that is being backed up.
fn ledger() -> Arc<Ledger> {
    let ledger = Arc::default();
    back_up(&ledger);
    ledger
}

async fn print(way: &str, ledger: &Ledger, start: Instant) {
    let lines = ledger.lock().await;
    let took = start.elapsed().as_millis();
    println!("{way:<10} {took} ms  {}", lines.join(", "));
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (one, start) = (ledger(), Instant::now());
    give_up(&one).await;
    print("give up", &one, start).await;

    let (two, start) = (ledger(), Instant::now());
    in_a_task(&two).await;
    print("in a task", &two, start).await;

    let (three, start) = (ledger(), Instant::now());
    together(&three).await;
    print("together", &three, start).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_is_not_written() {
        let ledger = ledger();
        give_up(&ledger).await;
        assert_eq!(*ledger.lock().await, ["refresh is slow"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_polled_is_written() {
        let both = ["refreshed", "refresh is slow"];
        let one = ledger();
        in_a_task(&one).await;
        assert_eq!(*one.lock().await, both);
        let other = ledger();
        together(&other).await;
        assert_eq!(*other.lock().await, both);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_hangs_on_many_threads() {
        for _ in 0..10 {
            give_up(&ledger()).await;
            in_a_task(&ledger()).await;
            together(&ledger()).await;
        }
    }
}
