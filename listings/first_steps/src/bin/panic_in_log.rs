//! Write panics to the log, with the span of the task that panicked.

use anyhow::Result;
use tokio::task::JoinSet;
use tracing::{Instrument, error, error_span, info};

// ANCHOR: hook
/// Call this in `main` after setting up the subscriber. If the hook
/// panics, the process aborts, so a failed write must not panic.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("(no text)");
        let place = panic.location().map(ToString::to_string);
        error!(place, "panicked: {message}");
    }));
}
// ANCHOR_END: hook

// ANCHOR: main
async fn ship(order: u32, address: Option<&str>) -> usize {
    let address = address.expect("each order has an address");
    info!(order, address, "is shipped");
    address.len()
}

async fn ship_all() -> usize {
    let mut tasks = JoinSet::new();
    for (order, address) in [(7, None), (8, Some("Main St"))] {
        let span = error_span!("ship", order);
        tasks.spawn(ship(order, address).instrument(span));
    }
    let mut shipped = 0;
    while let Some(outcome) = tasks.join_next().await {
        shipped += usize::from(outcome.is_ok());
    }
    shipped
}
// ANCHOR_END: main

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .log_internal_errors(false) // A failed write must not panic.
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
    log_panics();
    println!("{} shipped", ship_all().await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;
    use tracing::instrument::WithSubscriber;

    /// The hook belongs to the process, so one test at a time.
    static ALONE: Mutex<()> = Mutex::new(());

    fn logged(run: impl Future) -> String {
        let _alone = ALONE.lock().expect("no test panics here");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let before = std::panic::take_hook();
        log_panics();
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(run);
        });
        std::panic::set_hook(before);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it's text");
        text
    }

    #[test]
    fn panic_is_logged_once_in_its_span_and_the_others_continue() {
        let text = logged(async {
            assert_eq!(ship_all().await, 1);
        });
        let panics: Vec<_> = text
            .lines()
            .filter(|line| line.contains("ERROR"))
            .collect();
        assert_eq!(panics.len(), 1, "{text}");
        let expected = "ship{order=7}: panic_in_log: \
            panicked: each order has an address place=\"";
        assert!(panics[0].contains(expected), "{text}");
        assert!(text.contains("is shipped order=8"), "{text}");
    }

    #[test]
    fn panic_with_any_value_and_outside_a_task_is_logged() {
        let text = logged(async {
            for number in 0..3 {
                let caught =
                    std::panic::catch_unwind(|| match number {
                        0 => panic!("text"),
                        1 => panic!("text {number}"),
                        _ => std::panic::panic_any(number),
                    });
                assert!(caught.is_err());
            }
        });
        for message in ["text", "text 1", "(no text)"] {
            let message = format!("panicked: {message} place=");
            assert!(text.contains(&message), "{text}");
        }
    }

    /// Runs itself again, in a child process whose stderr is closed.
    #[test]
    fn failure_to_write_the_line_does_not_abort_the_process()
    -> Result<()> {
        if hazards::is_unread() {
            tracing_subscriber::fmt()
                .log_internal_errors(false)
                .with_writer(std::io::stderr)
                .init();
            log_panics();
            let runtime = Builder::new_current_thread().build()?;
            assert_eq!(runtime.block_on(ship_all()), 1);
            return Ok(());
        }
        let test =
            "failure_to_write_the_line_does_not_abort_the_process";
        hazards::succeeds_without_stderr(module_path!(), test);
        Ok(())
    }

    #[test]
    fn failure_without_a_subscriber_is_silent_and_nothing_more() {
        let text = logged(
            async {
                assert_eq!(ship_all().await, 1);
            }
            .with_subscriber(tracing::subscriber::NoSubscriber::new()),
        );
        assert!(!text.contains("ship{order=8}"), "{text}");
    }
}
