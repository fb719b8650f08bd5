//! Notice when a thread ends, as you would with a task.

// ANCHOR: thread
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use tokio::sync::oneshot;

/// Runs `work` on a thread of its own, and waits until it ends. Returns
/// its result, or its panic as an error. If dropped, the thread keeps
/// running until `work` returns.
async fn in_thread(
    name: &str,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let (end, ended) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        // The receiver may have been dropped.
        let _ = end.send(catch_unwind(AssertUnwindSafe(work)));
    })?;
    match ended.await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(io::Error::other(message(&*panic))),
        Err(closed) => Err(io::Error::other(closed)),
    }
}

/// Prints until the queue is closed, which also stops the thread.
fn print(mut pages: mpsc::Receiver<&'static str>) -> io::Result<()> {
    while let Some(page) = pages.blocking_recv() {
        print_page(page);
    }
    Ok(())
}
// ANCHOR_END: thread

use std::any::Any;

use tokio::sync::mpsc;
use tokio_util::task::JoinMap;

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}

fn print_page(page: &str) {
    if page.is_empty() {
        std::panic::resume_unwind(Box::new("an empty page"));
    }
    println!("printed {page}");
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut parts = JoinMap::new();
    let (pages, printed) = mpsc::channel(10);
    parts.spawn("printer", in_thread("printer", || print(printed)));
    for page in ["an invoice", ""] {
        pages.send(page).await?;
    }
    if let Some((name, ended)) = parts.join_next().await {
        println!(
            "{name} has ended: {:?}",
            ended?.map_err(|e| e.to_string())
        );
    }
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    type Ended = tokio::task::JoinHandle<io::Result<()>>;

    fn started() -> (mpsc::Sender<&'static str>, Ended) {
        let (pages, printed) = mpsc::channel(1);
        let task =
            tokio::spawn(in_thread("printer", || print(printed)));
        (pages, task)
    }

    #[tokio::test]
    async fn panic_is_an_error_with_its_message() {
        for number in 0..3 {
            let (pages, ended) = started();
            for _ in 0..number {
                pages.send("a page").await.expect("open");
            }
            pages.send("").await.expect("open");
            let error = ended.await.expect("no panic here");
            let error = error.expect_err("a panic").to_string();
            assert_eq!(error, "panicked: an empty page");
        }
    }

    #[tokio::test]
    async fn failure_is_returned() {
        let failed =
            in_thread("reader", || Err(io::Error::other("no")));
        let error = failed.await.expect_err("a failure");
        assert_eq!(error.to_string(), "no");
    }

    #[tokio::test]
    async fn stop_by_closing_the_queue() {
        let (pages, ended) = started();
        pages.send("the last page").await.expect("open");
        drop(pages);
        assert!(ended.await.expect("no panic").is_ok());
    }

    /// The thread is detached, and stops when its queue is closed.
    #[tokio::test]
    async fn cancel_and_owner_gone_leave_a_thread_that_can_be_stopped()
    {
        let (pages, ended) = started();
        pages.send("a page").await.expect("open");
        drop(pages.reserve().await.expect("the thread has begun"));
        ended.abort();
        assert!(ended.await.expect_err("aborted").is_cancelled());
        pages.send("one more page").await.expect("it still prints");
        pages.reserve().await.expect("it has taken the page");
        drop(pages);
    }

    #[tokio::test]
    async fn owner_gone_before_the_first_poll_starts_no_thread() {
        let (pages, printed) = mpsc::channel(1);
        drop(in_thread("printer", || print(printed)));
        assert!(pages.is_closed());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_of_any_number_end() {
        let mut parts = JoinMap::new();
        for number in 0..50 {
            parts.spawn(
                number,
                in_thread("one", move || match number % 2 {
                    0 => Ok(()),
                    _ => std::panic::resume_unwind(Box::new("odd")),
                }),
            );
        }
        while let Some((number, ended)) = parts.join_next().await {
            let ended = ended.expect("no panic here");
            assert_eq!(ended.is_ok(), number % 2 == 0);
        }
    }
}
