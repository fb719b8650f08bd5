//! Wrong: the task that the request spawns starts a trace of its own.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SdkTracerProvider,
};
use tokio::task::JoinSet;
use tracing::instrument;
use tracing_subscriber::layer::SubscriberExt;

// ANCHOR: mistake
#[instrument(level = "error")]
async fn request() {
    let mut tasks = JoinSet::new();
    tasks.spawn(send_mail());
    tasks.join_all().await;
}

#[instrument(level = "error")]
async fn send_mail() {}
// ANCHOR_END: mistake

fn traces() -> (InMemorySpanExporter, SdkTracerProvider) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    (exporter, provider)
}

/// Each span, and whether it has a parent in the trace of the request.
fn tree(exporter: &InMemorySpanExporter) -> Vec<String> {
    let spans = exporter.get_finished_spans().expect("it's open");
    let request = spans.iter().find(|span| span.name == "request");
    let request = &request.expect("it's exported").span_context;
    let line = |span: &opentelemetry_sdk::trace::SpanData| {
        let same = span.span_context.trace_id() == request.trace_id();
        let trace = if same { "the request's" } else { "another one" };
        let parent = span.parent_span_id;
        format!("{:<9}  trace: {trace}  parent: {parent}", span.name)
    };
    let mut lines: Vec<_> = spans.iter().map(line).collect();
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

    request().await;
    for line in tree(&exporter) {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_a_spawned_task_stays_in_the_trace() {
        let (exporter, provider) = traces();
        let tracer = provider.tracer("shop");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let subscriber = tracing_subscriber::registry().with(layer);
        let _guard = tracing::subscriber::set_default(subscriber);
        request().await;
        let lines = tree(&exporter);
        let mail = "send_mail  trace: another one  \
                    parent: 0000000000000000";
        assert_eq!(lines[1], mail);
    }
}
