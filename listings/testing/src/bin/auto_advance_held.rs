//! Three ways to an answer in time, with and without a paused clock.

use std::{io, sync::mpsc, thread, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

const LIMIT: Duration = Duration::from_secs(5);

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

/// A closure on the blocking pool holds the clock while it runs, here
/// until a thread has answered.
async fn ask_on_the_blocking_pool() -> io::Result<u8> {
    let (answer, answered) = mpsc::channel();
    let bank = thread::spawn(move || answer.send(125).is_ok());
    let waiting = spawn_blocking(move || answered.recv());
    let price = timeout(LIMIT, waiting).await??;
    assert!(bank.join().expect("it does not panic"));
    price.map_err(io::Error::other)
}

/// In real time: the clock runs until it is paused again.
async fn ask_in_real_time() -> io::Result<u8> {
    tokio::time::resume();
    let (answer, answered) = oneshot::channel();
    let bank = thread::spawn(move || answer.send(125).is_ok());
    let price = timeout(LIMIT, answered).await?;
    tokio::time::pause();
    assert!(bank.join().expect("it does not panic"));
    price.map_err(io::Error::other)
}
// ANCHOR_END: ways

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = Instant::now();
    println!("a task:            {}", ask_a_task().await?);
    println!("                   after {:?}", start.elapsed());
    let start = Instant::now();
    let price = ask_on_the_blocking_pool().await?;
    println!("the blocking pool: {price}");
    println!("                   after {:?}", start.elapsed());
    println!("in real time:      {}", ask_in_real_time().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_is_answered() -> io::Result<()> {
        assert_eq!(ask_a_task().await?, 125);
        assert_eq!(ask_on_the_blocking_pool().await?, 125);
        assert_eq!(ask_in_real_time().await?, 125);
        Ok(())
    }
}
