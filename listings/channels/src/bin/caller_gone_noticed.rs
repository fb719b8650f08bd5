//! The worker stops as soon as its caller has given up.

// ANCHOR: render
use tokio::{
    sync::oneshot,
    time::{Duration, sleep},
};

/// Renders a report page by page, and counts the pages.
///
/// When the caller gives up, the page in progress is dropped at its
/// `.await`, so rendering a page must be safe to cancel.
async fn render(mut report: oneshot::Sender<u32>) -> u32 {
    let mut pages = 0;
    for _ in 0..20 {
        tokio::select! {
            biased;
            // The caller has dropped its receiver.
            () = report.closed() => return pages,
            () = sleep(Duration::from_millis(10)) => pages += 1,
        }
    }
    // Fails if the caller has given up since the last page.
    _ = report.send(pages);
    pages
}
// ANCHOR_END: render

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
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_caller_after_35_ms() {
        assert_eq!(run().await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_caller_at_every_poll() {
        at_every_poll(async |cancel| {
            let (report, reader) = oneshot::channel();
            let wait = async {
                sleep(Duration::from_millis(35)).await;
                reader.await
            };
            let start = tokio::time::Instant::now();
            let leave = async {
                cancel.run(wait).await;
                start.elapsed()
            };
            let (left, pages) = tokio::join!(leave, render(report));
            // No page was rendered after the caller had left.
            assert!(left >= pages * Duration::from_millis(10));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_caller_that_never_waited() {
        let (report, reader) = oneshot::channel();
        drop(reader);
        assert_eq!(render(report).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_callers_get_the_report() {
        let (report, reader) = oneshot::channel();
        let pages = within(HOUR, render(report)).await;
        sleep(HOUR).await;
        assert_eq!((pages, reader.await), (20, Ok(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_callers_that_gave_up_costs_nothing() {
        let start = tokio::time::Instant::now();
        for _ in 0..100 {
            let (report, reader) = oneshot::channel();
            drop(reader);
            render(report).await;
        }
        assert!(start.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_renderer_is_an_error_for_the_caller() {
        let (report, reader) = oneshot::channel();
        let rendering = tokio::spawn(render(report));
        rendering.abort();
        assert!(within(HOUR, reader).await.is_err());
        no_task_left().await;
    }
}
