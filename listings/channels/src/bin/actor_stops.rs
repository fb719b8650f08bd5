//! An actor that can be stopped, and refuses callers when it's busy.

// ANCHOR: actor
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

enum Message {
    Print { page: u32, answer: oneshot::Sender<u32> },
    Stop,
}

#[derive(Debug, PartialEq)]
enum NotPrinted {
    /// The inbox is full. The page wasn't accepted.
    Busy,
    /// The printer is stopped. The page wasn't accepted.
    Stopped,
    /// The page was accepted, but printing it failed or took too
    /// long, or the printer ended. It may have been printed.
    Unknown,
}

/// Prints a page, or refuses it immediately.
///
/// If the printer stops during `try_send`, the page can stay in the
/// inbox, so this function waits only as long as a full inbox can take.
async fn print(
    printer: &mpsc::Sender<Message>,
    page: u32,
) -> Result<u32, NotPrinted> {
    let (answer, answered) = oneshot::channel();
    let message = Message::Print { page, answer };
    printer.try_send(message).map_err(|error| match error {
        TrySendError::Full(_) => NotPrinted::Busy,
        TrySendError::Closed(_) => NotPrinted::Stopped,
    })?;
    let pages = printer.max_capacity() as u32 + 2;
    let answer = timeout(LIMIT * pages, answered).await;
    answer.ok().and_then(Result::ok).ok_or(NotPrinted::Unknown)
}
// ANCHOR_END: actor

// ANCHOR: run
/// Prints until it's stopped or the last handle is dropped, and then
/// the pages that were accepted before. A page that panics or takes
/// longer than `LIMIT` doesn't affect the others.
async fn run(mut inbox: mpsc::Receiver<Message>) -> u32 {
    let mut printed = 0;
    while let Some(message) = inbox.recv().await {
        match message {
            Message::Print { page, answer } => {
                let press = async { timeout(LIMIT, press(page)).await };
                let pressed = AssertUnwindSafe(press).catch_unwind();
                if let Ok(Ok(())) = pressed.await {
                    printed += 1;
                    _ = answer.send(page); // Fails if nobody waits.
                } // Otherwise, `answer` is dropped: `Unknown`.
            }
            // Nothing more is accepted, from any handle.
            Message::Stop => inbox.close(),
        }
    }
    printed
}
// ANCHOR_END: run

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::time::{Duration, sleep, timeout};

const LIMIT: Duration = Duration::from_secs(10);

/// Prints a page in 20 ms. Page 99 is never ready.
async fn press(page: u32) {
    let hours = if page == 99 { 10_000 } else { 0 };
    sleep(Duration::from_millis(20 + hours * 3_600_000)).await;
    assert_ne!(page, 13, "there is no page 13");
}

/// Four pages while there is room for two, and a stop.
async fn work(printer: mpsc::Sender<Message>) {
    let pages = (1..=4).map(|page| print(&printer, page));
    let printed = futures::future::join_all(pages).await;
    for (page, printed) in (1..).zip(printed) {
        println!("page {page}: {printed:?}");
    }
    if printer.send(Message::Stop).await.is_err() {
        println!("it was stopped before");
    }
    sleep(Duration::from_millis(1)).await;
    println!("page 5: {:?}", print(&printer, 5).await);
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (printer, inbox) = mpsc::channel(2);
    let (printed, ()) = tokio::join!(run(inbox), work(printer));
    println!("printed: {printed}");
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    fn start() -> (mpsc::Sender<Message>, tokio::task::JoinHandle<u32>)
    {
        let (printer, inbox) = mpsc::channel(2);
        (printer, tokio::spawn(run(inbox)))
    }

    #[tokio::test(start_paused = true)]
    async fn overload_is_refused_immediately() {
        let (printer, _actor) = start();
        let pages = (0..5).map(|page| print(&printer, page));
        let printed = within(HOUR, join_all(pages)).await;
        let busy = || Err(NotPrinted::Busy);
        let expected = [Ok(0), Ok(1), busy(), busy(), busy()];
        assert_eq!(printed, expected);
        assert_eq!(print(&printer, 5).await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_page_leaves_the_printer_at_work() {
        let (printer, actor) = start();
        let page = within(HOUR, print(&printer, 13)).await;
        assert_eq!(page, Err(NotPrinted::Unknown));
        assert_eq!(print(&printer, 1).await, Ok(1));
        drop(printer);
        assert_eq!(actor.await.expect("no panic"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_press_costs_one_page() {
        let (printer, actor) = start();
        let pages = [99, 1].map(|page| print(&printer, page));
        let pages = within(HOUR, join_all(pages)).await;
        assert_eq!(pages, [Err(NotPrinted::Unknown), Ok(1)]);
        let hangs = print(&printer, 99);
        let stop = async { printer.send(Message::Stop).await.is_ok() };
        let both = async { tokio::join!(hangs, stop).1 };
        assert!(within(HOUR, both).await);
        assert_eq!(within(HOUR, actor).await.expect("no panic"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn stop_prints_what_was_accepted() {
        let (printer, actor) = start();
        let stop = async { printer.send(Message::Stop).await.is_ok() };
        let (page, is_sent) = tokio::join!(print(&printer, 1), stop);
        assert_eq!((page, is_sent), (Ok(1), true));
        let late = print(&printer, 2).await;
        assert_eq!(late, Err(NotPrinted::Stopped));
        // And it ends, although there is a handle.
        let printed = within(HOUR, actor).await;
        assert_eq!(printed.expect("no panic"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn again_a_second_stop_changes_nothing() {
        let (printer, actor) = start();
        assert!(printer.send(Message::Stop).await.is_ok());
        _ = printer.send(Message::Stop).await;
        assert_eq!(within(HOUR, actor).await.expect("no panic"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_caller_leaves_the_printer_at_work() {
        at_every_poll(async |cancel| {
            let (printer, actor) = start();
            cancel.run(print(&printer, 1)).await;
            assert_eq!(print(&printer, 2).await, Ok(2));
            drop(printer);
            within(HOUR, actor).await.expect("no panic");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_printer_is_unknown() {
        let (printer, actor) = start();
        let abort = async {
            sleep(Duration::from_millis(10)).await;
            actor.abort();
        };
        let (page, ()) = tokio::join!(print(&printer, 1), abort);
        assert_eq!(page, Err(NotPrinted::Unknown));
        sleep(Duration::from_millis(1)).await;
        let page = print(&printer, 2).await;
        assert_eq!(page, Err(NotPrinted::Stopped));
    }

    /// Simulates a printer that stops during `try_send`: the page stays
    /// in the channel.
    #[tokio::test(start_paused = true)]
    async fn failure_of_the_printer_while_it_accepts_a_page() {
        let (printer, mut inbox) = mpsc::channel(2);
        let ends = async {
            let page = inbox.recv().await;
            drop(inbox);
            std::future::pending::<()>().await;
            drop(page);
        };
        tokio::select! {
            page = within(HOUR, print(&printer, 1)) => {
                assert_eq!(page, Err(NotPrinted::Unknown));
            }
            () = ends => {}
        }
    }

    /// A page is printing, and another is the last one in a full inbox.
    #[tokio::test(start_paused = true)]
    async fn slow_pages_do_not_cost_the_last_one_its_answer() {
        let (printer, _actor) = start();
        let pages = [99, 99, 1].map(|page| {
            let printer = &printer;
            async move {
                sleep(Duration::from_millis(page % 9)).await;
                print(printer, page as u32).await
            }
        });
        let pages = within(HOUR, join_all(pages)).await;
        let late = || Err(NotPrinted::Unknown);
        assert_eq!(pages, [late(), late(), Ok(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_printer() {
        let (printer, actor) = start();
        drop((printer, actor));
        no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_print_each_accepted_page() {
        let (printer, actor) = start();
        let mut pages = tokio::task::JoinSet::new();
        for page in 0..20 {
            let printer = printer.clone();
            pages.spawn(async move { print(&printer, page).await });
        }
        let pages = pages.join_all().await;
        let accepted = pages.iter().filter(|page| page.is_ok());
        let accepted = accepted.count() as u32;
        drop(printer);
        assert_eq!(actor.await.expect("no panic"), accepted);
    }
}
