//! Right implementations have to pass the check, and wrong ones to fail.

use super::solution::check;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

exam::tests! {
    paused a_stream_that_works_when_polled_passes,
    paused a_task_passes,
    paused one_that_is_a_little_late_passes,
    paused wrong_values_are_found,
    paused wrong_times_are_found,
    paused extra_values_are_found,
    paused wrong_ends_are_found,
}

type Debounce = fn(input: mpsc::Receiver<u32>, quiet: Duration) -> BoxStream<'static, u32>;

/// What an implementation does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Late,
    First,
    Largest,
    All,
    NoRepeats,
    TooEarly,
    TooLate,
    NotRestarted,
    AtOnceToo,
    Twice,
    AgainAtTheEnd,
    LosesTheLast,
    WaitsAtTheEnd,
    NeverEnds,
    OnlyOnce,
    Nothing,
}

/// An implementation that works when its stream is polled.
fn debounced(
    mut input: mpsc::Receiver<u32>,
    quiet: Duration,
    fault: Fault,
) -> BoxStream<'static, u32> {
    let wait = match fault {
        Fault::Late => quiet + Duration::from_millis(7),
        Fault::TooEarly => quiet / 2,
        Fault::TooLate => quiet * 2,
        _ => quiet,
    };
    let stream = async_stream::stream! {
        let mut before = None;
        while let Some(first) = input.recv().await {
            if fault == Fault::AtOnceToo {
                yield first;
            }
            let (mut values, mut due) = (vec![first], Instant::now() + wait);
            let is_end = loop {
                match timeout_at(due, input.recv()).await {
                    Ok(Some(value)) => values.push(value),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
                if fault != Fault::NotRestarted {
                    due = Instant::now() + wait;
                }
            };
            if is_end && fault == Fault::WaitsAtTheEnd {
                sleep_until(due).await;
            }
            let last = values[values.len() - 1];
            match fault {
                Fault::First => yield first,
                Fault::Largest => yield values.into_iter().fold(0, u32::max),
                Fault::All => for value in values {
                    yield value;
                },
                Fault::NoRepeats if before == Some(last) => {}
                Fault::Twice => {
                    yield last;
                    if !is_end {
                        sleep(wait).await;
                        yield last;
                    }
                }
                Fault::LosesTheLast if is_end => {}
                Fault::OnlyOnce if before.is_some() => pending().await,
                Fault::Nothing => pending().await,
                _ => yield last,
            }
            before = Some(last);
            if is_end {
                break;
            }
        }
        match (fault, before) {
            (Fault::AgainAtTheEnd, Some(last)) => yield last,
            (Fault::NeverEnds, _) => pending().await,
            _ => {}
        }
    };
    stream.boxed()
}

/// An implementation that works in a task.
fn in_a_task(input: mpsc::Receiver<u32>, quiet: Duration) -> BoxStream<'static, u32> {
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut values = debounced(input, quiet, Fault::None);
        while let Some(value) = values.next().await {
            if sender.send(value).await.is_err() {
                break;
            }
        }
    });
    stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Passes,
    Panics,
    Hangs,
}

async fn verdict(debounce: Debounce) -> Verdict {
    let checked = AssertUnwindSafe(check(debounce)).catch_unwind();
    match timeout(Duration::from_secs(610), checked).await {
        Err(_) => Verdict::Hangs,
        Ok(Err(_)) => Verdict::Panics,
        Ok(Ok(())) => Verdict::Passes,
    }
}

macro_rules! finds {
    ($($fault:ident),*) => { $(
        let found = verdict(|input, quiet| debounced(input, quiet, Fault::$fault)).await;
        let fault = Fault::$fault;
        assert_eq!(found, Verdict::Panics, "an implementation with the fault {fault:?}");
    )* };
}

async fn a_stream_that_works_when_polled_passes() {
    let found = verdict(|input, quiet| debounced(input, quiet, Fault::None)).await;
    assert_eq!(found, Verdict::Passes, "a right implementation");
}

async fn a_task_passes() {
    let found = verdict(in_a_task).await;
    assert_eq!(found, Verdict::Passes, "a right implementation");
}

async fn one_that_is_a_little_late_passes() {
    let found = verdict(|input, quiet| debounced(input, quiet, Fault::Late)).await;
    assert_eq!(found, Verdict::Passes, "a right implementation, 7 ms late");
}

async fn wrong_values_are_found() {
    finds!(First, Largest, All, NoRepeats);
}

async fn wrong_times_are_found() {
    finds!(TooEarly, TooLate, NotRestarted);
}

async fn extra_values_are_found() {
    finds!(AtOnceToo, Twice, AgainAtTheEnd);
}

async fn wrong_ends_are_found() {
    finds!(LosesTheLast, WaitsAtTheEnd, NeverEnds, OnlyOnce, Nothing);
}
