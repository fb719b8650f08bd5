//! Take the value out of the lock in a function, a block, or a statement of its own.

use std::sync::{Arc, Mutex};

use tokio::task::JoinError;

async fn print(job: Option<String>) {
    println!("printing {job:?}");
}

// ANCHOR: three_ways
type Queue = Mutex<Vec<String>>;

/// Takes the last job. The lock is released when this returns.
fn next_job(queue: &Queue) -> Option<String> {
    queue.lock().expect("no holder panics").pop()
}

async fn print_all(queue: Arc<Queue>) {
    while let Some(job) = next_job(&queue) {
        print(Some(job)).await;
    }
}

async fn print_in_block(queue: Arc<Queue>) {
    let next = {
        let mut jobs = queue.lock().expect("no holder panics");
        jobs.pop()
    };
    print(next).await;
}

async fn print_after_let(queue: Arc<Queue>) {
    let next = queue.lock().expect("no holder panics").pop();
    match next {
        Some(job) => print(Some(job)).await,
        None => print(None).await,
    }
}
// ANCHOR_END: three_ways

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let jobs = ["poster", "menu", "map", "ticket"];
    let queue: Queue = Mutex::new(jobs.map(String::from).into());
    let queue = Arc::new(queue);
    tokio::spawn(print_in_block(Arc::clone(&queue))).await?;
    tokio::spawn(print_after_let(Arc::clone(&queue))).await?;
    tokio::spawn(print_all(queue)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(_: T) {}

    async fn locked_in_condition(queue: &Queue) {
        if queue.lock().expect("no panic").is_empty() {
            print(None).await;
        }
        while queue.lock().expect("no panic").len() > 9 {
            print(None).await;
        }
    }

    async fn locked_before_else(queue: &Queue) {
        if let Some(job) = queue.lock().expect("no panic").pop() {
            println!("{job}");
        } else {
            print(None).await;
        }
        let Some(job) = queue.lock().expect("no panic").pop() else {
            return print(None).await;
        };
        print(Some(job)).await;
    }

    #[test]
    fn the_guard_is_dropped_before_the_block() {
        let queue = Mutex::default();
        assert_send(locked_in_condition(&queue));
        assert_send(locked_before_else(&queue));
    }
}
