//! Wrong: a future is where a number should be, because it isn't awaited.

async fn load() -> u32 {
    12
}

async fn matched(known: Option<u32>) -> u32 {
    match known {
        Some(price) => price,
        None => load(),
    }
}

async fn unwrapped(known: Option<u32>) -> u32 {
    known.unwrap_or_else(load)
}

#[tokio::main]
async fn main() {
    println!("{} {}", matched(None).await, unwrapped(None).await);
}
