//! Tasks that share what cannot be sent to another thread.

use std::{cell::Cell, rc::Rc};

use tokio::task::spawn_local;

// ANCHOR: main
/// Counts visits in a cell, without a lock: all tasks of a local
/// runtime take turns on one thread.
#[tokio::main(flavor = "local")]
async fn main() {
    let visits = Rc::new(Cell::new(0));
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let visits = Rc::clone(&visits);
        tasks.push(spawn_local(async move {
            visits.set(visits.get() + 1);
            tokio::task::yield_now().await;
        }));
    }
    for task in tasks {
        task.await.expect("it does not panic");
    }
    println!("{} visits", visits.get());
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    async fn visits() -> u32 {
        let visits = Rc::new(Cell::new(0));
        let count = Rc::clone(&visits);
        let task = spawn_local(async move { count.set(1) });
        task.await.expect("it does not panic");
        visits.get()
    }

    #[tokio::test(flavor = "local")]
    async fn a_local_runtime_runs_them() {
        assert_eq!(visits().await, 1);
    }

    /// The older way: an island in a runtime of another kind.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_local_set_runs_them() {
        assert_eq!(LocalSet::new().run_until(visits()).await, 1);
    }
}
