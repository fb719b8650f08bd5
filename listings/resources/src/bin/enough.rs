//! Who needs more than there is takes all there is.

use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

// ANCHOR: enough
const GIGABYTES: u32 = 4;

async fn encode(memory: &Semaphore, gigabytes: u32) {
    // Or refuse it here, with an error.
    let gigabytes = gigabytes.min(GIGABYTES);
    let permits = memory.acquire_many(gigabytes).await;
    let _permits = permits.expect("it is never closed");
    println!("encoded with {gigabytes} GB");
}
// ANCHOR_END: enough

/// A video that needs five gigabytes, and a clip behind it.
async fn encode_both() -> bool {
    let memory = Semaphore::new(GIGABYTES as usize);
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
    async fn both_are_served() {
        assert!(encode_both().await);
    }
}
