//! A plain closure can't lend a captured variable to its future.

// ANCHOR: wrong
/// Calls until a call succeeds, at most `times` times.
async fn retry<Fut>(times: u32, mut call: impl FnMut(u32) -> Fut)
where
    Fut: Future<Output = bool>,
{
    for attempt in 1..=times {
        if call(attempt).await {
            return;
        }
    }
}

async fn fetch() -> u32 {
    let mut tries = 0;
    retry(3, |_attempt| async {
        tries += 1;
        tries == 3
    })
    .await;
    tries
}
// ANCHOR_END: wrong

#[tokio::main]
async fn main() {
    println!("tries: {}", fetch().await);
}
