//! One request id in all lines: across a task and through a queue.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tracing::{Instrument, Span, info, info_span, instrument};

const LIMIT: Duration = Duration::from_secs(5);

// ANCHOR: send
/// A job of the printer, with the span of the request that sent it.
struct Job {
    label: String,
    request: Span,
    done: oneshot::Sender<()>,
}

/// Fails if the label isn't printed within [`LIMIT`]. It may still
/// have been printed. Fields and `{:?}` escape the id and the label, so
/// no caller can forge a line.
#[instrument(level = "error", skip(printer))]
async fn handle(id: String, printer: mpsc::Sender<Job>) -> Result<()> {
    info!("is accepted");
    let (done, is_done) = oneshot::channel();
    let request = Span::current();
    let job = Job { label: format!("label of {id}"), request, done };
    let print = async {
        printer.send(job).await.context("the printer has stopped")?;
        is_done.await.context("the label was not printed")
    };
    let printed = timeout(LIMIT, print).await;
    let printed = printed.context("the printer is too slow").flatten();
    printed.with_context(|| format!("request {id:?}"))?;
    info!("is answered");
    Ok(())
}
// ANCHOR_END: send

// ANCHOR: work
/// If the printer panics, every request gets an error.
async fn print_labels(mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { label, request, done }) = jobs.recv().await {
        let print = async {
            if done.is_closed() {
                info!(label, "is skipped: nobody waits for it");
                return;
            }
            info!(label, "is printed");
            // Fails if the caller was canceled, which is fine.
            let _sent = done.send(());
        };
        let span = info_span!(parent: &request, "printer");
        print.instrument(span).await;
    }
}
// ANCHOR_END: work

async fn serve() -> Result<()> {
    let (printer, jobs) = mpsc::channel(8);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        print_labels(jobs).await;
        anyhow::Ok(())
    });
    for id in ["a7f3", "b210"] {
        tasks.spawn(handle(id.to_owned(), printer.clone()));
    }
    drop(printer);
    while let Some(finished) = tasks.join_next().await {
        finished??;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        // Don't panic when a line can't be written.
        .log_internal_errors(false)
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .init();
    serve().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, sync::Mutex};
    use tokio::runtime::Builder;
    use tracing::instrument::WithSubscriber;

    /// For each call site, tracing caches whether a subscriber listens.
    /// A test without a subscriber mustn't log first while another
    /// test installs one.
    static ALONE: Mutex<()> = Mutex::new(());

    fn logged(mut runtime: Builder, run: impl Future) -> String {
        let _alone = ALONE.lock().expect("no test panics");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = runtime.enable_all().build().expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(run);
        });
        drop(runtime);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    fn paused() -> Builder {
        let mut runtime = Builder::new_current_thread();
        runtime.start_paused(true);
        runtime
    }

    #[test]
    fn each_line_has_the_id_of_its_request() {
        let text = logged(paused(), serve());
        assert_eq!(text.lines().count(), 6, "{text}");
        for line in text.lines() {
            assert!(line.contains("handle{id="), "{line}");
        }
        let printed = "handle{id=\"b210\"}:printer: ";
        assert!(text.contains(printed), "{text}");
    }

    #[test]
    fn threads_do_not_mix_up_the_ids() {
        let run = async {
            let (printer, jobs) = mpsc::channel(2);
            let mut tasks = JoinSet::new();
            let printing = async {
                print_labels(jobs).await;
                anyhow::Ok(())
            };
            tasks.spawn(printing.with_current_subscriber());
            for id in 0..50 {
                let request = handle(format!("r{id}"), printer.clone());
                tasks.spawn(request.with_current_subscriber());
            }
            drop(printer);
            while let Some(finished) = tasks.join_next().await {
                finished.expect("no panic").expect("it is printed");
            }
        };
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(4);
        let text = logged(threads, run);
        for id in 0..50 {
            let printed =
                format!("is printed label=\"label of r{id}\"");
            let mut lines = text.lines();
            let line = lines.find(|line| line.ends_with(&printed));
            let line = line.expect("it is printed");
            let span = format!("{{id=\"r{id}\"}}:printer: ");
            assert!(line.contains(&span), "{line}");
        }
    }

    #[test]
    fn cancel_of_a_request_skips_its_label() {
        let text = logged(paused(), async {
            let (printer, jobs) = mpsc::channel(8);
            let request = handle("c5".to_owned(), printer);
            let dropped = timeout(Duration::ZERO, request).await;
            assert!(dropped.is_err());
            print_labels(jobs).await;
        });
        let printer = "handle{id=\"c5\"}:printer: ";
        assert!(text.contains(printer), "{text}");
        assert!(text.contains("is skipped"), "{text}");
        assert!(!text.contains("is printed"), "{text}");
    }

    #[test]
    fn cancel_at_every_poll_leaves_the_printer_working() {
        let text = logged(paused(), async {
            hazards::at_every_poll(async |cancel| {
                let (printer, jobs) = mpsc::channel(1);
                let printing = tokio::spawn(print_labels(jobs));
                let request = handle("c5".to_owned(), printer.clone());
                cancel.run(request).await;
                let next = handle("d6".to_owned(), printer).await;
                next.expect("it is printed");
                printing.await.expect("no panic");
            })
            .await;
        });
        assert!(text.contains("handle{id=\"d6\"}: "), "{text}");
    }

    /// The id may come from a header, so it may be anything.
    #[test]
    fn edges_an_id_cannot_forge_a_line_or_a_field() {
        let text = logged(paused(), async {
            let (printer, jobs) = mpsc::channel(1);
            let id = "a1\" user=\"root\n INFO is paid".to_owned();
            let handled = handle(id, printer);
            let (handled, ()) =
                tokio::join!(handled, print_labels(jobs));
            handled.expect("it is printed");
            let (printer, _) = mpsc::channel(1);
            let failed = handle("a1\nINFO".to_owned(), printer).await;
            let error = format!("{:#}", failed.expect_err("stopped"));
            assert_eq!(error.lines().count(), 1, "{error}");
        });
        let id = r#"handle{id="a1\" user=\"root\n INFO is paid"}"#;
        assert_eq!(text.lines().count(), 4, "{text}");
        let lines = text.lines().filter(|line| line.contains(id));
        assert_eq!(lines.count(), 3, "{text}");
    }

    #[test]
    fn silence_of_the_printer_is_an_error_with_the_id() {
        logged(paused(), async {
            let (printer, _jobs) = mpsc::channel(1);
            // The queue has room for one of them, and nobody prints.
            let mut requests = JoinSet::new();
            for id in ["a1", "b2", "c3"] {
                requests.spawn(handle(id.to_owned(), printer.clone()));
            }
            let all = requests.join_all();
            for failed in hazards::within(hazards::HOUR, all).await {
                let error =
                    format!("{:#}", failed.expect_err("silent"));
                assert!(error.starts_with("request "), "{error}");
                assert!(error.contains("printer is too slow"));
            }
        });
    }

    #[test]
    fn overload_makes_requests_wait_and_loses_none() {
        let text = logged(paused(), async {
            let (printer, jobs) = mpsc::channel(2);
            let mut requests = JoinSet::new();
            for id in 0..5 {
                requests
                    .spawn(handle(format!("r{id}"), printer.clone()));
            }
            drop(printer);
            requests.spawn(async {
                print_labels(jobs).await;
                Ok(())
            });
            for handled in requests.join_all().await {
                handled.expect("it is printed");
            }
        });
        assert!(!text.contains("is skipped"), "{text}");
    }

    #[test]
    fn owner_gone_a_request_without_a_printer_is_an_error() {
        logged(paused(), async {
            let (printer, jobs) = mpsc::channel(1);
            let printing = tokio::spawn(print_labels(jobs));
            printing.abort();
            assert!(printing.await.is_err());
            let failed = handle("a1".to_owned(), printer).await;
            let error = format!("{:#}", failed.expect_err("aborted"));
            let start = "request \"a1\": the printer has stopped";
            assert!(error.starts_with(start), "{error}");
        });
    }

    #[test]
    fn failure_to_print_is_an_error_with_the_id() {
        logged(paused(), async {
            let (printer, mut jobs) = mpsc::channel(1);
            let request = handle("a1".to_owned(), printer);
            let lose = async { drop(jobs.recv().await) };
            let (failed, ()) = tokio::join!(request, lose);
            let error = format!("{:#}", failed.expect_err("lost"));
            let start = "request \"a1\": the label was not printed";
            assert!(error.starts_with(start), "{error}");
        });
    }

    #[test]
    fn panic_of_the_printer_is_an_error_for_every_request() {
        logged(paused(), async {
            let (printer, mut jobs) = mpsc::channel(1);
            let printing = tokio::spawn(async move {
                let _job = jobs.recv().await;
                panic!("no paper");
            });
            for id in ["a1", "b2"] {
                let request = handle(id.to_owned(), printer.clone());
                let failed = hazards::within(LIMIT, request).await;
                let error = format!("{:#}", failed.expect_err("gone"));
                let start = format!("request {id:?}: ");
                assert!(error.starts_with(&start), "{error}");
            }
            assert!(printing.await.is_err());
        });
    }
}
