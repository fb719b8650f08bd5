//! Accept an async closure and await it in place.

// ANCHOR: retry
use std::io;

use tokio::time::{Duration, sleep};

/// Calls until a call succeeds, at least once and at most `times`
/// times, with a pause after every failure but the last.
async fn retry<T>(
    times: u32,
    mut call: impl AsyncFnMut(u32) -> io::Result<T>,
) -> io::Result<T> {
    let mut attempt = 1;
    loop {
        match call(attempt).await {
            Err(_) if attempt < times => attempt += 1,
            last => return last,
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Fetches a page although the first `failing` replies are errors.
/// Returns the attempts and the page.
async fn fetch(failing: u32) -> io::Result<(Vec<u32>, &'static str)> {
    let mut tries = Vec::new();
    // Every call borrows `tries` across its `.await`.
    let page = retry(3, async |attempt| {
        tries.push(attempt);
        answer(failing, attempt).await
    })
    .await?;
    Ok((tries, page))
}
// ANCHOR_END: retry

async fn answer(
    failing: u32,
    attempt: u32,
) -> io::Result<&'static str> {
    tokio::task::yield_now().await;
    match attempt > failing {
        true => Ok("the page"),
        false => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (tries, page) = fetch(2).await?;
    println!("attempts {tries:?}: {page}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failure_calls_it_again() -> io::Result<()> {
        let start = tokio::time::Instant::now();
        assert_eq!(fetch(2).await?, (vec![1, 2, 3], "the page"));
        // Two pauses, but none after the last call.
        assert_eq!(start.elapsed(), Duration::from_millis(200));
        let last = fetch(3).await.expect_err("three failures");
        assert_eq!(last.kind(), io::ErrorKind::ConnectionRefused);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn edges_no_times_at_all() -> io::Result<()> {
        let mut calls = 0;
        retry(0, async |_| {
            calls += 1;
            Ok(())
        })
        .await?;
        assert_eq!(calls, 1);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_ends_the_calls() {
        hazards::at_every_poll(async |cancel| {
            let mut calls = 0;
            let again = retry(3, async |_| {
                calls += 1;
                tokio::task::yield_now().await;
                Err::<(), _>(io::ErrorKind::ConnectionRefused.into())
            });
            let ended = cancel.run(again).await;
            assert!(ended.is_none() || calls == 3);
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_callback_reaches_the_caller() {
        let task = tokio::spawn(async {
            retry(3, async |_| -> io::Result<()> { panic!("no page") })
                .await
        });
        assert!(task.await.is_err_and(|error| error.is_panic()));
    }
}
