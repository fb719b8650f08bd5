//! Run a job every day at a clock time: check the wall clock twice a minute.

// ANCHOR: every_day
use jiff::{
    Timestamp, Zoned,
    civil::{Date, Time},
    tz::TimeZone,
};
use tokio::time::{Duration, sleep};

/// When the job is due: later if the clocks skip that time.
fn due(
    day: Date,
    at: Time,
    zone: &TimeZone,
) -> Result<Zoned, jiff::Error> {
    day.to_datetime(at).to_zoned(zone.clone())
}

/// Runs the job for every day after `last`, including missed days.
/// The job must limit its own time, and save its day as the next
/// `last`. If a job fails, no later day's job runs. Dropping this
/// future drops the running job.
async fn every_day<E: From<jiff::Error>>(
    mut last: Date,
    at: Time,
    zone: TimeZone,
    now: impl Fn() -> Timestamp, // `Timestamp::now`
    mut job: impl AsyncFnMut(Date) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        let day = last.tomorrow()?;
        let due = due(day, at, &zone)?.timestamp();
        // Short sleeps: the clock may be set, the machine suspended.
        while now() < due {
            sleep(Duration::from_secs(30)).await;
        }
        job(day).await?;
        last = day;
    }
}
// ANCHOR_END: every_day

use jiff::civil::{date, time};
use tokio::time::{Instant, timeout};

/// A wall clock that starts at `start`, and runs on Tokio's clock.
fn clock(start: Zoned) -> impl Fn() -> Timestamp {
    let (start, began) = (start.timestamp(), Instant::now());
    move || start + began.elapsed()
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), jiff::Error> {
    let zone = TimeZone::get("Europe/Berlin")?;
    let at = time(2, 30, 0, 0);
    for day in
        [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)]
    {
        println!("due: {}", due(day, at, &zone)?);
    }
    // The service was down on the 27th.
    let start =
        date(2026, 3, 28).at(1, 0, 0, 0).to_zoned(zone.clone())?;
    let now = clock(start);
    let report = async |day| {
        println!("{}: report of {day}", now().to_zoned(zone.clone()));
        Ok::<(), jiff::Error>(())
    };
    let last = date(2026, 3, 26);
    let days = every_day(last, at, zone.clone(), &now, report);
    // Two days, so that the output ends.
    _ = timeout(Duration::from_secs(2 * 24 * 60 * 60), days).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use hazards::at_every_poll;

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("a known zone")
    }

    fn moment(day: Date, at: Time) -> Zoned {
        due(day, at, &berlin()).expect("in the calendar")
    }

    /// Runs for `hours`, starting at noon on the day `from`. Every job
    /// takes `takes`. Returns each job's day and start time.
    async fn runs(
        from: Date,
        at: Time,
        hours: u32,
        takes: Duration,
    ) -> Vec<(Date, Zoned)> {
        let now = clock(moment(from, time(12, 0, 0, 0)));
        let runs = RefCell::new(Vec::new());
        let job = async |day| {
            let at = now().to_zoned(berlin());
            runs.borrow_mut().push((day, at));
            sleep(takes).await;
            Ok::<(), jiff::Error>(())
        };
        let days = every_day(from, at, berlin(), &now, job);
        assert!(timeout(HOUR * hours, days).await.is_err());
        runs.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn clock_that_is_changed_for_summer_and_winter() {
        let at = time(2, 30, 0, 0);
        for first in [date(2026, 3, 27), date(2026, 10, 23)] {
            let runs = runs(first, at, 4 * 24, Duration::ZERO).await;
            assert_eq!(runs.len(), 4);
            for (day, ran) in runs {
                assert_eq!(day, ran.date());
                let due = moment(day, at);
                let late = ran.duration_since(&due);
                assert!(late.as_secs() <= 30, "{late:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clock_that_jumps_runs_each_day_once() {
        let day = date(2026, 6, 1);
        for jump in [-3, 3] {
            let real = clock(moment(day, time(12, 0, 0, 0)));
            let off = Cell::new(Duration::ZERO);
            let back = jump < 0;
            let now = || match back {
                true => real() - off.get(),
                false => real() + off.get(),
            };
            let days = RefCell::new(Vec::new());
            let job = async |day: Date| {
                days.borrow_mut().push(day.day());
                off.set(HOUR * 3);
                Ok::<(), jiff::Error>(())
            };
            let at = time(3, 0, 0, 0);
            let running = every_day(day, at, berlin(), now, job);
            _ = timeout(HOUR * 24 * 3, running).await;
            assert_eq!(days.into_inner(), [2, 3, 4]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_job_delays_the_next_and_skips_none() {
        let at = time(3, 0, 0, 0);
        let runs = runs(date(2026, 6, 1), at, 100, HOUR * 30).await;
        let days: Vec<i8> = runs.iter().map(|it| it.0.day()).collect();
        assert_eq!(days, [2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_runs_no_job_twice() {
        at_every_poll(async |cancel| {
            let day = date(2026, 6, 1);
            let now = clock(moment(day, time(2, 59, 0, 0)));
            let days = RefCell::new(Vec::new());
            let job = async |day: Date| {
                days.borrow_mut().push(day.day());
                tokio::task::yield_now().await;
                Ok::<(), jiff::Error>(())
            };
            let last = date(2026, 5, 30);
            let at = time(3, 0, 0, 0);
            let all = every_day(last, at, berlin(), &now, job);
            let all = timeout(Duration::from_secs(90), all);
            _ = cancel.run(all).await;
            let days = days.into_inner();
            assert!([31, 1].starts_with(&days), "{days:?}");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_after_a_restart_it_catches_up() {
        let day = date(2026, 6, 5);
        let now = clock(moment(day, time(12, 0, 0, 0)));
        let mut missed = Vec::new();
        let job = async |day: Date| {
            missed.push(day.day());
            Ok::<(), jiff::Error>(())
        };
        let last = date(2026, 6, 2);
        let at = time(3, 0, 0, 0);
        let days = every_day(last, at, berlin(), &now, job);
        assert!(timeout(HOUR, days).await.is_err());
        assert_eq!(missed, [3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn edges_midnight_and_the_end_of_the_calendar() {
        let at = time(0, 0, 0, 0);
        let runs = runs(date(2026, 12, 31), at, 24, HOUR).await;
        assert_eq!(runs[0].0, date(2027, 1, 1));
        let job = async |_| Ok::<(), jiff::Error>(());
        let ends =
            every_day(Date::MAX, at, berlin(), Timestamp::now, job);
        assert!(ends.await.is_err());
    }

    /// The caller saved the last successful day, and resumes there.
    #[tokio::test(start_paused = true)]
    async fn failure_of_a_job_skips_no_day() {
        let now = clock(moment(date(2026, 6, 5), time(12, 0, 0, 0)));
        let (saved, fails) =
            (Cell::new(date(2026, 6, 1)), Cell::new(true));
        let at = time(3, 0, 0, 0);
        let mut ran = Vec::new();
        for _ in 0..2 {
            let job = async |day: Date| {
                if day.day() == 3 && fails.take() {
                    return Err(jiff::Error::from_args(format_args!(
                        "no report"
                    )));
                }
                ran.push(day.day());
                saved.set(day);
                Ok(())
            };
            let days = every_day(saved.get(), at, berlin(), &now, job);
            let ended = timeout(HOUR, days).await;
            assert_eq!(ended.is_ok(), saved.get().day() == 2);
        }
        assert_eq!(ran, [2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn threads_it_can_be_spawned() {
        let (sender, mut days) = tokio::sync::mpsc::channel(1);
        let day = date(2026, 6, 1);
        let job = async move |day: Date| {
            _ = sender.send(day).await;
            Ok::<(), jiff::Error>(())
        };
        let (at, now) = (time(3, 0, 0, 0), Timestamp::now);
        let task = tokio::spawn(every_day(day, at, berlin(), now, job));
        assert_eq!(days.recv().await, day.tomorrow().ok());
        task.abort();
        assert!(task.await.is_err());
    }
}
