//! When a guard is dropped, for the usual ways to lock.

use std::collections::VecDeque;

use tokio::sync::Mutex;

type Jobs = Mutex<VecDeque<u32>>;

// ANCHOR: ends
async fn look(jobs: &Jobs) -> [&'static str; 6] {
    // In an argument: at the semicolon, which is after the call.
    let argument = call(jobs, jobs.lock().await.len());

    // In a `let`: at the semicolon.
    let length = jobs.lock().await.len();
    let after_let = call(jobs, length);

    // In a variable: at the end of the block, or with `drop`.
    let guard = jobs.lock().await;
    let variable = call(jobs, guard.len());
    drop(guard);
    let dropped = call(jobs, length);

    // In a chain of calls: at the end of the whole statement.
    let chain =
        jobs.lock().await.front().map_or("free", |_| call(jobs, 0));

    // In the head of a loop: at the end of each iteration.
    let mut head = "";
    while let Some(job) = jobs.lock().await.pop_front() {
        head = call(jobs, job as usize);
    }
    [argument, after_let, variable, dropped, chain, head]
}

/// Whether the lock is free when this is called.
fn call(jobs: &Jobs, _length: usize) -> &'static str {
    if jobs.try_lock().is_ok() { "free" } else { "held" }
}
// ANCHOR_END: ends

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let names = [
        "an argument",
        "after a `let`",
        "a variable",
        "after `drop`",
        "a chain of calls",
        "the head of `while let`",
    ];
    let jobs = Mutex::new(VecDeque::from([7, 8]));
    for (name, state) in names.into_iter().zip(look(&jobs).await) {
        println!("{state} in the call: {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_as_the_comments_say() {
        let jobs = Mutex::new(VecDeque::from([7, 8]));
        let [held, free] = ["held", "free"];
        assert_eq!(
            look(&jobs).await,
            [held, free, held, free, held, held]
        );
    }
}
