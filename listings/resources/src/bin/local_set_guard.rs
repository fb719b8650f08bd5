//! Wrong: a task holds a std guard across an await, on a LocalSet.

// ANCHOR: wrong
use std::{
    rc::Rc,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::sleep;

struct Visit<'a> {
    count: MutexGuard<'a, u32>,
}

/// Wrong: a task that waits for the lock blocks the thread that this
/// task needs to continue. Clippy doesn't notice, because the guard is
/// in a struct.
async fn count_visit(visits: Rc<Mutex<u32>>) {
    let mut visit = Visit { count: visits.lock().expect("no panic") };
    *visit.count += 1;
    write_log().await;
}

/// Another task of the same thread. With `lock`, it would block the
/// thread that the other task needs.
async fn report(visits: Rc<Mutex<u32>>) -> String {
    match visits.try_lock() {
        Ok(count) => format!("{count} visit"),
        Err(error) => format!("a deadlock: {error}"),
    }
}
// ANCHOR_END: wrong

async fn write_log() {
    sleep(Duration::from_millis(10)).await;
}

/// What `spawn` refuses, `spawn_local` takes.
async fn count_and_report() -> String {
    let visits = Rc::new(Mutex::new(0));
    let tasks = tokio::task::LocalSet::new();
    tasks.spawn_local(count_visit(Rc::clone(&visits)));
    let report = tasks.spawn_local(report(visits));
    tasks.await;
    report.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("{}", count_and_report().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_log_and_a_report() {
        let report = count_and_report().await;
        assert!(report.starts_with("a deadlock: "), "{report}");
    }
}
