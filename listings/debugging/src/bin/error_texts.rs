//! What Tokio's error messages look like.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, broadcast, mpsc, oneshot, watch},
    time::timeout,
};

// ANCHOR: texts
/// Prints what an error says in a log, and in an `unwrap`.
fn print<T, E>(from: &str, result: Result<T, E>)
where
    E: std::fmt::Display + std::fmt::Debug,
{
    if let Err(error) = result {
        println!("{from}: {error}    ({error:?})");
    }
}

async fn print_all() {
    let forever = std::future::pending::<()>();
    print("timeout", timeout(Duration::ZERO, forever).await);
    let (sender, mut receiver) = mpsc::channel(1);
    print("try_recv", receiver.try_recv());
    drop(receiver);
    print("send", sender.send(17).await);
    let (sender, _receiver) = mpsc::channel(1);
    print("try_send", sender.try_send(1).and(sender.try_send(2)));
    let (_, answer) = oneshot::channel::<u32>();
    print("oneshot", answer.await);
    let (_, mut changes) = watch::channel(0);
    print("watch", changes.changed().await);
    let (events, mut slow) = broadcast::channel(1);
    print("broadcast", events.send(1).and(events.send(2)).map(drop));
    print("broadcast", slow.recv().await);
    let places = Semaphore::new(0);
    print("try_acquire", places.try_acquire());
    places.close();
    print("acquire", places.acquire().await);
    let task = tokio::spawn(std::future::pending::<()>());
    task.abort();
    if let Err(error) = task.await {
        println!("abort: {error}");
    }
}
// ANCHOR_END: texts

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    print_all().await;
    std::panic::set_hook(Box::new(|_| ()));
    if let Err(error) = tokio::spawn(await_twice()).await {
        println!("awaited twice: {error}");
    }
}

/// Panics: after it was ready, a receiver must not be polled again.
async fn await_twice() {
    let (sender, mut answer) = oneshot::channel();
    drop::<oneshot::Sender<u32>>(sender);
    let _first = (&mut answer).await;
    let _second = (&mut answer).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "called after complete")]
    async fn a_receiver_that_is_polled_after_it_was_ready_panics() {
        await_twice().await;
    }
}
