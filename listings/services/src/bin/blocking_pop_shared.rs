//! Wrong: a request that blocks on the server holds up the ones behind
//! it.

use std::{collections::VecDeque, io};

use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream,
        duplex, split,
    },
    sync::{Notify, mpsc, oneshot},
    time::{Duration, Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// How long the server waits for a job.
const WAIT: Duration = Duration::from_secs(30);

/// Sends requests without waiting for the answers before them, which
/// arrive in order (pipelining). Dropping it closes the connection.
struct Connection {
    requests: mpsc::Sender<(String, oneshot::Sender<String>)>,
    _driver: AbortOnDropHandle<io::Result<()>>,
}

impl Connection {
    fn new(socket: DuplexStream) -> Self {
        let (requests, received) = mpsc::channel(16);
        let driver = tokio::spawn(drive(socket, received));
        Self { requests, _driver: AbortOnDropHandle::new(driver) }
    }

    async fn ask(&self, request: &str) -> io::Result<String> {
        let (reply, answer) = oneshot::channel();
        let request = (format!("{request}\n"), reply);
        let sent = self.requests.send(request).await;
        sent.map_err(|_| io::ErrorKind::NotConnected)?;
        let lost = io::ErrorKind::ConnectionAborted;
        answer.await.map_err(|_| lost.into())
    }
}

async fn drive(
    socket: DuplexStream,
    mut requests: mpsc::Receiver<(String, oneshot::Sender<String>)>,
) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let mut lines = BufReader::new(reader).lines();
    let mut waiting = VecDeque::new();
    loop {
        tokio::select! {
            biased;
            line = lines.next_line() => {
                let line = line?.ok_or(io::ErrorKind::UnexpectedEof)?;
                if let Some(reply) = waiting.pop_front() {
                    oneshot::Sender::send(reply, line).ok();
                }
            }
            request = requests.recv() => match request {
                Some((line, reply)) => {
                    waiting.push_back(reply);
                    writer.write_all(line.as_bytes()).await?;
                }
                None => return writer.shutdown().await,
            },
        }
    }
}

/// Answers the requests of one connection in order. A `pop` waits for
/// a job.
async fn serve(socket: DuplexStream, job: &Notify) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let mut lines = BufReader::new(reader).lines();
    while let Some(request) = lines.next_line().await? {
        let answer = if request.starts_with("pop") {
            let wait = timeout(WAIT, job.notified()).await;
            if wait.is_ok() { "a job\n" } else { "no job\n" }
        } else {
            "5 euros\n"
        };
        writer.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

// ANCHOR: wrong
async fn both(shared: &Connection) -> Duration {
    let start = Instant::now();
    // Wrong: until `pop` has its answer, `get` can't have one.
    let (job, (price, after)) =
        tokio::join!(shared.ask("pop invoices 30"), async {
            (shared.ask("get tea").await, start.elapsed())
        },);
    println!("pop: {job:?} after {:?}", start.elapsed());
    println!("get: {price:?} after {after:?}");
    after
}
// ANCHOR_END: wrong

async fn get_beside_a_pop() -> Duration {
    let job = Notify::new();
    let (ours, theirs) = duplex(64);
    let shared = Connection::new(ours);
    tokio::select! {
        biased;
        after = both(&shared) => after,
        _ = serve(theirs, &job) => Duration::MAX,
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    get_beside_a_pop().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_pops_delay_no_other_request() {
        assert_eq!(get_beside_a_pop().await, WAIT); // They do.
    }
}
