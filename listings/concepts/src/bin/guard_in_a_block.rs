//! Drop the guard at the end of a block, before the await.

use std::sync::{Arc, Mutex};

use tokio::task::yield_now;

// ANCHOR: count_visit
async fn count_visit(visits: Arc<Mutex<u32>>) {
    {
        let mut count = visits.lock().expect("it is not poisoned");
        *count += 1;
    }
    yield_now().await;
}
// ANCHOR_END: count_visit

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let visits = Arc::new(Mutex::new(0));
    tokio::spawn(count_visit(Arc::clone(&visits))).await.ok();
    println!("{:?}", visits.lock().map(|count| *count).ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_count_each_visit() {
        let visits = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..1000)
            .map(|_| tokio::spawn(count_visit(Arc::clone(&visits))))
            .collect();
        for task in tasks {
            task.await.expect("it does not panic");
        }
        assert_eq!(visits.lock().map(|count| *count).ok(), Some(1000));
    }

    #[tokio::test]
    async fn cancel_leaves_the_lock_free() {
        let visits = Arc::new(Mutex::new(0));
        hazards::at_every_poll(async |cancel| {
            cancel.run(count_visit(Arc::clone(&visits))).await;
            assert!(visits.try_lock().is_ok());
        })
        .await;
    }
}
