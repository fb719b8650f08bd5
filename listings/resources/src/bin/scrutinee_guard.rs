//! Wrong: a guard created in the head of a `match` or `if let`.

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::Mutex, time::timeout};

type Jobs = Mutex<VecDeque<u32>>;

// ANCHOR: wrong
/// Wrong: the guard lives to the end of the `match`.
async fn in_match(jobs: &Jobs) {
    match jobs.lock().await.pop_front() {
        Some(job) => retry_later(jobs, job).await,
        None => retry_later(jobs, 0).await,
    }
}

/// Wrong: the guard lives to the end of the first block.
async fn in_if_let(jobs: &Jobs) {
    if let Some(job) = jobs.lock().await.pop_front() {
        retry_later(jobs, job).await;
    }
}

/// Since edition 2024, the guard is dropped before `else`.
async fn in_else(jobs: &Jobs) {
    if let Some(9) = jobs.lock().await.front() {
    } else {
        retry_later(jobs, 0).await;
    }
}

/// Right: the guard is dropped at the end of the `let` statement.
async fn in_let(jobs: &Jobs) {
    let job = jobs.lock().await.pop_front();
    if let Some(job) = job {
        retry_later(jobs, job).await;
    }
}

async fn retry_later(jobs: &Jobs, job: u32) {
    jobs.lock().await.push_back(job);
}
// ANCHOR_END: wrong

/// Whether it ended. A thousand seconds are long enough.
async fn ends(step: impl AsyncFnOnce(&Jobs)) -> bool {
    let jobs = Mutex::new(VecDeque::from([7]));
    let limit = Duration::from_secs(1000);
    timeout(limit, step(&jobs)).await.is_ok()
}

async fn outcomes() -> [(&'static str, bool); 4] {
    [
        ("match: ", ends(async |jobs| in_match(jobs).await).await),
        ("if let:", ends(async |jobs| in_if_let(jobs).await).await),
        ("else:  ", ends(async |jobs| in_else(jobs).await).await),
        ("let:   ", ends(async |jobs| in_let(jobs).await).await),
    ]
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (way, ends) in outcomes().await {
        let outcome = if ends { "done" } else { "deadlock" };
        println!("{way} {outcome}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn again_the_same_lock() {
        let ends = outcomes().await.map(|(_, ends)| ends);
        assert_eq!(ends, [false, false, true, true]);
    }
}
