//! Store the futures of different functions in one list.

use std::{pin::Pin, time::Duration};

use futures::future::join_all;
use tokio::time::sleep;

// ANCHOR: boxed
/// A future on the heap, which stays there when its box moves.
type Job = Pin<Box<dyn Future<Output = u32> + Send>>;

async fn bill() -> u32 {
    sleep(Duration::from_millis(20)).await;
    1250
}

async fn ship() -> u32 {
    sleep(Duration::from_millis(10)).await;
    7
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let jobs: Vec<Job> = vec![Box::pin(bill()), Box::pin(ship())];
    println!("{:?}", join_all(jobs).await);
}
// ANCHOR_END: boxed

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_can_run_a_boxed_future() {
        let job: Job = Box::pin(ship());
        assert_eq!(tokio::spawn(job).await.ok(), Some(7));
    }

    #[tokio::test]
    async fn edges_no_job() {
        assert_eq!(join_all(Vec::<Job>::new()).await, []);
    }
}
