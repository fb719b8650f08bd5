//! Get an answer in time although the clock is paused.

use std::{io, sync::mpsc, thread, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

const LIMIT: Duration = Duration::from_secs(1);

// ANCHOR: ways
/// In memory: the peer is a task, which waits by the same clock.
async fn ask_a_task() -> io::Result<u8> {
    let (mut here, mut there) = duplex(64);
    let bank = async {
        there.read_exact(&mut [0; 5]).await?;
        sleep(Duration::from_millis(30)).await;
        there.write_all(&[125]).await
    };
    let ask = async {
        here.write_all(b"price").await?;
        timeout(LIMIT, here.read_u8()).await?
    };
    let (price, ()) = tokio::try_join!(ask, bank)?;
    Ok(price)
}

/// While a closure runs on the blocking pool, the clock doesn't jump.
/// This closure runs until a thread has answered, even if this future
/// is dropped. Its time limit is in real time because no `timeout`
/// fires in the meantime.
async fn ask_on_the_blocking_pool<B>(bank: B) -> io::Result<u8>
where
    B: FnOnce(mpsc::Sender<u8>) -> bool + Send + 'static,
{
    let (answer, answered) = mpsc::channel();
    thread::spawn(move || bank(answer));
    let waiting = spawn_blocking(move || answered.recv_timeout(LIMIT));
    waiting.await?.map_err(io::Error::other)
}
// ANCHOR_END: ways

// ANCHOR: real
/// In real time: the clock runs until the value is dropped. Neither an
/// error nor a cancellation leaves it running. Panics if the clock
/// isn't paused at the start.
struct RealTime;

impl RealTime {
    fn start() -> Self {
        tokio::time::resume();
        Self
    }
}

impl Drop for RealTime {
    fn drop(&mut self) {
        tokio::time::pause();
    }
}

async fn ask_in_real_time<B>(bank: B) -> io::Result<u8>
where
    B: FnOnce(oneshot::Sender<u8>) -> bool + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    thread::spawn(move || bank(answer));
    let _real_time = RealTime::start();
    timeout(LIMIT, answered).await?.map_err(io::Error::other)
}
// ANCHOR_END: real

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = Instant::now();
    println!("a task:            {}", ask_a_task().await?);
    println!("                   after {:?}", start.elapsed());
    let start = Instant::now();
    let bank = |answer: mpsc::Sender<_>| answer.send(125).is_ok();
    let price = ask_on_the_blocking_pool(bank).await?;
    println!("the blocking pool: {price}");
    println!("                   after {:?}", start.elapsed());
    let bank = |answer: oneshot::Sender<_>| answer.send(125).is_ok();
    println!("in real time:      {}", ask_in_real_time(bank).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_paused() -> bool {
        let start = std::time::Instant::now();
        sleep(Duration::from_secs(60)).await;
        start.elapsed() < Duration::from_secs(30)
    }

    #[tokio::test(start_paused = true)]
    async fn slow_peers_outside_of_the_runtime() -> io::Result<()> {
        assert_eq!(ask_a_task().await?, 125);
        let bank = |answer: mpsc::Sender<_>| answer.send(125).is_ok();
        assert_eq!(ask_on_the_blocking_pool(bank).await?, 125);
        let bank =
            |answer: oneshot::Sender<_>| answer.send(125).is_ok();
        assert_eq!(ask_in_real_time(bank).await?, 125);
        assert!(is_paused().await);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_thread_ends_after_the_limit() {
        let (hold, held) = mpsc::channel::<()>();
        let silent = move |answer: mpsc::Sender<u8>| {
            let _end = held.recv();
            answer.send(125).is_ok()
        };
        let price = ask_on_the_blocking_pool(silent).await;
        assert!(price.is_err());
        drop(hold);
        let (hold, held) = mpsc::channel::<()>();
        let silent = move |answer: oneshot::Sender<u8>| {
            let _end = held.recv();
            answer.send(125).is_ok()
        };
        assert!(ask_in_real_time(silent).await.is_err());
        drop(hold);
        assert!(is_paused().await);
    }

    #[tokio::test(start_paused = true)]
    async fn panic_of_a_thread_is_an_error() {
        let bank = |_: mpsc::Sender<u8>| panic!("no price");
        assert!(ask_on_the_blocking_pool(bank).await.is_err());
        let bank = |_: oneshot::Sender<u8>| panic!("no price");
        assert!(ask_in_real_time(bank).await.is_err());
        assert!(is_paused().await);
    }

    #[test]
    fn stop_of_the_runtime_drops_a_wait_without_a_panic() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let (hold, held) = mpsc::channel::<()>();
        let silent = move |answer: oneshot::Sender<u8>| {
            let _end = held.recv();
            answer.send(125).is_ok()
        };
        let waiting = runtime.spawn(ask_in_real_time(silent));
        runtime.block_on(tokio::task::yield_now());
        drop(runtime);
        drop(hold);
        let joined = tokio_test::task::spawn(waiting).poll();
        let std::task::Poll::Ready(Err(error)) = joined else {
            panic!("{joined:?}");
        };
        assert!(error.is_cancelled(), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_a_closure_that_holds_the_clock() {
        let real = std::time::Instant::now();
        let (hold, held) = mpsc::channel::<()>();
        let silent = move |answer: mpsc::Sender<u8>| {
            let _end = held.recv();
            answer.send(125).is_ok()
        };
        let mut asked = Box::pin(ask_on_the_blocking_pool(silent));
        assert!(futures::poll!(&mut asked).is_pending());
        drop(asked);
        sleep(Duration::from_millis(1)).await;
        assert!(real.elapsed() >= LIMIT);
        drop(hold);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_the_clock_paused() {
        hazards::at_every_poll(async |cancel| {
            let bank =
                |answer: oneshot::Sender<_>| answer.send(125).is_ok();
            cancel.run(ask_in_real_time(bank)).await;
            assert!(is_paused().await);
        })
        .await;
    }
}
