//! What an async block captures: it borrows a variable, owns it, or owns a copy.

use tokio::task::JoinError;

// ANCHOR: captures
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let title = String::from("Dune");
    // Borrows `title`, which you can still use after the block.
    let borrowing = async { title.len() };
    println!("{title} has {} letters", borrowing.await);

    // Owns a clone of `title`, so the block can be a task.
    let for_the_task = title.clone();
    let owning = async move { for_the_task.len() };
    println!("{title} has {} letters", tokio::spawn(owning).await?);

    // Borrows `sold`, and changes it.
    let mut sold = 0;
    async { sold += 1 }.await;
    println!("without move: {sold} sold");

    // Owns a copy of `sold`, because an integer is `Copy`.
    let copying = async move {
        sold += 1;
        sold
    };
    println!("with move: {} in the block", copying.await);
    println!("with move: {sold} outside");
    Ok(())
}
// ANCHOR_END: captures
