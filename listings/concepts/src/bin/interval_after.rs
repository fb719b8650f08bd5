//! Three ways to do something each second, and when they begin.

use std::time::Duration;

use tokio::time::{Instant, interval, interval_at, sleep};

// ANCHOR: three_ways
const SECOND: Duration = Duration::from_secs(1);

/// The first tick is due at once.
async fn at_once() {
    let mut due = interval(SECOND);
    for _ in 0..3 {
        due.tick().await;
        work().await;
    }
}

/// The first tick is due after a second.
async fn after_a_second() {
    let mut due = interval_at(Instant::now() + SECOND, SECOND);
    for _ in 0..3 {
        due.tick().await;
        work().await;
    }
}

/// A second of rest between the end of one and the next.
async fn with_rest() {
    for _ in 0..3 {
        work().await;
        sleep(SECOND).await;
    }
}
// ANCHOR_END: three_ways

/// Prints when it begins; takes 300 ms.
async fn work() {
    BEGAN.with(|start| print!(" {:>4}", start.elapsed().as_millis()));
    sleep(Duration::from_millis(300)).await;
}

tokio::task_local! {
    static BEGAN: Instant;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("interval     ");
    BEGAN.scope(Instant::now(), at_once()).await;
    print!("\ninterval_at  ");
    BEGAN.scope(Instant::now(), after_a_second()).await;
    print!("\nsleep        ");
    BEGAN.scope(Instant::now(), with_rest()).await;
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn they_end_at_different_times() {
        for (way, millis) in [(0, 2300), (1, 3300), (2, 3900)] {
            let start = Instant::now();
            match way {
                0 => BEGAN.scope(start, at_once()).await,
                1 => BEGAN.scope(start, after_a_second()).await,
                _ => BEGAN.scope(start, with_rest()).await,
            }
            assert_eq!(start.elapsed(), Duration::from_millis(millis));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_work_is_done_on_many_threads() {
        BEGAN.scope(Instant::now(), work()).await;
    }
}
