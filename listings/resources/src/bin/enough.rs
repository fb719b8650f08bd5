//! A job that asks for more permits than exist gets all of them.

use tokio::{
    sync::{AcquireError, Semaphore},
    time::{Duration, timeout},
};

// ANCHOR: enough
const GIGABYTES: u32 = 4;

/// Encodes with the memory that it needs, or with all the memory there
/// is. Returns the number of gigabytes.
async fn encode(
    memory: &Semaphore,
    gigabytes: u32,
) -> Result<u32, AcquireError> {
    // You could also return an error. One permit is the minimum.
    let gigabytes = gigabytes.clamp(1, GIGABYTES);
    let _permits = memory.acquire_many(gigabytes).await?;
    println!("encoded with {gigabytes} GB");
    Ok(gigabytes)
}
// ANCHOR_END: enough

/// A video that needs five gigabytes, and a clip behind it.
async fn encode_both() -> Option<u32> {
    let memory = Semaphore::new(GIGABYTES as usize);
    let (large, small) = (encode(&memory, 5), encode(&memory, 1));
    let hour = Duration::from_secs(3600);
    let both = async { tokio::try_join!(biased; large, small) };
    let (large, small) = timeout(hour, both).await.ok()?.ok()?;
    Some(large + small)
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    if encode_both().await.is_none() {
        println!("waited for an hour, with 4 GB free");
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_more_than_there_is() {
        assert_eq!(encode_both().await, Some(5));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_memory() {
        let memory = Semaphore::new(GIGABYTES as usize);
        for (needs, gets) in [(0, 1), (1, 1), (4, 4), (u32::MAX, 4)] {
            let encoded = within(HOUR, encode(&memory, needs)).await;
            assert_eq!(encoded.ok(), Some(gets));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_gives_the_permits_back() {
        at_every_poll(async |cancel| {
            let memory = Semaphore::new(GIGABYTES as usize);
            let held = memory.acquire().await;
            let release = async { drop(held) };
            let encode = cancel.run(encode(&memory, 5));
            tokio::join!(biased; encode, release);
            assert_eq!(memory.available_permits(), 4);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_serves_all() {
        let memory = Semaphore::new(GIGABYTES as usize);
        let held = memory.acquire().await;
        let all = (0..10).map(|needs| encode(&memory, needs));
        let all = futures::future::join_all(all);
        let release = async {
            // The job that needs all of it holds up the jobs behind it.
            assert_eq!(memory.available_permits(), 0);
            drop(held);
        };
        let all = async { tokio::join!(biased; all, release).0 };
        let all = within(HOUR, all).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(memory.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_refuses_those_that_wait() {
        let memory = Semaphore::new(GIGABYTES as usize);
        let _held = memory.acquire().await;
        let close = async { memory.close() };
        let encode_all = encode(&memory, 4);
        let both = async { tokio::join!(biased; encode_all, close).0 };
        assert!(within(HOUR, both).await.is_err());
        assert!(encode(&memory, 1).await.is_err());
    }
}
