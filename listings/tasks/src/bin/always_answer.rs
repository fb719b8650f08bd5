//! A request is given up; does the one who waits for it learn why?

use std::time::Duration;

use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

// ANCHOR: two_workers
/// The reply is part of what is dropped at the deadline. The client
/// learns that there will be no answer, and not why.
async fn answer_or_drop(reply: oneshot::Sender<Answer>) {
    let work = async {
        let report = write_report().await;
        // A client that has gone needs no answer.
        reply.send(Ok(report)).ok();
    };
    timeout(LIMIT, work).await.ok();
}

/// The reply stays outside, so there is always someone to answer.
async fn always_answer(reply: oneshot::Sender<Answer>) {
    let answer = match timeout(LIMIT, write_report()).await {
        Ok(report) => Ok(report),
        Err(_) => Err(format!("it takes longer than {LIMIT:?}")),
    };
    // A client that has gone needs no answer.
    reply.send(answer).ok();
}
// ANCHOR_END: two_workers

const LIMIT: Duration = Duration::from_secs(2);

type Answer = Result<u32, String>;

async fn write_report() -> u32 {
    sleep(Duration::from_secs(10)).await;
    42
}

/// What a client sees that has asked a worker.
async fn ask<F>(
    worker: impl FnOnce(oneshot::Sender<Answer>) -> F,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let task = tokio::spawn(worker(reply));
    let seen = match answer.await {
        Ok(Ok(lines)) => format!("{lines} lines"),
        Ok(Err(reason)) => reason,
        Err(closed) => closed.to_string(),
    };
    task.await.expect("a worker does not panic");
    seen
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    println!("dropped:  {}", ask(answer_or_drop).await);
    println!("answered: {}", ask(always_answer).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_one_tells_why() {
        assert_eq!(ask(answer_or_drop).await, "channel closed");
        assert_eq!(ask(always_answer).await, "it takes longer than 2s");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_sender_is_noticed_on_many_threads() {
        let (reply, answer) = oneshot::channel::<Answer>();
        tokio::spawn(async move { drop(reply) });
        assert!(answer.await.is_err());
    }
}
