//! Do something every second, in three ways.

use std::time::Duration;

use tokio::time::{Instant, interval, interval_at, sleep};

// ANCHOR: three_ways
const SECOND: Duration = Duration::from_secs(1);

/// The first tick is due immediately.
async fn immediately() {
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

/// Pauses for a second after every call to `work`.
async fn with_rest() {
    for _ in 0..3 {
        work().await;
        sleep(SECOND).await;
    }
}
// ANCHOR_END: three_ways

/// Prints when it starts. Takes as long as a test says, or 300 ms.
async fn work() {
    BEGAN.with(|start| print!(" {:>4}", start.elapsed().as_millis()));
    let millis = TAKES.try_with(|millis| *millis).unwrap_or(300);
    sleep(Duration::from_millis(millis)).await;
}

tokio::task_local! {
    static BEGAN: Instant;
    static TAKES: u64;
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print!("interval     ");
    BEGAN.scope(Instant::now(), immediately()).await;
    print!("\ninterval_at  ");
    BEGAN.scope(Instant::now(), after_a_second()).await;
    print!("\nsleep        ");
    BEGAN.scope(Instant::now(), with_rest()).await;
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(way: u32) -> Duration {
        let start = Instant::now();
        match way {
            0 => BEGAN.scope(start, immediately()).await,
            1 => BEGAN.scope(start, after_a_second()).await,
            _ => BEGAN.scope(start, with_rest()).await,
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn clock_they_end_at_different_times() {
        for (way, millis) in [(0, 2300), (1, 3300), (2, 3900)] {
            assert_eq!(run(way).await, Duration::from_millis(millis));
        }
    }

    /// Work that takes longer than a period: two of them fall behind.
    #[tokio::test(start_paused = true)]
    async fn slow_work_delays_the_beat() {
        for (way, millis) in [(0, 4500), (1, 5500), (2, 7500)] {
            let took = TAKES.scope(1500, run(way)).await;
            assert_eq!(took, Duration::from_millis(millis));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_behind() {
        for way in 0..3 {
            hazards::at_every_poll(async |cancel| {
                cancel.run(run(way)).await;
                hazards::no_task_left().await;
            })
            .await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_work_is_done_on_many_threads() {
        BEGAN.scope(Instant::now(), work()).await;
    }
}
