//! Wrong: a request for more permits than will ever exist.

use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

// ANCHOR: wrong
const GIGABYTES: usize = 4;

async fn encode(memory: &Semaphore, gigabytes: u32) {
    // Wrong: if it's five, this waits forever and blocks the queue.
    let permits = memory.acquire_many(gigabytes).await;
    let _permits = permits.expect("it is never closed");
    println!("encoded with {gigabytes} GB");
}
// ANCHOR_END: wrong

/// A video that needs five gigabytes, and a clip behind it.
async fn encode_both() -> bool {
    let memory = Semaphore::new(GIGABYTES);
    let (large, small) = (encode(&memory, 5), encode(&memory, 1));
    let hour = Duration::from_secs(3600);
    let both = async { tokio::join!(biased; large, small) };
    timeout(hour, both).await.is_ok()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    if !encode_both().await {
        println!("waited for an hour, with 4 GB free");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_more_than_there_is() {
        assert!(!encode_both().await);
    }
}
