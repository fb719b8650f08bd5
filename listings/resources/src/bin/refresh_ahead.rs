//! A task refreshes the value every minute, and no request waits.

// ANCHOR: rates
use std::{any::Any, error::Error, panic::AssertUnwindSafe, sync::Arc};

use arc_swap::ArcSwap;
use futures::FutureExt;
use tokio::time::{
    Duration, Instant, MissedTickBehavior, interval, timeout,
};
use tokio_util::task::AbortOnDropHandle;

struct Rate {
    rate: u32,
    /// Export the age as a metric: it shows that the bank is down.
    loaded_at: Instant,
}

struct Rates {
    newest: Arc<ArcSwap<Rate>>,
    _refresh: AbortOnDropHandle<()>,
}

impl Rates {
    /// Loads the first rate. After that, a task loads one every minute
    /// until this is dropped.
    async fn start(bank: Bank) -> Result<Self, LoadError> {
        let first = Arc::new(load(&bank).await?);
        let newest = Arc::new(ArcSwap::new(first));
        let refresh = refresh(bank, Arc::clone(&newest));
        let task = AbortOnDropHandle::new(tokio::spawn(refresh));
        Ok(Self { newest, _refresh: task })
    }
}
// ANCHOR_END: rates

// ANCHOR: refresh
use std::io::{self, Write};

type LoadError = Box<dyn Error + Send + Sync>;

async fn load(bank: &Bank) -> Result<Rate, LoadError> {
    let rate = timeout(Duration::from_secs(10), bank.load()).await??;
    Ok(Rate { rate, loaded_at: Instant::now() })
}

async fn refresh(bank: Bank, newest: Arc<ArcSwap<Rate>>) {
    let mut every_minute = interval(Duration::from_secs(60));
    every_minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every_minute.tick().await; // The first tick is immediate.
    loop {
        every_minute.tick().await;
        // The task survives a load that hangs or panics.
        let why =
            match AssertUnwindSafe(load(&bank)).catch_unwind().await {
                Ok(Ok(rate)) => {
                    newest.store(Arc::new(rate));
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(panic) => message(&*panic).to_owned(),
            };
        // If stdout is closed, `println!` panics and ends the task.
        _ = writeln!(io::stdout(), "the old rate stays: {why}");
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| Some(panic.downcast_ref::<String>()?));
    text.unwrap_or("a panic")
}
// ANCHOR_END: refresh

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::sleep;

#[derive(Default)]
struct Bank {
    loads: Arc<AtomicU32>,
    /// The load that fails, and how.
    fails: Option<(u32, &'static str)>,
}

impl Bank {
    async fn load(&self) -> Result<u32, LoadError> {
        let load = 1 + self.loads.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_secs(2)).await;
        match self.fails {
            Some((fails, how)) if fails == load => match how {
                "a bug" => panic!("a bug in load {load}"),
                "silence" => std::future::pending().await,
                error => Err(format!("load {load}: {error}").into()),
            },
            _ => Ok(100 + load),
        }
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), LoadError> {
    let fails = Some((2, "refused"));
    let rates = Rates::start(Bank { fails, ..Bank::default() }).await?;
    for _ in 0..3 {
        let newest = rates.newest.load_full();
        let age = newest.loaded_at.elapsed().as_secs();
        println!("rate {}, {age} s old", newest.rate);
        sleep(Duration::from_secs(65)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};

    use super::*;

    fn failing(load: u32, how: &'static str) -> Bank {
        Bank { fails: Some((load, how)), ..Bank::default() }
    }

    /// The rates that requests see when the second load fails.
    async fn seen(how: &'static str) -> Result<[u32; 3], LoadError> {
        let rates = Rates::start(failing(2, how)).await?;
        let mut seen = [0; 3];
        for rate in &mut seen {
            *rate = rates.newest.load().rate;
            sleep(Duration::from_secs(75)).await;
        }
        Ok(seen)
    }

    #[tokio::test(start_paused = true)]
    async fn failure_keeps_the_old_rate() -> Result<(), LoadError> {
        assert_eq!(seen("refused").await?, [101, 101, 103]);
        let first = Rates::start(failing(1, "refused")).await;
        let error = first.err().expect("it fails");
        assert_eq!(error.to_string(), "load 1: refused");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn panic_keeps_the_old_rate() -> Result<(), LoadError> {
        assert_eq!(seen("a bug").await?, [101, 101, 103]);
        assert_eq!(message(&"a bug"), "a bug");
        assert_eq!(message(&"a bug".to_owned()), "a bug");
        assert_eq!(message(&7), "a panic");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_keeps_the_old_rate() -> Result<(), LoadError> {
        assert_eq!(seen("silence").await?, [101, 101, 103]);
        let first = Rates::start(failing(1, "silence"));
        assert!(within(HOUR, first).await.is_err());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            drop(cancel.run(Rates::start(Bank::default())).await);
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_task() -> Result<(), LoadError> {
        let bank = Bank::default();
        let loads = Arc::clone(&bank.loads);
        drop(Rates::start(bank).await?);
        no_task_left().await;
        sleep(HOUR).await;
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        Ok(())
    }

    /// Does nothing unless the next test starts it in a child process.
    #[tokio::test(start_paused = true)]
    async fn child() {
        if !hazards::is_unread() {
            return;
        }
        let seen = seen("refused").await.expect("the first loads");
        std::process::exit(i32::from(seen != [101, 101, 103]));
    }

    /// Nobody reads the log anymore, and a load fails.
    #[test]
    fn failure_of_stdout_does_not_end_the_refreshes() {
        hazards::succeeds_unread(module_path!(), "child");
    }

    /// A minute from tick to tick, and its load takes two seconds.
    #[tokio::test(start_paused = true)]
    async fn clock_no_rate_is_older_than_a_minute_and_a_load()
    -> Result<(), LoadError> {
        let rates = Rates::start(Bank::default()).await?;
        for _ in 0..1000 {
            sleep(Duration::from_millis(777)).await;
            let age = rates.newest.load().loaded_at.elapsed();
            assert!(age <= Duration::from_secs(62), "{age:?}");
        }
        Ok(())
    }
}
