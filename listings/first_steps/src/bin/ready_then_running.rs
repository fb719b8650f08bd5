//! A task that keeps running sends its first answer through a oneshot.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

// ANCHOR: start
use std::io::{self, Write};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// Starts a task that keeps measuring, a minute after each answer, and
/// returns the first measurement with the handle. Dropping the handle
/// stops the task.
async fn start(
    station: Station,
) -> Result<(i32, AbortOnDropHandle<()>)> {
    let (first, answer) = oneshot::channel();
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        // The caller may have given up, which aborts this task.
        first.send(station.measure().await).ok();
        loop {
            sleep(MINUTE).await;
            let measured = timeout(PATIENCE, station.measure()).await;
            let line = match measured {
                Ok(degrees) => format!("{degrees} degrees"),
                Err(_) => "no answer".to_owned(),
            };
            // If stdout is closed, `println!` panics and ends the task.
            _ = writeln!(io::stdout(), "{line}");
        }
    }));
    let first = timeout(PATIENCE, answer).await.context("no answer")?;
    let Ok(degrees) = first else {
        task.await?; // If the task panicked, this is the error.
        bail!("the task ended without an answer");
    };
    Ok((degrees, task))
}
// ANCHOR_END: start

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(5);

/// A station, by the degrees that it measures, and how often.
#[derive(Clone)]
struct Station(Arc<Mutex<Option<i32>>>, Arc<AtomicU32>);

impl Station {
    fn new(degrees: Option<i32>) -> Self {
        Self(Arc::new(Mutex::new(degrees)), Arc::default())
    }

    async fn measure(&self) -> i32 {
        self.1.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        let degrees = *self.0.lock().expect("it's only copied");
        match degrees {
            Some(degrees) if degrees < -273 => panic!("it's broken"),
            Some(degrees) => degrees,
            None => std::future::pending().await,
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<()> {
    let begin = Instant::now();
    let (degrees, task) = start(Station::new(Some(21))).await?;
    let took = begin.elapsed().as_millis();
    println!("first answer after {took} ms: {degrees} degrees");
    sleep(Duration::from_secs(150)).await;
    drop(task);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(2);

    #[tokio::test(start_paused = true)]
    async fn owner_gone_stops_the_task() -> Result<()> {
        let (degrees, task) = start(Station::new(Some(5))).await?;
        assert_eq!(degrees, 5);
        sleep(10 * MINUTE).await;
        assert!(!task.is_finished());
        drop(task);
        within(MOMENT, no_task_left()).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_station_is_limited() {
        let silent = within(HOUR, start(Station::new(None))).await;
        let error = silent.expect_err("it says nothing");
        assert_eq!(error.to_string(), "no answer");
        within(MOMENT, no_task_left()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_after_the_first_answer_is_limited() -> Result<()> {
        let station = Station::new(Some(5));
        let (_, _task) = start(station.clone()).await?;
        *station.0.lock().expect("it's only copied") = None;
        sleep(HOUR).await;
        let asked = station.1.load(Ordering::Relaxed);
        assert!(asked > 50, "it was asked {asked} times");
        Ok(())
    }

    /// Does nothing unless the next test starts it in a child process.
    #[tokio::test(start_paused = true)]
    async fn child() {
        if !hazards::is_unread() {
            return;
        }
        let started = start(Station::new(Some(5))).await;
        let (_, task) = started.expect("it answers");
        sleep(HOUR).await;
        std::process::exit(i32::from(task.is_finished()));
    }

    /// Nobody reads the measurements anymore.
    #[test]
    fn failure_of_stdout_does_not_end_the_task() {
        hazards::succeeds_unread(module_path!(), "child");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_before_the_answer_is_noticed() {
        let broken =
            within(HOUR, start(Station::new(Some(-300)))).await;
        let error = broken.expect_err("it panics");
        assert!(error.to_string().contains("it's broken"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            // If it completes, the handle is dropped, too.
            drop(cancel.run(start(Station::new(Some(5)))).await);
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_the_answer() -> Result<()> {
        let (degrees, _task) = start(Station::new(Some(5))).await?;
        assert_eq!(degrees, 5);
        Ok(())
    }
}
