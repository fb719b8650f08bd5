//! Wrong: the exporter needs a runtime, and its thread has none.

// ANCHOR: wrong
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    print_panics();
    let collector = Collector::default();
    let received = collector.received.clone();
    let traces = SdkTracerProvider::builder()
        .with_batch_exporter(collector)
        .build();

    traces.tracer("shop").start("order 7").end();

    if let Err(error) =
        spawn_blocking(move || traces.force_flush()).await?
    {
        println!("not flushed: {error}");
    }
    println!("spans received: {}", received.load(Ordering::Relaxed));
    Ok(())
}

impl SpanExporter for Collector {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        // Wrong: the timer looks for a runtime on the thread that polls
        // it. So does a socket, as in reqwest's async client.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.received.fetch_add(spans.len(), Ordering::Relaxed);
        Ok(())
    }
}

fn print_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        println!("{}:", thread.name().unwrap_or("a thread"));
        println!("  {}", panic.payload_as_str().unwrap_or("a panic"));
    }));
}
// ANCHOR_END: wrong

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::{task::spawn_blocking, time::Duration};

/// A collector of traces, reached with an async client.
#[derive(Debug, Default)]
struct Collector {
    received: Arc<AtomicUsize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_delivers_the_spans() -> anyhow::Result<()> {
        // It doesn't.
        let collector = Collector::default();
        let received = collector.received.clone();
        let traces = SdkTracerProvider::builder()
            .with_batch_exporter(collector)
            .build();
        traces.tracer("shop").start("order 7").end();
        let flushed = spawn_blocking(move || traces.force_flush());
        assert!(flushed.await?.is_err());
        assert_eq!(received.load(Ordering::Relaxed), 0);
        Ok(())
    }
}
