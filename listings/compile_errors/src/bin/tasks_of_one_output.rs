//! Give the tasks of a `JoinSet` one type of result.

use tokio::task::{JoinError, JoinSet};

// ANCHOR: main
async fn quote(parcel: u32) -> u32 {
    12 * parcel
}

async fn note(_text: &str) {}

#[derive(Debug)]
enum Done {
    Quoted(u32),
    Noted,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async { Done::Quoted(quote(1).await) });
    tasks.spawn(async {
        note("asked the truck").await;
        Done::Noted
    });
    while let Some(done) = tasks.join_next().await {
        match done? {
            Done::Quoted(price) => println!("{price} EUR"),
            Done::Noted => println!("noted"),
        }
    }
    Ok(())
}
// ANCHOR_END: main
