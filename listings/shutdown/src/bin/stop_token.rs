//! Ask several tasks to stop, without cutting off a step.

// ANCHOR: poll_mail
use std::io::{self, Write};
use tokio::time::{
    Duration, MissedTickBehavior, interval, sleep, timeout,
};
use tokio_util::sync::CancellationToken;

/// Fetches mail every second until the token is canceled, and returns
/// the number of fetches. It finishes a fetch that has started, so it
/// may take `LIMIT` to stop. If dropped, it cuts the fetch off.
async fn poll_mail(stop: CancellationToken) -> u32 {
    let mut every = interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fetched = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return fetched,
            _ = every.tick() => {}
        }
        // Outside the `select!`, so a stop doesn't cancel the fetch.
        match timeout(LIMIT, fetch()).await {
            Ok(()) => fetched += 1,
            // `eprintln!` would panic if stderr were closed.
            Err(_elapsed) => {
                _ = writeln!(io::stderr(), "the mail server is silent");
            }
        }
    }
}

/// The time limit of a fetch.
const LIMIT: Duration = Duration::from_secs(5);
// ANCHOR_END: poll_mail

async fn fetch() {
    #[cfg(test)]
    tests::trouble().await;
    sleep(Duration::from_millis(300)).await;
}

// ANCHOR: run
use tokio::{task::JoinError, try_join};

/// Polls two mailboxes, and stops both after 1,100 ms, during a fetch.
/// If one task panics, this returns the error, and asks the other task
/// to stop.
async fn run() -> Result<[u32; 2], JoinError> {
    let stop = CancellationToken::new();
    // After a panic, or if this future is dropped, the tasks stop, too.
    let _guard = stop.clone().drop_guard();
    let first = tokio::spawn(poll_mail(stop.clone()));
    let second = tokio::spawn(poll_mail(stop.clone()));
    let time_is_up = async {
        sleep(Duration::from_millis(1100)).await;
        stop.cancel();
        Ok(())
    };
    // Wait from the start, so that a panic is noticed when it happens.
    let (first, second, ()) = try_join!(first, second, time_is_up)?;
    Ok([first, second])
}
// ANCHOR_END: run

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), JoinError> {
    println!("complete fetches: {:?}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    #[derive(Clone, Copy)]
    enum Trouble {
        None,
        Panics,
        Silent,
    }

    thread_local! {
        static TROUBLE: Cell<Trouble> =
            const { Cell::new(Trouble::None) };
    }

    pub async fn trouble() {
        match TROUBLE.get() {
            Trouble::None => {}
            Trouble::Panics => {
                std::panic::resume_unwind(Box::new("bad mail"))
            }
            Trouble::Silent => std::future::pending().await,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_finishes_a_fetch() -> Result<(), JoinError> {
        let start = Instant::now();
        assert_eq!(run().await?, [2, 2]);
        assert_eq!(start.elapsed(), Duration::from_millis(1300));
        hazards::no_task_left().await;
        Ok(())
    }

    /// At each moment, every fetch that has started finishes.
    #[tokio::test(start_paused = true)]
    async fn stop_at_any_moment_counts_whole_fetches() {
        for millis in 0..2500 {
            let stop = CancellationToken::new();
            let mailbox = tokio::spawn(poll_mail(stop.clone()));
            sleep(Duration::from_millis(millis)).await;
            stop.cancel();
            let told = Instant::now();
            let fetched = mailbox.await.expect("no panic");
            assert!(told.elapsed() <= Duration::from_millis(300));
            let begun = millis / 1000 + 1;
            let ended = fetched as u64;
            assert!(ended == begun || ended + 1 == begun, "{millis}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_stopped_before_it_starts() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(poll_mail(stop).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_holds_the_stop_for_the_limit_only() {
        TROUBLE.set(Trouble::Silent);
        let start = Instant::now();
        let fetched = hazards::within(hazards::HOUR, run()).await;
        assert_eq!(fetched.expect("no panic"), [0, 0]);
        assert_eq!(start.elapsed(), LIMIT);
    }

    /// Runs the test above in a process whose stderr is closed.
    #[test]
    fn failure_of_stderr_does_not_end_the_polling() {
        let test = "silence_holds_the_stop_for_the_limit_only";
        hazards::succeeds_without_stderr(module_path!(), test);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_an_error_and_stops_the_other() {
        TROUBLE.set(Trouble::Panics);
        let start = Instant::now();
        let error = run().await.expect_err("it panics");
        assert!(error.to_string().contains("bad mail"), "{error}");
        // It doesn't wait for the stop.
        assert!(start.elapsed() <= Duration::from_millis(2));
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_stops_both() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(run()).await;
            // They finish the fetch in progress.
            let fetch = Duration::from_millis(300);
            hazards::no_task_left_after(fetch).await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let owner = tokio::spawn(run());
        sleep(Duration::from_millis(500)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    /// A fetch that takes longer than a second delays the next one.
    #[tokio::test(start_paused = true)]
    async fn clock_a_late_tick_is_not_made_up_for() {
        TROUBLE.set(Trouble::Silent);
        let stop = CancellationToken::new();
        let mailbox = tokio::spawn(poll_mail(stop.clone()));
        // Two fetches of five seconds, and then the next in a second.
        sleep(Duration::from_millis(10_100)).await;
        TROUBLE.set(Trouble::None);
        sleep(Duration::from_secs(3)).await;
        stop.cancel();
        assert!(mailbox.await.expect("no panic") <= 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_finish_a_fetch() {
        assert_eq!(run().await.expect("no panic"), [2, 2]);
    }
}
