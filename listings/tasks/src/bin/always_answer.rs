//! Work is canceled at a deadline. Does the client find out why?

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

// ANCHOR: two_workers
/// The deadline drops the reply channel along with the work. The
/// client learns that there will be no answer, but not why.
async fn answer_or_drop(
    reply: oneshot::Sender<Answer>,
    report: impl Future<Output = u32>,
) {
    let work = async {
        let lines = report.await;
        // A client that has left needs no answer.
        reply.send(Ok(lines)).ok();
    };
    timeout(LIMIT, work).await.ok();
}

/// The reply channel isn't dropped with the work, so there's an answer
/// at the deadline and after a panic. If the client leaves, it stops.
///
/// If this future itself is dropped, the client gets a `RecvError`.
async fn always_answer(
    mut reply: oneshot::Sender<Answer>,
    report: impl Future<Output = u32>,
) {
    let work = async {
        tokio::select! {
            biased;
            // This branch comes first so a busy report can't starve it.
            () = reply.closed() => None,
            done = timeout(LIMIT, report) => Some(done),
        }
    };
    let answer = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Some(Ok(lines))) => Ok(lines),
        Ok(Some(Err(_))) => Err(format!("not done in {LIMIT:?}")),
        Ok(None) => return,
        Err(panic) => Err(format!("panic: {}", text(&*panic))),
    };
    // The client may have left in the meantime.
    reply.send(answer).ok();
}
// ANCHOR_END: two_workers

const LIMIT: Duration = Duration::from_secs(2);

type Answer = Result<u32, String>;

/// The message of a panic, if it's text.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")
}

async fn write_report() -> u32 {
    sleep(Duration::from_secs(10)).await;
    42
}

/// What a client gets when it asks a worker.
async fn ask<F>(
    worker: impl FnOnce(oneshot::Sender<Answer>) -> F,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let task = tokio::spawn(worker(reply));
    let seen = match answer.await {
        Ok(Ok(lines)) => format!("{lines} lines"),
        Ok(Err(reason)) => reason,
        Err(closed) => closed.to_string(),
    };
    task.await.expect("a worker does not panic");
    seen
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!(
        "dropped:  {}",
        ask(|it| answer_or_drop(it, write_report())).await
    );
    println!(
        "answered: {}",
        ask(|it| always_answer(it, write_report())).await
    );
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use hazards::{at_every_poll, no_task_left};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_work_is_answered_with_the_reason() {
        assert_eq!(
            ask(|it| answer_or_drop(it, write_report())).await,
            "channel closed"
        );
        assert_eq!(
            ask(|it| always_answer(it, write_report())).await,
            "not done in 2s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_quick_report_is_the_answer() {
        let worker = |reply| always_answer(reply, async { 42 });
        assert_eq!(ask(worker).await, "42 lines");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_work_is_answered() {
        let worker =
            |reply| always_answer(reply, async { panic!("no data") });
        assert_eq!(ask(worker).await, "panic: no data");
    }

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in `drop`");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_at_the_deadline_is_answered() {
        let worker = |reply| {
            always_answer(reply, async {
                let _guard = PanicsInDrop;
                write_report().await
            })
        };
        assert_eq!(ask(worker).await, "panic: in `drop`");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_in_a_drop_after_the_client_left_is_caught() {
        let (reply, answer) = oneshot::channel();
        let worker = tokio::spawn(always_answer(reply, async {
            let _guard = PanicsInDrop;
            write_report().await
        }));
        tokio::task::yield_now().await;
        drop(answer);
        assert!(worker.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_a_client_that_leaves_ends_the_work() {
        let (reply, answer) = oneshot::channel();
        let start = Instant::now();
        let worker = tokio::spawn(always_answer(reply, write_report()));
        drop(answer);
        worker.await.expect("no panic");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    /// A report that uses up the task's budget in every poll.
    #[tokio::test(start_paused = true)]
    async fn owner_gone_is_noticed_while_the_report_is_busy() {
        let (reply, answer) = oneshot::channel();
        let steps = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&steps);
        let worker = tokio::spawn(always_answer(reply, async move {
            for _ in 0..100_000 {
                tokio::task::coop::consume_budget().await;
                count.fetch_add(1, Ordering::Relaxed);
            }
            42
        }));
        tokio::task::yield_now().await;
        drop(answer);
        worker.await.expect("no panic");
        assert!(steps.load(Ordering::Relaxed) < 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_the_worker_is_noticed_by_the_client() {
        at_every_poll(async |cancel| {
            let (reply, answer) = oneshot::channel();
            let done =
                cancel.run(always_answer(reply, write_report())).await;
            assert_eq!(answer.await.is_ok(), done.is_some());
        })
        .await;
        no_task_left().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_a_dropped_sender_is_noticed() {
        let (reply, answer) = oneshot::channel::<Answer>();
        tokio::spawn(async move { drop(reply) });
        assert!(answer.await.is_err());
        let worker =
            |reply| always_answer(reply, async { panic!("no data") });
        assert_eq!(ask(worker).await, "panic: no data");
    }
}
