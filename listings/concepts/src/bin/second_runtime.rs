//! Run heavy async work on a second runtime.

use std::{io, num::NonZeroUsize, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinError,
};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: heavy
/// A runtime for work that computes for a long time between awaits.
/// Dropping this shuts it down.
struct Heavy {
    handle: Handle,
    _stop: oneshot::Sender<()>,
}

impl Heavy {
    fn new(threads: NonZeroUsize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.get())
            .thread_name("heavy")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        // Drop the runtime on a separate thread: the drop waits for
        // the workers, which panics in async code.
        thread::Builder::new().spawn(move || {
            runtime.block_on(stopped).ok();
        })?;
        Ok(Self { handle, _stop: stop })
    }

    /// Runs work on the second runtime. If this is canceled, the work
    /// is aborted at its next `.await`.
    ///
    /// Fails if the work panics.
    async fn run<F>(&self, work: F) -> Result<F::Output, JoinError>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        AbortOnDropHandle::new(self.handle.spawn(work)).await
    }
}
// ANCHOR_END: heavy

/// Draws a chart, which takes 50 ms without an `.await`.
async fn draw(chart: u32) -> u32 {
    thread::sleep(Duration::from_millis(50));
    chart
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let heavy = Heavy::new(NonZeroUsize::MIN)?;
    let mut beats = 0;
    let heartbeat = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            beats += 1;
        }
    };
    tokio::select! {
        chart = heavy.run(draw(7)) => println!("chart: {:?}", chart.ok()),
        () = heartbeat => {}
    }
    println!("the heartbeat kept running: {}", beats > 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use tokio::{task::JoinSet, time::sleep};

    use super::*;

    fn heavy(threads: usize) -> Heavy {
        let threads = NonZeroUsize::new(threads).expect("a number");
        Heavy::new(threads).expect("a runtime")
    }

    #[tokio::test]
    async fn slow_work_leaves_the_other_runtime_alone() {
        let heavy = heavy(1);
        let start = std::time::Instant::now();
        let drawn = heavy.run(draw(7));
        let other = async { start.elapsed() };
        let (drawn, waited) = tokio::join!(biased; drawn, other);
        assert_eq!(drawn.ok(), Some(7));
        assert!(waited < start.elapsed());
    }

    #[tokio::test]
    async fn cancel_aborts_the_work() {
        let heavy = heavy(1);
        let held = Arc::new(());
        hazards::at_every_poll(async |cancel| {
            let holds = Arc::clone(&held);
            // Forever, unless it is aborted.
            let is_short = cancel.polls() > 1;
            let work = async move {
                let _holds = holds;
                if !is_short {
                    std::future::pending::<()>().await;
                }
            };
            cancel.run(heavy.run(work)).await;
            let is_dropped = async {
                while Arc::strong_count(&held) > 1 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let minute = Duration::from_secs(60);
            hazards::within(minute, is_dropped).await;
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_the_work_is_reported() {
        let heavy = heavy(1);
        let broken = heavy.run(async { panic!("no data") });
        let error = broken.await.expect_err("it panics").to_string();
        assert!(error.contains("no data"), "{error}");
        assert_eq!(heavy.run(draw(7)).await.ok(), Some(7));
    }

    #[tokio::test]
    async fn overload_waits_for_a_thread() {
        let heavy = heavy(2);
        let charts = (0..5).map(|chart| heavy.run(draw(chart)));
        let charts = futures::future::join_all(charts).await;
        assert!(charts.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn owner_gone_in_async_code_ends_the_work() {
        let heavy = heavy(1);
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        heavy.handle.spawn(async move {
            let _holds = holds;
            std::future::pending::<()>().await;
        });
        drop(heavy);
        while Arc::strong_count(&held) > 1 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_it() {
        let heavy = Arc::new(heavy(2));
        let done = Arc::new(AtomicU32::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..100 {
            let (heavy, done) = (Arc::clone(&heavy), Arc::clone(&done));
            tasks.spawn(async move {
                let work = async move {
                    done.fetch_add(1, Ordering::Relaxed);
                };
                heavy.run(work).await.expect("no panic");
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.expect("it does not panic");
        }
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }
}
