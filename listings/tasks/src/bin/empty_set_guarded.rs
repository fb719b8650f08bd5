//! An empty set doesn't wake the loop, and every outcome is handled.

use std::time::Duration;

use tokio::time::sleep;

// ANCHOR: work
use std::collections::HashMap;

use tokio::{sync::mpsc, task::JoinSet, time::timeout};

/// Runs each job in a task, at most `LIMIT` at a time, until the queue
/// is closed and all jobs have ended. A job that panics or hangs
/// doesn't affect the others.
///
/// Dropping this future aborts the jobs that are running.
async fn work(mut jobs: mpsc::Receiver<u32>) -> Report {
    let mut tasks = JoinSet::new();
    let mut numbers = HashMap::new();
    let mut report = Report::default();
    loop {
        tokio::select! {
            Some(job) = jobs.recv(), if tasks.len() < LIMIT => {
                let work = timeout(PATIENCE, run(job));
                numbers.insert(tasks.spawn(work).id(), job);
            }
            // `None` while the set is empty disables this branch.
            Some(joined) = tasks.join_next_with_id() => {
                let (id, outcome) = match joined {
                    Ok((id, Ok(()))) => (id, Ok(())),
                    Ok((id, Err(late))) => (id, Err(late.to_string())),
                    Err(error) => (error.id(), Err(error.to_string())),
                };
                report.note(numbers.remove(&id), outcome);
            }
            // The queue is closed, and no job is running.
            else => return report,
        }
        report.turns += 1;
    }
}
// ANCHOR_END: work

const LIMIT: usize = 8;

/// How each job ended. A service would log each result instead: these
/// lists grow with every job.
#[derive(Debug, Default)]
struct Report {
    done: Vec<u32>,
    failed: Vec<(u32, String)>,
    turns: u32,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Report {
    fn note(&mut self, job: Option<u32>, outcome: Result<(), String>) {
        let job = job.expect("every task was entered");
        match outcome {
            Ok(()) => self.done.push(job),
            Err(why) => self.failed.push((job, why)),
        }
    }
}

async fn run(job: u32) {
    let millis = if job == 99 { u64::MAX >> 20 } else { 10 };
    sleep(Duration::from_millis(millis)).await;
    assert_ne!(job, 13, "job {job} is damaged");
}

/// A job after a second, and another a second later.
fn jobs() -> mpsc::Receiver<u32> {
    let (sender, jobs) = mpsc::channel(8);
    tokio::spawn(async move {
        for job in 1..=2 {
            sleep(Duration::from_secs(1)).await;
            // No more jobs are accepted: the receiver is dropped.
            if sender.send(job).await.is_err() {
                return;
            }
        }
    });
    jobs
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    match tokio::spawn(work(jobs())).await {
        Ok(report) => println!(
            "{} jobs, {} turns",
            report.done.len(),
            report.turns
        ),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use hazards::{
        HOUR, at_every_poll, no_task_left, some_panic, within,
    };
    use tokio::time::Instant;

    use super::*;

    /// Aborted tasks end in the next round of the scheduler.
    const MOMENT: Duration = Duration::from_millis(2);

    /// A closed queue of so many jobs.
    fn queue(numbers: Vec<u32>) -> mpsc::Receiver<u32> {
        let (sender, jobs) = mpsc::channel(numbers.len().max(1));
        for number in numbers {
            sender.try_send(number).expect("there is room");
        }
        jobs
    }

    #[tokio::test(start_paused = true)]
    async fn edges_an_empty_set_takes_no_turns() {
        assert_eq!(work(jobs()).await.turns, 4);
        let report = within(HOUR, work(queue(Vec::new()))).await;
        assert_eq!((report.done.len(), report.turns), (0, 0));
        assert_eq!(work(queue(vec![7, 7])).await.done, [7, 7]);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_with_its_job() {
        for panics in some_panic(20) {
            let numbers = (0..20).map(|it| {
                if panics.contains(&it) { 13 } else { 100 + it as u32 }
            });
            let report =
                within(HOUR, work(queue(numbers.collect()))).await;
            assert_eq!(report.done.len(), 20 - panics.len());
            assert_eq!(report.failed.len(), panics.len());
            for (job, error) in report.failed {
                assert_eq!(job, 13);
                assert!(error.contains("13 is damaged"), "{error}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_eight_run_and_the_others_are_queued() {
        let start = Instant::now();
        let report = work(queue((100..117).collect())).await;
        assert_eq!(report.done.len(), 17);
        assert_eq!(start.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_ten_thousand_jobs_does_them_all() {
        let report = work(queue((100..10_100).collect())).await;
        assert_eq!((report.done.len(), report.turns), (10_000, 20_000));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_job_running() {
        at_every_poll(async |cancel| {
            cancel.run(work(queue(vec![1, 2, 3]))).await;
            within(MOMENT, no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_every_place_holds_nobody_for_long() {
        let mut numbers = vec![99; 9];
        numbers.push(1);
        let report = within(HOUR, work(queue(numbers))).await;
        assert_eq!(report.done, [1]);
        assert_eq!(report.failed.len(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_queue_holds_no_result_back() {
        let (sender, jobs) = mpsc::channel(8);
        let worker = tokio::spawn(work(jobs));
        sender.send(1).await.expect("it is taken");
        sleep(HOUR).await;
        drop(sender);
        let report = within(HOUR, worker).await.expect("no panic");
        assert_eq!((report.done, report.turns), (vec![1], 2));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_by_closing_the_queue_finishes_what_was_accepted() {
        let (sender, jobs) = mpsc::channel(8);
        let worked = tokio::spawn(work(jobs));
        for job in 100..120 {
            sender.send(job).await.expect("it is taken");
        }
        drop(sender);
        let report = within(HOUR, worked).await.expect("no panic");
        assert_eq!(report.done.len(), 20);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_all_jobs_are_done() {
        let (sender, jobs) = mpsc::channel(8);
        let worked = tokio::spawn(work(jobs));
        for job in 100..150 {
            sender.send(job).await.expect("it is taken");
        }
        drop(sender);
        let mut done = worked.await.expect("no panic").done;
        done.sort();
        assert!(done.into_iter().eq(100..150));
    }
}
