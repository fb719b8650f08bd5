//! Wrong: a paused clock doesn't wait for peers outside the runtime.

use std::{
    io::{self, Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::{Instant, timeout},
};

const LIMIT: Duration = Duration::from_secs(5);

// ANCHOR: wrong
/// Wrong: the answer comes from another thread. In the runtime, all
/// tasks are waiting, so the clock jumps to the timer.
async fn ask_a_thread() -> Answer {
    let (answer, answered) = oneshot::channel();
    let bank = Bank::on_a_thread(move |request| {
        if request == "price" {
            // The caller may have given up by now.
            let _ = answer.send(1250);
        }
        Ok(())
    });
    let start = Instant::now();
    let outcome = timeout(LIMIT, answered).await;
    Ok((outcome.is_ok(), start.elapsed(), bank.end()?))
}

/// Wrong: the answer comes over a socket. While a task reads from it,
/// the clock considers the task idle.
async fn ask_a_server() -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut server = TcpStream::connect(listener.local_addr()?).await?;
    let bank = Bank::on_a_thread(move |_| {
        let (mut client, _) = listener.accept()?;
        client.read_exact(&mut [0; 5])?;
        client.write_all(&[125])
    });
    server.write_all(b"price").await?;
    let start = Instant::now();
    let outcome = timeout(LIMIT, server.read_u8()).await;
    Ok((outcome.is_ok(), start.elapsed(), bank.end()?))
}
// ANCHOR_END: wrong

/// Whether there was an answer, how long the wait was by Tokio's clock,
/// and whether the bank would have answered a moment later.
type Answer = io::Result<(bool, Duration, bool)>;

/// Answers as soon as it's given a moment, so every run is the same.
struct Bank {
    moment: mpsc::Sender<&'static str>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Bank {
    fn on_a_thread(
        answer: impl FnOnce(&str) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (moment, given) = mpsc::channel();
        let thread = thread::spawn(move || match given.recv() {
            Ok(request) => answer(request),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        });
        Self { moment, thread }
    }

    fn end(self) -> io::Result<bool> {
        let gave = self.moment.send("price");
        let ended = self.thread.join().expect("no panic");
        Ok(gave.is_ok() && ended.is_ok())
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> io::Result<()> {
    let start = std::time::Instant::now();
    for (peer, answer) in [
        ("a thread", ask_a_thread().await?),
        ("a server", ask_a_server().await?),
    ] {
        let (in_time, waited, answers) = answer;
        println!("{peer}: in time: {in_time}, waited {waited:?},");
        println!("          would have answered: {answers}");
    }
    println!("it took a second: {}", start.elapsed().as_secs() >= 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_peers_outside_of_the_runtime() {
        for answer in [ask_a_thread().await, ask_a_server().await] {
            let (in_time, waited, answers) = answer.expect("it runs");
            assert!(!in_time && answers);
            assert!(waited >= LIMIT);
        }
    }
}
