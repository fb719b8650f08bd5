//! Wrong: the set is empty, and the loop spins.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinSet, time::sleep};

// ANCHOR: wrong
/// Wrong: `join_next` of an empty set is ready immediately, with
/// `None`. Until a job arrives, this loop polls it again and again,
/// and uses a whole core for that.
async fn work(mut jobs: mpsc::Receiver<u32>) -> (u32, u32) {
    let mut tasks = JoinSet::new();
    let (mut done, mut turns) = (0, 0);
    loop {
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => { tasks.spawn(run(job)); }
                None => break,
            },
            joined = tasks.join_next() => {
                done += u32::from(joined.is_some());
            }
        }
        turns += 1;
        give_up_after(turns);
    }
    done += tasks.join_all().await.len() as u32;
    (done, turns)
}
// ANCHOR_END: wrong

/// So that this program ends: the clock is paused while it spins.
fn give_up_after(turns: u32) {
    assert!(turns < 10_000, "{turns} turns, and no job has come");
}

async fn run(job: u32) -> u32 {
    sleep(Duration::from_millis(10)).await;
    job
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
        Ok((done, turns)) => println!("{done} jobs, {turns} turns"),
        Err(error) => println!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn edges_an_empty_set_takes_no_turns() {
        let joined = tokio::spawn(work(jobs())).await;
        // The mistake: it spins until a job arrives.
        let error = joined.expect_err("it spins").to_string();
        assert!(error.contains("10000 turns"), "{error}");
    }

    #[tokio::test]
    async fn the_loop_never_yields() {
        let spins = tokio::spawn(work(jobs()));
        let loop_has_ended = spins.abort_handle();
        // This task is next in the queue, but the loop panics first.
        let other = async move { loop_has_ended.is_finished() };
        assert!(tokio::spawn(other).await.expect("it doesn't panic"));
        assert!(spins.await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_empty_set_is_ready_on_many_threads() {
        let mut tasks = JoinSet::<u32>::new();
        for _ in 0..1000 {
            assert!(tasks.join_next().await.is_none());
        }
    }
}
