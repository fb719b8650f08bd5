//! A task awaits the task that it spawned, so it frees its worker.

use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: price
/// Waits at an `.await`, so the worker is free for the new task.
///
/// If this is canceled, the new task is aborted. Fails if the task
/// panics.
async fn in_a_task<F>(work: F) -> Result<F::Output, JoinError>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(work)).await
}

async fn price() -> Result<u32, JoinError> {
    in_a_task(compute()).await
}
// ANCHOR_END: price

/// Calculates the price.
async fn compute() -> u32 {
    tokio::task::yield_now().await;
    1250
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), JoinError> {
    let price = tokio::spawn(async { price().await }).await??;
    println!("1 worker: {price}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_it_answers_on_any_number() {
        for workers in [1, 2, 4] {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(workers)
                .enable_all()
                .build()
                .expect("a runtime");
            for _ in 0..100 {
                let called = runtime.spawn(price());
                let price = runtime.block_on(called);
                assert_eq!(price.expect("no panic").ok(), Some(1250));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_task() {
        hazards::at_every_poll(async |cancel| {
            // Forever, unless it is aborted.
            let is_short = cancel.polls() > 1;
            let work = async move {
                if !is_short {
                    std::future::pending::<()>().await;
                }
            };
            cancel.run(in_a_task(work)).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test]
    async fn panic_of_the_task_is_reported() {
        let broken = in_a_task(async { panic!("no price") }).await;
        let error = broken.expect_err("it panics").to_string();
        assert!(error.contains("no price"), "{error}");
    }
}
