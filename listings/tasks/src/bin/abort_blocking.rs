//! Wrong: a closure is aborted, and goes on.

use std::sync::mpsc;

use tokio::task;

// ANCHOR: wrong
/// Wrong: `abort` can end a task at an `.await`. A closure has none.
/// Once it runs, it runs to its end.
async fn stop_and_see() -> String {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let import = task::spawn_blocking(move || {
        begun.send(()).expect("someone waits for it");
        // Until it may go on, it is in the middle of its work.
        may_go_on.recv().ok();
        "all rows are imported"
    });
    has_begun.recv().expect("it begins");
    import.abort();
    drop(go_on);
    match import.await {
        Ok(outcome) => outcome.to_owned(),
        Err(error) => error.to_string(),
    }
}
// ANCHOR_END: wrong

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}", stop_and_see().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_goes_on_to_its_end() {
        assert_eq!(stop_and_see().await, "all rows are imported");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_goes_on_to_its_end_on_many_threads() {
        assert_eq!(stop_and_see().await, "all rows are imported");
    }
}
