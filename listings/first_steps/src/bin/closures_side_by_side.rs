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

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    /// Calls the closure by value, so the future owns what it captured.
    fn spawn_once<F>(f: impl FnOnce(String) -> F) -> JoinHandle<String>
    where
        F: Future<Output = String> + Send + 'static,
    {
        tokio::spawn(f("Emma".to_owned()))
    }

    #[tokio::test]
    async fn a_closure_that_is_called_once_can_be_a_task() {
        let currency = String::from("EUR");
        let tag = async move |book| format!("{book}: 9 {currency}");
        let tagged = spawn_once(tag).await;
        assert_eq!(tagged.ok().as_deref(), Some("Emma: 9 EUR"));
    }
}
