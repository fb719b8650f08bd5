//! Flush OpenTelemetry's traces where blocking is allowed.

// ANCHOR: flush
use anyhow::Context;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::{
    sync::oneshot,
    time::{Duration, timeout},
};

/// Sends the spans that are left, and stops the exporter. The flush has
/// a thread of its own, so the exporter's tasks can keep running. If
/// this future is dropped, the flush continues on that thread.
async fn flush(
    traces: &SdkTracerProvider,
    limit: Duration,
) -> anyhow::Result<()> {
    let traces = traces.clone();
    let (done, flushed) = oneshot::channel();
    // The runtime doesn't wait for this thread, so `main` can return.
    std::thread::Builder::new().spawn(move || {
        // First, because `shutdown` doesn't return an export's error.
        let flushed = traces.force_flush(); // For at most 5 s.
        done.send(flushed.and(traces.shutdown_with_timeout(limit)))
            .ok();
    })?;
    let flushed = timeout(limit, flushed).await;
    let flushed = flushed.context("the flush takes too long")?;
    flushed.context("the flush panicked")?.context("not flushed")
}
// ANCHOR_END: flush

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let collector = Collector::new(Handle::current());
    let received = collector.received.clone();
    let traces = SdkTracerProvider::builder()
        .with_batch_exporter(collector)
        .build();

    traces.tracer("shop").start("order 7").end();

    flush(&traces, Duration::from_secs(5)).await?;
    println!("spans received: {}", received.load(Ordering::Relaxed));
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: exporter
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};

/// Sends spans from a task of the runtime, as a gRPC client does.
#[derive(Debug)]
struct Collector {
    runtime: Handle,
    received: Arc<AtomicUsize>,
    #[cfg(test)]
    trouble: tests::Trouble,
}

impl SpanExporter for Collector {
    async fn export(&self, spans: Vec<SpanData>) -> OTelSdkResult {
        let received = self.received.clone();
        #[cfg(test)]
        let trouble = self.trouble;
        let sending = self.runtime.spawn(async move {
            #[cfg(test)]
            trouble.happens().await;
            received.fetch_add(spans.len(), Ordering::Relaxed);
        });
        #[cfg(test)]
        if matches!(self.trouble, tests::Trouble::Fails) {
            return Err(OTelSdkError::InternalFailure("503".into()));
        }
        sending.await.map_err(|error| {
            OTelSdkError::InternalFailure(error.to_string())
        })
    }
}
// ANCHOR_END: exporter

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use opentelemetry::trace::{Span, Tracer, TracerProvider};
use tokio::runtime::Handle;

impl Collector {
    fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            received: Arc::default(),
            #[cfg(test)]
            trouble: tests::Trouble::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::spawn_blocking;

    use super::*;

    /// What happens to the collector when spans arrive.
    #[derive(Debug, Clone, Copy)]
    pub enum Trouble {
        None,
        Fails,
        Panics,
        Silent,
    }

    impl Trouble {
        pub async fn happens(self) {
            match self {
                Self::None | Self::Fails => {}
                Self::Panics => {
                    std::panic::resume_unwind(Box::new("no memory"))
                }
                Self::Silent => std::future::pending().await,
            }
        }
    }

    const LIMIT: Duration = Duration::from_secs(60);

    /// A provider with `spans` that aren't sent yet, and the counter of
    /// those that are.
    fn traces(
        trouble: Trouble,
        spans: usize,
    ) -> (SdkTracerProvider, Arc<AtomicUsize>) {
        let mut collector = Collector::new(Handle::current());
        collector.trouble = trouble;
        let received = collector.received.clone();
        let traces = SdkTracerProvider::builder()
            .with_batch_exporter(collector)
            .build();
        for _ in 0..spans {
            traces.tracer("shop").start("order 7").end();
        }
        (traces, received)
    }

    #[tokio::test]
    async fn stop_delivers_the_spans() -> anyhow::Result<()> {
        let (traces, received) = traces(Trouble::None, 3);
        flush(&traces, LIMIT).await?;
        assert_eq!(received.load(Ordering::Relaxed), 3);
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_span_and_no_time() -> anyhow::Result<()> {
        let (unused, received) = traces(Trouble::None, 0);
        flush(&unused, LIMIT).await?;
        assert_eq!(received.load(Ordering::Relaxed), 0);
        let (traces, _) = traces(Trouble::Silent, 1);
        assert!(flush(&traces, Duration::ZERO).await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_the_collector_ends_at_the_limit() {
        let (traces, _) = traces(Trouble::Silent, 1);
        let error = flush(&traces, Duration::from_millis(50)).await;
        let error = error.expect_err("no answer").to_string();
        assert_eq!(error, "the flush takes too long");
    }

    #[tokio::test]
    async fn failure_of_the_export_is_an_error() {
        let (traces, _) = traces(Trouble::Fails, 1);
        let error = flush(&traces, LIMIT).await.expect_err("it fails");
        assert!(format!("{error:#}").contains("503"), "{error:#}");
    }

    /// Its collector is silent, so an export never finishes.
    #[derive(Debug)]
    struct Blocking;

    impl SpanExporter for Blocking {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            std::future::pending().await
        }
    }

    #[test]
    fn silence_of_the_collector_does_not_hold_the_exit() {
        let start = std::time::Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let traces = SdkTracerProvider::builder()
                .with_batch_exporter(Blocking)
                .build();
            traces.tracer("shop").start("order 7").end();
            let limit = Duration::from_millis(50);
            flush(&traces, limit).await.expect_err("no answer");
        });
        drop(runtime);
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    /// The reason for the flush before the shutdown.
    #[tokio::test]
    async fn failure_is_hidden_by_shutdown_alone() {
        let (traces, _) = traces(Trouble::Fails, 1);
        let shut = spawn_blocking(move || traces.shutdown());
        assert!(shut.await.expect("no panic").is_ok());
    }

    #[tokio::test]
    async fn panic_of_the_collector_is_an_error() {
        let (traces, received) = traces(Trouble::Panics, 1);
        let error = flush(&traces, LIMIT).await.expect_err("it panics");
        assert!(format!("{error:#}").contains("panic"), "{error:#}");
        assert_eq!(received.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn again_is_an_error_and_sends_nothing_twice() {
        let (traces, received) = traces(Trouble::None, 1);
        assert!(flush(&traces, LIMIT).await.is_ok());
        assert!(flush(&traces, LIMIT).await.is_err());
        assert_eq!(received.load(Ordering::Relaxed), 1);
    }

    /// The closure that was started delivers the spans anyway.
    #[tokio::test]
    async fn cancel_leaves_the_shutdown_to_its_thread() {
        let (traces, received) = traces(Trouble::None, 1);
        let canceled =
            tokio::time::timeout(Duration::ZERO, flush(&traces, LIMIT));
        // It may be done already.
        let _ = canceled.await;
        while received.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn threads_deliver_it_from_the_only_worker() {
        let (traces, received) = traces(Trouble::None, 1);
        let service =
            tokio::spawn(async move { flush(&traces, LIMIT).await });
        assert!(service.await.expect("no panic").is_ok());
        assert_eq!(received.load(Ordering::Relaxed), 1);
    }
}
