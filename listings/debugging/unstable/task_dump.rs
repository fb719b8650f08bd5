//! A task dump shows where two tasks wait for each other.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::Mutex,
    task::{self, JoinSet},
    time::timeout,
};

/// An account's balance, and the journal of its bookings.
#[derive(Default)]
struct Account {
    balance: Mutex<i64>,
    journal: Mutex<Vec<i64>>,
}

// ANCHOR: hangs
async fn book(account: Arc<Account>) {
    let mut balance = account.balance.lock().await;
    *balance += 100;
    task::yield_now().await;
    account.journal.lock().await.push(100);
}

async fn audit(account: Arc<Account>) {
    let journal = account.journal.lock().await;
    compare(&account, journal.iter().sum()).await;
}

async fn compare(account: &Account, booked: i64) {
    let balance = account.balance.lock().await;
    println!("booked {booked}, balance {balance}");
}
// ANCHOR_END: hangs

// ANCHOR: dump
/// Where each task waits, as lines of this program, outermost first.
/// The frames below them belong to the runtime.
async fn where_tasks_wait() -> Vec<String> {
    let dump = Handle::current().dump().await;
    let mut tasks: Vec<_> = dump.tasks().iter().collect();
    tasks.sort_by_key(|task| task.id());
    let mut lines = Vec::new();
    for task in tasks {
        let trace = task.trace().to_string();
        for line in trace.lines() {
            if let Some((function, place)) = line.split_once(" at ")
                && let Some(start) = place.find(file!())
            {
                lines
                    .push(format!("{function} at {}", &place[start..]));
            }
        }
    }
    lines
}
// ANCHOR_END: dump

fn book_and_audit(account: &Arc<Account>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(book(Arc::clone(account)));
    tasks.spawn(audit(Arc::clone(account)));
    tasks
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let mut tasks = book_and_audit(&Arc::default());
    let minute = Duration::from_secs(60);
    if timeout(minute, tasks.join_next()).await.is_ok() {
        println!("a task has ended");
        return;
    }
    println!("no task has finished for a minute");
    for line in where_tasks_wait().await {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_task_waits_in_its_own_function() {
        let mut tasks = book_and_audit(&Arc::default());
        let minute = Duration::from_secs(60);
        assert!(timeout(minute, tasks.join_next()).await.is_err());
        let lines = where_tasks_wait().await;
        assert_eq!(lines.len(), 3);
        for (line, function) in
            lines.iter().zip(["book", "audit", "compare"])
        {
            assert!(
                line.contains(&format!("::{function} at ")),
                "{line}"
            );
        }
    }

    #[tokio::test]
    async fn one_after_the_other_they_end() {
        let account = Arc::default();
        book(Arc::clone(&account)).await;
        audit(account).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_dump_of_several_threads_says_the_same() {
        let account = Arc::<Account>::default();
        let balance = account.balance.lock().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(audit(Arc::clone(&account)));
        while account.journal.try_lock().is_ok() {
            task::yield_now().await;
        }
        let lines = where_tasks_wait().await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].contains("::compare at "), "{lines:?}");
        drop(balance);
        tasks.join_all().await;
    }
}
