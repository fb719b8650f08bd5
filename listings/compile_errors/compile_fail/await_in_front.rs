//! Wrong: `await` comes first or is called like a method, and `move` comes before `async`.
async fn delay_of(train: u32) -> u32 {
    tokio::task::yield_now().await;
    train % 10
}

#[tokio::main]
async fn main() {
    let first = await delay_of(17);
    let second = delay_of(42).await();
    let trains = vec![17, 42];
    let count = tokio::spawn(move async { trains.len() });
    println!("{first} {second} {:?}", count.await);
}
