//! Clone before the block, and move the clone into the task.

use tokio::task::JoinError;

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let address = String::from("12 Mill Lane");
    let task = tokio::spawn({
        let address = address.clone();
        async move { println!("driving to {address}") }
    });
    task.await?;
    println!("delivered to {address}");
    Ok(())
}
// ANCHOR_END: main
