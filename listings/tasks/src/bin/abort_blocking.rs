//! Wrong: a closure is aborted, but keeps running.

use std::sync::mpsc;

use tokio::{sync::oneshot, task};

// ANCHOR: wrong
/// Wrong: `abort` can stop a task at an `.await`. A closure has none,
/// so once it has started, it runs to completion.
async fn stop_and_see() -> String {
    let (begun, has_begun) = oneshot::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let import = task::spawn_blocking(move || {
        begun.send(()).ok();
        // Until it may continue, it's in the middle of its work.
        may_go_on.recv().ok();
        "all rows are imported"
    });
    has_begun.await.expect("it starts");
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
    async fn stop_is_between_two_rows() {
        // The mistake: it runs to its end.
        assert_eq!(stop_and_see().await, "all rows are imported");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_runs_to_its_end_on_many_threads() {
        assert_eq!(stop_and_see().await, "all rows are imported");
    }

    #[test]
    fn one_that_is_queued_is_taken_out() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let (go_on, may_go_on) = mpsc::channel::<()>();
            task::spawn_blocking(move || may_go_on.recv());
            let queued = task::spawn_blocking(|| 7);
            queued.abort();
            drop(go_on);
            assert!(queued.await.is_err_and(|it| it.is_cancelled()));
        });
    }

    #[tokio::test]
    async fn a_timeout_leaves_it_running() {
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let import = task::spawn_blocking(move || {
            may_go_on.recv().ok();
            done.send(7)
        });
        let limit = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(limit, import).await.is_err());
        drop(go_on);
        assert_eq!(is_done.await, Ok(7));
    }
}
