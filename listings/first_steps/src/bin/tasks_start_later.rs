//! On one thread, no task starts before the code that spawned it has to wait.

// ANCHOR: main
use tokio::task::{JoinError, JoinSet};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    for city in ["Rome", "Oslo"] {
        tasks.spawn(async move { println!("the task of {city} runs") });
        println!("the task of {city} is spawned");
    }
    println!("now, wait");
    while let Some(task) = tasks.join_next().await {
        task?;
    }
    Ok(())
}
// ANCHOR_END: main
