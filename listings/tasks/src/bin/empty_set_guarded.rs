//! The branch is switched off while the set is empty.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinSet, time::sleep};

// ANCHOR: work
/// Runs each job in a task, and counts those that are done.
async fn work(mut jobs: mpsc::Receiver<u32>) -> (u32, u32) {
    let mut tasks = JoinSet::new();
    let (mut done, mut turns) = (0, 0);
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => { tasks.spawn(run(job)); }
                None => break,
            },
            joined = tasks.join_next(), if !tasks.is_empty() => {
                done += u32::from(joined.is_some());
            }
        }
        turns += 1;
        give_up_after(turns);
    }
    done += tasks.join_all().await.len() as u32;
    (done, turns)
}
// ANCHOR_END: work

/// So that this program ends: the clock cannot go on while it spins.
fn give_up_after(turns: u32) {
    assert!(turns < 10_000, "{turns} turns, and no job has come");
}

async fn run(job: u32) -> u32 {
    sleep(Duration::from_millis(10)).await;
    job
}

/// A job after a second, and another one after that.
fn jobs() -> mpsc::Receiver<u32> {
    let (sender, jobs) = mpsc::channel(8);
    tokio::spawn(async move {
        for job in 1..=2 {
            sleep(Duration::from_secs(1)).await;
            // Who does not work any more drops the receiver.
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
        Ok((done, turns)) => println!("{done} jobs, {turns} turns"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_for_each_event() {
        assert_eq!(work(jobs()).await, (2, 3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn all_jobs_are_done_on_many_threads() {
        let (sender, jobs) = mpsc::channel(8);
        let worked = tokio::spawn(work(jobs));
        for job in 0..50 {
            sender.send(job).await.expect("it is taken");
        }
        drop(sender);
        assert_eq!(worked.await.expect("it does not panic").0, 50);
    }
}
