//! Wrong: a function without `async`, a closure, and a thread contain an `.await`.
async fn delay_of(train: u32) -> u32 {
    tokio::task::yield_now().await;
    train % 10
}

fn total_delay(trains: &[u32]) -> u32 {
    let mut total = 0;
    for train in trains {
        total += delay_of(*train).await;
    }
    total
}

#[tokio::main]
async fn main() {
    let known = None;
    let delay = known.unwrap_or_else(|| delay_of(17).await);
    let display = std::thread::spawn(|| delay_of(42).await);
    println!("{delay} {} {:?}", total_delay(&[17, 42]), display.join());
}
