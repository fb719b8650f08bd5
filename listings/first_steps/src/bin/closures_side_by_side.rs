//! Await an async closure in place, and spawn a closure's async block.

use tokio::task::JoinError;

// ANCHOR: closures
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), JoinError> {
    let currency = String::from("EUR");

    // Its future borrows both `currency` and `book`.
    let tag = async |book: &str| format!("{book}: 12 {currency}");
    println!("{}", tag("Dune").await);

    // Its future owns everything, so each call can be a task.
    let tag_in_task = |book: String| {
        let currency = currency.clone();
        async move { format!("{book}: 9 {currency}") }
    };
    let emma = tokio::spawn(tag_in_task("Emma".to_owned()));
    let faust = tokio::spawn(tag_in_task("Faust".to_owned()));
    println!("{}", emma.await?);
    println!("{}", faust.await?);
    Ok(())
}
// ANCHOR_END: closures
