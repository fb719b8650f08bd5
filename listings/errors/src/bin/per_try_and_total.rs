//! Limit each try, and all tries together.

// ANCHOR: ask
use tokio::time::{Duration, Instant, sleep, timeout, timeout_at};

#[derive(Debug, PartialEq)]
enum Failed {
    /// None of this many tries was answered in time.
    Tries(u32),
    /// The time for all tries together is up.
    Total,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks until there is an answer. Each try may take a second. All
/// tries and pauses together may take `total`, but at most a day.
/// The server may have executed a try that it didn't answer in time.
async fn ask(
    server: &Server,
    tries: u32,
    total: Duration,
) -> Result<u32, Failed> {
    let deadline = Instant::now() + total.min(DAY); // No overflow.
    let all = async {
        for number in 1..=tries {
            if number > 1 {
                sleep(Duration::from_millis(500)).await;
            }
            let answer = server.answer(number);
            if let Ok(answer) =
                timeout(Duration::from_secs(1), answer).await
            {
                return Ok(answer);
            }
        }
        Err(Failed::Tries(tries))
    };
    timeout_at(deadline, all).await.unwrap_or(Err(Failed::Total))
}
// ANCHOR_END: ask

/// Answers this try, and none before it.
struct Server {
    answers_at: u32,
}

impl Server {
    async fn answer(&self, number: u32) -> u32 {
        if number < self.answers_at {
            std::future::pending::<()>().await;
        }
        number
    }
}

async fn run(answers_at: u32, total: u64) -> Result<u32, Failed> {
    ask(&Server { answers_at }, 3, Duration::from_secs(total)).await
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    for (answers_at, total) in [(1, 10), (3, 10), (9, 10), (3, 2)] {
        let start = Instant::now();
        let answer = run(answers_at, total).await;
        let took = start.elapsed().as_millis();
        println!(
            "answers at try {answers_at}, {total} s: {answer:?}, {took} ms"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_whichever_limit_comes_first() {
        assert_eq!(run(3, 10).await, Ok(3));
        assert_eq!(run(9, 10).await, Err(Failed::Tries(3)));
        let start = Instant::now();
        assert_eq!(run(3, 2).await, Err(Failed::Total));
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_in_time_are_used() {
        // The third try begins after 3 s, and 3 s is the limit.
        assert_eq!(run(3, 3).await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_try_and_no_time() {
        let none = ask(&Server { answers_at: 1 }, 0, DAY).await;
        assert_eq!(none, Err(Failed::Tries(0)));
        let all_day = ask(&Server { answers_at: 3 }, 3, Duration::MAX);
        assert_eq!(all_day.await, Ok(3));
        // What is ready immediately is returned even then.
        assert_eq!(run(1, 0).await, Ok(1));
        assert_eq!(run(2, 0).await, Err(Failed::Total));
        let server = Server { answers_at: 3 };
        assert_eq!(ask(&server, 3, Duration::MAX).await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(run(3, 10)).await;
            hazards::no_task_left().await;
        })
        .await;
    }
}
