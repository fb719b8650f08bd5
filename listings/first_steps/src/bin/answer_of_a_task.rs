//! A task's result has two levels: the task's own, and the function's.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{sleep, timeout};

// ANCHOR: answer
use tokio_util::task::AbortOnDropHandle;

/// The long form: a value, and the two kinds of failure.
async fn report(city: &'static str) -> String {
    let task = tokio::spawn(temperature_of(city));
    match AbortOnDropHandle::new(task).await {
        Ok(Ok(degrees)) => format!("{degrees} degrees"),
        Ok(Err(error)) => format!("the call failed: {error:#}"),
        Err(error) => format!("the task failed: {error}"),
    }
}

/// The short form: the caller gets either error.
async fn degrees(city: &'static str) -> Result<i32> {
    let task = tokio::spawn(temperature_of(city));
    let degrees = AbortOnDropHandle::new(task).await??;
    Ok(degrees)
}
// ANCHOR_END: answer

/// Asks a weather service, for at most five seconds.
async fn temperature_of(city: &'static str) -> Result<i32> {
    let limit = Duration::from_secs(5);
    timeout(limit, ask(city)).await.context("no answer")?
}

async fn ask(city: &'static str) -> Result<i32> {
    sleep(Duration::from_millis(100)).await;
    match city {
        "Rome" => Ok(21),
        "Silent Hill" => std::future::pending().await,
        "" => panic!("a city needs a name"),
        _ => bail!("{city} is unknown"),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    println!("{}", report("Rome").await);
    println!("{}", report("Atlantis").await);
    println!("{}", report("").await);
    println!("{}", degrees("Rome").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn panic_is_an_error_of_the_task() {
        let text = report("").await;
        assert!(text.starts_with("the task failed"), "{text}");
        let error = degrees("").await.expect_err("it panics");
        assert!(error.to_string().contains("a city needs a name"));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_is_an_error_of_the_function() {
        let text = report("Atlantis").await;
        assert_eq!(text, "the call failed: Atlantis is unknown");
        let error = degrees("Atlantis").await.expect_err("unknown");
        assert_eq!(error.to_string(), "Atlantis is unknown");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_service_is_limited() {
        let text = within(HOUR, report("Silent Hill")).await;
        let text = text.strip_prefix("the call failed: no answer: ");
        assert_eq!(text, Some("deadline has elapsed"));
        let error = within(HOUR, degrees("Silent Hill")).await;
        assert!(error.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_the_task() {
        at_every_poll(async |cancel| {
            cancel.run(report("Rome")).await;
            within(MOMENT, no_task_left()).await;
            cancel.run(degrees("Rome")).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_as_well() {
        assert_eq!(report("Rome").await, "21 degrees");
        assert_eq!(degrees("Rome").await.ok(), Some(21));
    }
}
