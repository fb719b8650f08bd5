//! Wrong: the flush blocks the thread on which the exporter's task runs.

// ANCHOR: wrong
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let collector = Collector::new(Handle::current());
    let received = collector.received.clone();
    let traces = SdkTracerProvider::builder()
        .with_batch_exporter(collector)
        .build();

    traces.tracer("shop").start("order 7").end();

    // Wrong: this blocks the only thread, and waits for a task on it, as
    // opentelemetry::global::shutdown_tracer_provider() did.
    let limit = Duration::from_millis(200); // 5 s in `shutdown`
    if let Err(error) = traces.shutdown_with_timeout(limit) {
        println!("{error}");
    }
    println!("spans received: {}", received.load(Ordering::Relaxed));
}
// ANCHOR_END: wrong

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use tokio::runtime::Handle;

/// Sends spans from a task of the runtime, as a gRPC client does.
#[derive(Debug)]
struct Collector {
    runtime: Handle,
    received: Arc<AtomicUsize>,
}

impl Collector {
    fn new(runtime: Handle) -> Self {
        Self { runtime, received: Arc::default() }
    }
}

impl SpanExporter for Collector {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let received = self.received.clone();
        let sending = self.runtime.spawn(async move {
            received.fetch_add(spans.len(), Ordering::Relaxed);
        });
        sending.await.map_err(|error| {
            OTelSdkError::InternalFailure(error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_delivers_the_spans() {
        // It doesn't.
        let collector = Collector::new(Handle::current());
        let received = collector.received.clone();
        let traces = SdkTracerProvider::builder()
            .with_batch_exporter(collector)
            .build();
        traces.tracer("shop").start("order 7").end();
        let limit = Duration::from_millis(50);
        assert!(traces.shutdown_with_timeout(limit).is_err());
        assert_eq!(received.load(Ordering::Relaxed), 0);
    }
}
