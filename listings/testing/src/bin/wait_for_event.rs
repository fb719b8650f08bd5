//! Wait for the event that the test checks.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// How long the machine needs on that day: 50 to 149 ms.
fn work_time(day: u64) -> Duration {
    Duration::from_millis(fastrand::Rng::with_seed(day).u64(50..150))
}

// ANCHOR: event
/// The event is the end of the task. The timeout fires only if the test
/// would hang, so it can be long. A panic in the task fails the test.
async fn passes(
    day: u64,
) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let is_sent = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    tasks.spawn(send_report(day, Arc::clone(&is_sent)));
    let limit = Duration::from_secs(60);
    timeout(limit, tasks.join_next()).await?.transpose()?;
    Ok(is_sent.load(Relaxed))
}
// ANCHOR_END: event

async fn send_report(day: u64, is_sent: Arc<AtomicBool>) {
    assert!(day < NO_DAY, "there is no day {day}");
    if day == HANGS {
        std::future::pending().await
    }
    sleep(work_time(day)).await;
    is_sent.store(true, Relaxed);
}

const NO_DAY: u64 = 366;
/// The day on which the machine hangs.
const HANGS: u64 = 365;

async fn passed_of_a_hundred() -> usize {
    let mut passed = 0;
    for day in 0..100 {
        passed += usize::from(passes(day).await.unwrap_or(false));
    }
    passed
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let passed = passed_of_a_hundred().await;
    println!("passed {passed} times of 100");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_machine_and_how_often_it_passes() {
        assert_eq!(passed_of_a_hundred().await, 100);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_real_time_make_no_difference() {
        assert_eq!(passes(7).await.ok(), Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_task_is_an_error_with_its_message() {
        let error = passes(NO_DAY).await.expect_err("no such day");
        let message = error.to_string();
        assert!(message.contains("there is no day 366"), "{message}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_task_is_an_error_after_the_limit() {
        let passed = hazards::within(hazards::HOUR, passes(HANGS));
        let error = passed.await.expect_err("it hangs");
        assert_eq!(error.to_string(), "deadline has elapsed");
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(passes(7)).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
