//! Ask only the first stage to stop; the next stage drains and ends.

// ANCHOR: measure
use std::io;
use tokio::{
    sync::mpsc,
    task::JoinError,
    time::{Duration, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Reads a sensor every 100 ms and stores each value. Returns how many
/// were read and stored, or an error if a task panicked or the grace
/// period is over. On an error, or if dropped, it aborts both tasks.
async fn measure(stop: &CancellationToken) -> io::Result<(u32, u32)> {
    let (values, mut queue) = mpsc::channel(16);
    let reading = tokio::spawn(read(values, stop.clone()));
    let reading = AbortOnDropHandle::new(reading);
    let storing = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut stored = 0;
        while let Some(value) = queue.recv().await {
            store(value).await; // Takes 250 ms.
            stored += 1;
        }
        stored
    }));
    // Wait from the start, so that a panic is noticed when it happens.
    let both = async { Ok((reading.await?, storing.await?)) };
    let too_late = async {
        stop.cancelled().await;
        sleep(GRACE).await;
    };
    let both: Result<_, JoinError> = tokio::select! {
        biased;
        both = both => both,
        () = too_late => Err(io::ErrorKind::TimedOut)?,
    };
    // `?` on a `JoinError` would lose the panic's message here.
    both.map_err(io::Error::other)
}

/// Storing a full queue and two more values takes 18 * 250 ms.
const GRACE: Duration = Duration::from_secs(5);
// ANCHOR_END: measure

/// Reads until the stop, or until nothing stores the values anymore.
async fn read(
    values: mpsc::Sender<u32>,
    stop: CancellationToken,
) -> u32 {
    let mut read = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return read,
            () = sleep(Duration::from_millis(100)) => {}
        }
        if values.send(read).await.is_err() {
            return read;
        }
        read += 1;
    }
}

async fn store(_value: u32) {
    #[cfg(test)]
    tests::trouble(_value).await;
    sleep(Duration::from_millis(250)).await;
}

/// Stops it after a second.
async fn measure_for_a_second() -> io::Result<(u32, u32)> {
    let stop = CancellationToken::new();
    let stops = async {
        sleep(Duration::from_secs(1)).await;
        stop.cancel();
    };
    let (measured, ()) = tokio::join!(measure(&stop), stops);
    measured
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let (read, stored) = measure_for_a_second().await?;
    println!("read {read}, stored {stored}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// A value that panics, and one that is never stored.
        static TROUBLE: Cell<(u32, u32)> =
            const { Cell::new((u32::MAX, u32::MAX)) };
    }

    pub async fn trouble(value: u32) {
        let (panics, hangs) = TROUBLE.get();
        if value == panics {
            std::panic::resume_unwind(Box::new("no disk"));
        }
        if value == hangs {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stop_stores_every_value() -> io::Result<()> {
        let (read, stored) = measure_for_a_second().await?;
        assert_eq!(read, stored);
        assert!(read > 0);
        hazards::no_task_left().await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_storing_keeps_the_queue_bounded() -> io::Result<()> {
        let stop = CancellationToken::new();
        let stops = async {
            // The queue is full long before this.
            sleep(Duration::from_secs(60)).await;
            stop.cancel();
        };
        let (measured, ()) = tokio::join!(measure(&stop), stops);
        // A full queue is stored within the grace period.
        let (read, stored) = measured?;
        assert_eq!(read, stored);
        assert!(read < 60 * 4 + 20, "{read}");
        hazards::no_task_left().await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_the_store_is_an_error() {
        for value in [0, 3, 8] {
            TROUBLE.set((value, u32::MAX));
            let error = measure_for_a_second().await.expect_err("it");
            assert!(error.to_string().contains("no disk"), "{error}");
            hazards::no_task_left().await;
        }
    }

    /// Nobody stops it, and a day without a store would be lost.
    #[tokio::test(start_paused = true)]
    async fn panic_of_the_store_is_noticed_without_a_stop() {
        TROUBLE.set((3, u32::MAX));
        let stop = CancellationToken::new();
        let measured = hazards::within(hazards::HOUR, measure(&stop));
        let error = measured.await.expect_err("a panic");
        assert!(error.to_string().contains("no disk"), "{error}");
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_store_ends_with_the_grace_period() {
        TROUBLE.set((u32::MAX, 2));
        let measured = measure_for_a_second();
        let measured = hazards::within(hazards::HOUR, measured).await;
        let error = measured.expect_err("it hangs");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_aborts_both() {
        hazards::at_every_poll(async |cancel| {
            cancel.run(measure_for_a_second()).await;
            hazards::no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_leaves_no_task() {
        let owner = tokio::spawn(measure_for_a_second());
        sleep(Duration::from_millis(300)).await;
        owner.abort();
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn edges_stopped_before_the_first_value() -> io::Result<()> {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(measure(&stop).await?, (0, 0));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_store_every_value() -> io::Result<()> {
        let (read, stored) = measure_for_a_second().await?;
        assert_eq!(read, stored);
        Ok(())
    }
}
