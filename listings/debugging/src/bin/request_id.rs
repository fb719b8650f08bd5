//! One request id in all lines: across a task and through a queue.

use anyhow::{Context, Result};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tracing::{Instrument, Span, info, info_span, instrument};

// ANCHOR: send
/// A job of the printer, with the span of the request that sent it.
struct Job {
    label: String,
    request: Span,
    done: oneshot::Sender<()>,
}

#[instrument(skip_all, fields(id = %id))]
async fn handle(id: String, printer: mpsc::Sender<Job>) -> Result<()> {
    info!("is accepted");
    let (done, is_done) = oneshot::channel();
    let request = Span::current();
    let job = Job { label: format!("label of {id}"), request, done };
    printer.send(job).await.context("the printer has ended")?;
    is_done.await.context("the label was not printed")?;
    info!("is answered");
    Ok(())
}
// ANCHOR_END: send

// ANCHOR: work
async fn print_labels(mut jobs: mpsc::Receiver<Job>) {
    while let Some(Job { label, request, done }) = jobs.recv().await {
        let print = async {
            info!("prints the {label}");
            // Where the caller has gone, nobody is told.
            let _gone = done.send(());
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
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
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

    /// For each place, tracing remembers whether anyone listens: a test
    /// that does not listen must not ask first while another begins to.
    static TURN: Mutex<()> = Mutex::new(());

    fn logged(mut runtime: Builder) -> String {
        let _turn = TURN.lock().expect("no test panics");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Mutex::new(writer))
            .finish();
        let runtime = runtime.enable_all().build().expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            runtime.block_on(serve()).expect("labels are printed");
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    }

    #[test]
    fn each_line_has_the_id_of_its_request() {
        let text = logged(Builder::new_current_thread());
        assert_eq!(text.lines().count(), 6, "{text}");
        for line in text.lines() {
            assert!(line.contains("handle{id="), "{line}");
        }
        let printed = "handle{id=b210}:printer: ";
        assert!(text.contains(printed), "{text}");
    }

    #[test]
    fn a_caller_that_goes_leaves_the_printer_alive() {
        let _turn = TURN.lock().expect("no test panics");
        let runtime =
            Builder::new_multi_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (printer, jobs) = mpsc::channel(8);
            let working = tokio::spawn(print_labels(jobs));
            let (done, gone) = oneshot::channel();
            drop(gone);
            let request = Span::none();
            let job = Job { label: String::new(), request, done };
            assert!(printer.send(job).await.is_ok());
            let last = handle("c5".to_owned(), printer);
            last.await.expect("it prints on");
            assert!(working.await.is_ok());
        });
    }
}
