//! Wrong: the address is used after it was moved into the task.

use tokio::task::JoinError;

// ANCHOR: wrong
#[tokio::main]
async fn main() -> Result<(), JoinError> {
    let address = String::from("12 Mill Lane");
    let task = tokio::spawn(async move {
        println!("driving to {address}");
    });
    task.await?;
    println!("delivered to {address}");
    Ok(())
}
// ANCHOR_END: wrong
