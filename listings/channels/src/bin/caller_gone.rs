//! Wrong: the worker keeps working after its caller has given up.

// ANCHOR: wrong
use tokio::{
    sync::oneshot,
    time::{Duration, sleep},
};

/// Renders a report page by page, and counts the pages.
async fn render(report: oneshot::Sender<u32>) -> u32 {
    let mut pages = 0;
    for _ in 0..20 {
        sleep(Duration::from_millis(10)).await;
        pages += 1;
    }
    // Wrong: only `send` notices that the receiver was dropped.
    if report.send(pages).is_err() {
        println!("nobody wants the report");
    }
    pages
}
// ANCHOR_END: wrong

/// Waits for the report for 35 ms; how many pages were rendered?
async fn run() -> u32 {
    let (report, reader) = oneshot::channel();
    let rendering = tokio::spawn(render(report));
    let limit = Duration::from_millis(35);
    assert!(tokio::time::timeout(limit, reader).await.is_err());
    rendering.await.expect("it doesn't panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("pages rendered: {}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_caller_after_35_ms() {
        assert_eq!(run().await, 20);
    }
}
