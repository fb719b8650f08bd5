//! The worker ends as soon as nobody waits for the answer.

// ANCHOR: render
use tokio::{
    sync::oneshot,
    time::{Duration, sleep},
};

/// Renders a report page by page, and counts the pages.
async fn render(mut report: oneshot::Sender<u32>) -> u32 {
    let mut pages = 0;
    for _ in 0..20 {
        tokio::select! {
            biased;
            // The reader has dropped its end.
            () = report.closed() => return pages,
            () = sleep(Duration::from_millis(10)) => pages += 1,
        }
    }
    // Fails only if the reader goes at this very moment.
    let _ = report.send(pages);
    pages
}
// ANCHOR_END: render

/// Waits for the report for 35 ms; how many pages were rendered?
async fn run() -> u32 {
    let (report, reader) = oneshot::channel();
    let rendering = tokio::spawn(render(report));
    let limit = Duration::from_millis(35);
    assert!(tokio::time::timeout(limit, reader).await.is_err());
    rendering.await.expect("it does not panic")
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("pages rendered: {}", run().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_the_reader_goes() {
        assert_eq!(run().await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_waits_gets_the_report() {
        let (report, reader) = oneshot::channel();
        let (pages, read) = tokio::join!(render(report), reader);
        assert_eq!((pages, read), (20, Ok(20)));
    }
}
