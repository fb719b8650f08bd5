//! Each test starts its own client in its own runtime.

use std::{error::Error, io};

use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
    task::JoinSet,
};

type Ask = oneshot::Sender<u32>;

// ANCHOR: owned
/// A client with a task. The set aborts the task when the client is
/// dropped.
struct Prices {
    ask: mpsc::Sender<Ask>,
    _task: JoinSet<()>,
}

impl Prices {
    fn start() -> Self {
        let (ask, asks) = mpsc::channel(8);
        let mut task = JoinSet::new();
        task.spawn(answer(asks));
        Self { ask, _task: task }
    }

    async fn of_tea(
        &self,
    ) -> Result<u32, Box<dyn Error + Send + Sync>> {
        let (answer, price) = oneshot::channel();
        self.ask.send(answer).await?;
        Ok(price.await?)
    }
}
// ANCHOR_END: owned

async fn answer(mut asks: mpsc::Receiver<Ask>) {
    while let Some(answer) = asks.recv().await {
        // If the caller was dropped, the price isn't needed.
        let _canceled = answer.send(1250);
    }
}

/// Runs a test as `#[tokio::test]` does: in a runtime of its own.
fn verdict() -> io::Result<String> {
    let runtime = Builder::new_current_thread().build()?;
    Ok(
        match runtime.block_on(async { Prices::start().of_tea().await })
        {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("FAILED: {error}"),
        },
    )
}

fn main() -> io::Result<()> {
    println!("the first test:  {}", verdict()?);
    println!("the second test: {}", verdict()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn again_in_the_runtime_of_a_second_test() {
        assert_eq!(verdict().expect("a runtime"), "ok");
        assert_eq!(verdict().expect("a runtime"), "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_a_client_that_answers() {
        let prices = Prices::start();
        hazards::at_every_poll(async |cancel| {
            cancel.run(prices.of_tea()).await;
            assert_eq!(prices.of_tea().await.ok(), Some(1250));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_its_task_is_gone_too() {
        drop(Prices::start());
        hazards::no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn overload_more_callers_than_places_are_all_answered() {
        let prices = Prices::start();
        let all = (0..50).map(|_| prices.of_tea());
        let all = futures::future::join_all(all);
        let answers = hazards::within(hazards::HOUR, all).await;
        assert!(answers.into_iter().all(|price| price.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_its_task_is_an_error() {
        let mut prices = Prices::start();
        prices._task.shutdown().await;
        let error = prices.of_tea().await.expect_err("it was aborted");
        assert_eq!(error.to_string(), "channel closed");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_share_one_client() {
        let prices = std::sync::Arc::new(Prices::start());
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let prices = std::sync::Arc::clone(&prices);
            callers.spawn(async move { prices.of_tea().await.ok() });
        }
        let answers = callers.join_all().await;
        assert!(answers.iter().all(|price| *price == Some(1250)));
    }
}
