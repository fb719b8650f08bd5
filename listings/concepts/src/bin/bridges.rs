//! Async code, called from a sync function that async code calls.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::{mpsc, oneshot},
    task,
};

// ANCHOR: three_ways
/// On a thread of the blocking pool, `block_on` is allowed.
async fn in_the_pool() -> u32 {
    let handle = Handle::current();
    let call = task::spawn_blocking(move || handle.block_on(price()));
    call.await.expect("it does not panic")
}

/// On the multi-threaded runtime, in the middle of sync code: the
/// other tasks of this worker move to another one first.
fn in_place() -> u32 {
    task::block_in_place(|| Handle::current().block_on(price()))
}

/// From a thread that knows no runtime: ask a task, and wait.
fn by_message(prices: &mpsc::Sender<oneshot::Sender<u32>>) -> u32 {
    let (reply, answer) = oneshot::channel();
    prices.blocking_send(reply).expect("it answers requests");
    answer.blocking_recv().expect("it answers each request")
}
// ANCHOR_END: three_ways

async fn price() -> u32 {
    task::yield_now().await;
    1250
}

/// A task that answers requests for the price, on a runtime that has
/// a thread for itself, until nobody can ask any more.
fn price_service() -> io::Result<(
    mpsc::Sender<oneshot::Sender<u32>>,
    thread::JoinHandle<()>,
)> {
    let runtime = Builder::new_current_thread().build()?;
    let (sender, mut requests) = mpsc::channel(8);
    let serve = async move {
        while let Some(request) = requests.recv().await {
            let request: oneshot::Sender<u32> = request;
            // Who asked may have gone.
            request.send(price().await).ok();
        }
    };
    let thread = thread::spawn(move || runtime.block_on(serve));
    Ok((sender, thread))
}

fn main() -> io::Result<()> {
    let runtime = Builder::new_multi_thread().build()?;
    println!("in the pool: {}", runtime.block_on(in_the_pool()));
    let place = runtime
        .block_on(async { task::spawn(async { in_place() }).await });
    println!("in place:    {}", place.expect("it does not panic"));

    let (prices, thread) = price_service()?;
    println!("by message:  {}", by_message(&prices));
    drop(prices);
    thread.join().expect("it does not panic");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pool_works_on_one_thread() {
        assert_eq!(in_the_pool().await, 1250);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_place_works_on_many_threads() {
        let call = task::spawn(async { in_place() });
        assert_eq!(call.await.ok(), Some(1250));
    }

    #[tokio::test]
    async fn in_place_panics_on_one_thread() {
        let call = task::spawn(async { in_place() });
        assert!(call.await.is_err_and(|error| error.is_panic()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn in_place_stops_its_own_task() {
        let start = std::time::Instant::now();
        let short = std::time::Duration::from_millis(50);
        let blocks = async {
            task::block_in_place(|| thread::sleep(short));
        };
        let other = async { start.elapsed() };
        let ((), waited) = tokio::join!(biased; blocks, other);
        assert!(waited >= short);
    }

    #[tokio::test]
    async fn a_message_panics_in_a_task() {
        let (prices, _requests) = mpsc::channel(1);
        let call = task::spawn(async move { by_message(&prices) });
        assert!(call.await.is_err_and(|error| error.is_panic()));
    }

    #[test]
    fn a_service_answers_each_request() {
        let (prices, thread) = price_service().expect("a runtime");
        for _ in 0..100 {
            assert_eq!(by_message(&prices), 1250);
        }
        drop(prices);
        thread.join().expect("it does not panic");
    }
}
