//! Limit each step of a test, and name the step that hangs.

use std::time::Duration;

use tokio::{sync::oneshot, task::JoinError};

// ANCHOR: in_time
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(5);

/// Waits for one step of a test. Panics after five seconds.
async fn in_time<F: Future>(step: &str, future: F) -> F::Output {
    match timeout(LIMIT, future).await {
        Ok(output) => output,
        Err(_) => panic!("still waiting after {LIMIT:?}: {step}"),
    }
}

/// A test of a kettle that never whistles. In your tests, put
/// `#[tokio::test]` before it.
async fn whistles() {
    let mut kettle = Kettle::new();
    in_time("the kettle is filled", kettle.fill()).await;
    in_time("the kettle whistles", kettle.whistle()).await;
}
// ANCHOR_END: in_time

/// The code under test: nothing ever whistles.
struct Kettle {
    _steam: oneshot::Sender<()>,
    whistle: oneshot::Receiver<()>,
}

impl Kettle {
    fn new() -> Self {
        let (steam, whistle) = oneshot::channel();
        Self { _steam: steam, whistle }
    }

    async fn fill(&mut self) {}

    async fn whistle(&mut self) {
        (&mut self.whistle).await.ok();
    }
}

/// Runs the test as a task, so that its panic doesn't end the program.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let verdict: Result<(), JoinError> = tokio::spawn(whistles()).await;
    match verdict {
        Ok(()) => println!("test whistles ... ok"),
        Err(_) => println!("test whistles ... FAILED"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    #[should_panic(
        expected = "still waiting after 5s: the kettle whistles"
    )]
    async fn silence_fails_the_test_with_the_name_of_the_step() {
        within(HOUR, whistles()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn slow_steps_have_the_whole_limit() {
        let start = Instant::now();
        in_time("almost", sleep(LIMIT - Duration::from_millis(1)))
            .await;
        in_time("almost", sleep(LIMIT - Duration::from_millis(1)))
            .await;
        assert_eq!(start.elapsed(), Duration::from_millis(9998));
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "the step itself")]
    async fn panic_of_the_step_is_kept() {
        in_time("panics", async { panic!("the step itself") }).await
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_drops_the_step() {
        at_every_poll(async |cancel| {
            let step = sleep(Duration::from_secs(1));
            cancel.run(in_time("a second", step)).await;
            within(Duration::from_millis(2), no_task_left()).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_and_edges_a_step_that_is_ready() {
        let answer = tokio::spawn(in_time("is ready", ready(7)));
        assert_eq!(answer.await.ok(), Some(7));
    }
}
