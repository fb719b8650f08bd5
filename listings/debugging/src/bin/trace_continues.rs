//! One trace from the caller's request to a spawned task, a queue, and the next service.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::{Instrument, Span, error_span, instrument, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;

// ANCHOR: headers
struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = HeaderName::try_from(key);
        let value = HeaderValue::try_from(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            self.0.insert(name, value);
        }
    }
}
// ANCHOR_END: headers

// ANCHOR: span
/// A span in the caller's trace, or in a new one.
fn request_span(headers: &HeaderMap) -> Span {
    let propagator = TraceContextPropagator::new();
    let span = error_span!("request");
    // The span isn't entered yet. After that, this returns an error.
    let parent = propagator.extract(&Incoming(headers));
    if let Err(error) = span.set_parent(parent) {
        warn!(%error, "the request isn't in its caller's trace");
    }
    span
}

/// The headers for a request to the next service.
fn headers_for_next() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let context = Span::current().context();
    TraceContextPropagator::new()
        .inject_context(&context, &mut Outgoing(&mut headers));
    headers
}
// ANCHOR_END: span

// ANCHOR: request
struct Label {
    span: Span,
}

async fn handle(labels: mpsc::Sender<Label>) -> HeaderMap {
    let mut tasks = JoinSet::new();
    tasks.spawn(send_mail().in_current_span());
    let label = Label { span: Span::current() };
    if labels.send(label).await.is_err() {
        warn!("the printer has stopped");
    }
    tasks.join_all().await;
    headers_for_next()
}

async fn print_labels(mut labels: mpsc::Receiver<Label>) {
    while let Some(label) = labels.recv().await {
        let span = error_span!(parent: &label.span, "print_label");
        print_label().instrument(span).await;
    }
}
// ANCHOR_END: request

#[instrument(level = "error")]
async fn send_mail() {}

async fn print_label() {}

/// Handles one request, and returns the headers for the next service.
async fn serve(headers: &HeaderMap) -> HeaderMap {
    let (printer, labels) = mpsc::channel(8);
    let handling = handle(printer).instrument(request_span(headers));
    tokio::join!(handling, print_labels(labels)).0
}

fn traces() -> (InMemorySpanExporter, SdkTracerProvider) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    (exporter, provider)
}

fn caller() -> HeaderMap {
    let parent =
        "00-11111111111111111111111111111111-2222222222222222-01";
    let value = HeaderValue::from_static(parent);
    HeaderMap::from_iter([(
        HeaderName::from_static("traceparent"),
        value,
    )])
}

/// The spans with their traces and parents, sorted by name.
fn tree(exporter: &InMemorySpanExporter) -> Vec<String> {
    let spans = exporter.get_finished_spans().expect("it's open");
    let mut lines: Vec<_> = spans
        .iter()
        .map(|span| {
            let id = span.parent_span_id;
            let named = spans
                .iter()
                .find(|other| other.span_context.span_id() == id);
            let parent = match named {
                Some(other) => other.name.to_string(),
                None => id.to_string(),
            };
            let trace = span.span_context.trace_id().to_string();
            let trace = match trace.starts_with("1111") {
                true => "the caller's",
                false => "a new one",
            };
            format!(
                "{:<11}  trace: {trace}  parent: {parent}",
                span.name
            )
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (exporter, provider) = traces();
    let tracer = provider.tracer("shop");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber)
        .expect("it's the first one");

    let next = serve(&caller()).await;
    for line in tree(&exporter) {
        println!("{line}");
    }
    let next = next["traceparent"].to_str().expect("it's text");
    println!("next service:  {}...", &next[..35]);
    provider.shutdown().expect("all are exported");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::forget;
    use tokio::runtime::Builder;
    use tracing::subscriber::set_default;

    fn dispatch(provider: &SdkTracerProvider) -> tracing::Dispatch {
        let tracer = provider.tracer("shop");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(layer).into()
    }

    #[test]
    fn threads_a_spawned_task_stays_in_the_trace() {
        let (exporter, provider) = traces();
        let dispatch = dispatch(&provider);
        let runtime = Builder::new_multi_thread()
            .worker_threads(4)
            .on_thread_start(move || {
                forget(tracing::dispatcher::set_default(&dispatch));
            })
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut requests = JoinSet::new();
            for _ in 0..50 {
                requests.spawn(async { serve(&caller()).await });
            }
            requests.join_all().await;
        });
        let lines = tree(&exporter);
        assert_eq!(lines.len(), 150, "{lines:?}");
        for line in lines {
            assert!(line.contains("trace: the caller's"), "{line}");
            let root = line.starts_with("request");
            assert_eq!(line.ends_with("request"), !root, "{line}");
        }
    }

    #[tokio::test]
    async fn edges_without_a_valid_header_a_new_trace_starts() {
        let bad = HeaderValue::from_static("request 7");
        let name = HeaderName::from_static("traceparent");
        let bad = HeaderMap::from_iter([(name, bad)]);
        for headers in [HeaderMap::new(), bad] {
            let (exporter, provider) = traces();
            let dispatch = dispatch(&provider);
            let guard = tracing::dispatcher::set_default(&dispatch);
            let next = serve(&headers).await;
            drop(guard);
            assert!(next.contains_key("traceparent"));
            let lines = tree(&exporter);
            assert_eq!(lines.len(), 3, "{lines:?}");
            assert!(
                lines[1].ends_with("0000000000000000"),
                "{lines:?}"
            );
            assert!(lines[2].ends_with("parent: request"), "{lines:?}");
        }
    }

    /// The header's last number is 1 if the caller's trace is sampled.
    #[tokio::test]
    async fn edges_a_caller_decides_whether_a_trace_is_sampled() {
        for (flag, spans) in [("01", 3), ("00", 0)] {
            let mut headers = caller();
            let parent = headers["traceparent"].to_str().expect("text");
            let parent = format!("{}{flag}", &parent[..53]);
            let parent = parent.parse().expect("a header");
            headers.insert("traceparent", parent);
            let (exporter, provider) = traces();
            let dispatch = dispatch(&provider);
            let guard = tracing::dispatcher::set_default(&dispatch);
            serve(&headers).await;
            drop(guard);
            assert_eq!(tree(&exporter).len(), spans);
        }
    }

    #[tokio::test]
    async fn edges_without_a_subscriber_nothing_fails() {
        let _none =
            set_default(tracing::subscriber::NoSubscriber::new());
        assert!(serve(&caller()).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_request_still_exports_its_span() {
        hazards::at_every_poll(async |cancel| {
            let (exporter, provider) = traces();
            let dispatch = dispatch(&provider);
            let guard = tracing::dispatcher::set_default(&dispatch);
            let headers = caller();
            cancel.run(serve(&headers)).await;
            hazards::no_task_left().await;
            drop(guard);
            let lines = tree(&exporter);
            // Dropped before its first poll, it has no span.
            for line in &lines {
                assert!(line.contains("the caller's"), "{line}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn owner_gone_the_request_is_answered_without_a_printer() {
        // A thread without any could disable the spans of other tests.
        let _none =
            set_default(tracing::subscriber::NoSubscriber::new());
        let (printer, labels) = mpsc::channel(1);
        drop(labels);
        hazards::within(hazards::HOUR, handle(printer)).await;
    }

    #[test]
    fn failure_to_set_a_parent_is_an_error_once_the_span_is_entered() {
        let (_exporter, provider) = traces();
        let dispatch = dispatch(&provider);
        let _guard = tracing::dispatcher::set_default(&dispatch);
        let span = error_span!("request");
        span.in_scope(|| {
            let parent = TraceContextPropagator::new()
                .extract(&Incoming(&caller()));
            let error = span.set_parent(parent).expect_err("late");
            let text = "Span has already been started";
            assert!(error.to_string().contains(text), "{error}");
        });
    }
}
