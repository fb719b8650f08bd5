//! Give requests that block on the server a connection of their own.

use std::io;

use bytes::BytesMut;
use futures::StreamExt;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream,
        duplex, split,
    },
    sync::{Notify, mpsc, oneshot},
    time::{Duration, Instant, timeout},
};
use tokio_util::{
    codec::{Decoder, FramedRead, LinesCodec, LinesCodecError},
    task::AbortOnDropHandle,
};

// ANCHOR: apart
/// How long the server waits for a job, and how much longer we do.
const WAIT: Duration = Duration::from_secs(30);
const MARGIN: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(5);

/// All requests that are answered immediately share this connection.
struct Cache(Connection);

impl Cache {
    /// After an error, use another connection.
    async fn get(&self, key: &str) -> io::Result<String> {
        timeout(LIMIT, self.0.ask(&format!("get {key}"))).await?
    }
}

/// Each worker has a connection of its own, because its requests wait,
/// as Redis's BLPOP and XREAD BLOCK do.
struct Jobs(Connection);

impl Jobs {
    /// Returns a job. After an error, or if this future is dropped, use
    /// another connection. A job that was on its way is lost.
    async fn pop(&mut self, queue: &str) -> io::Result<Option<String>> {
        let seconds = WAIT.as_secs();
        let request = format!("pop {queue} {seconds}");
        let asking = self.0.ask(&request);
        let answer = timeout(WAIT + MARGIN, asking).await??;
        Ok(if answer == "no job" { None } else { Some(answer) })
    }
}
// ANCHOR_END: apart

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
        if request.contains(['\r', '\n']) {
            // Two lines are two requests, and get one answer too many.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (reply, answer) = oneshot::channel();
        let request = (format!("{request}\n"), reply);
        let sent = self.requests.send(request).await;
        sent.map_err(|_| io::ErrorKind::NotConnected)?;
        let lost = io::ErrorKind::ConnectionAborted;
        answer.await.map_err(|_| lost.into())
    }
}

// ANCHOR: pipelined
async fn drive(
    socket: DuplexStream,
    mut requests: mpsc::Receiver<(String, oneshot::Sender<String>)>,
) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let codec = WholeLines(LinesCodec::new_with_max_length(LONGEST));
    let mut lines = FramedRead::new(reader, codec);
    // The replies that are due, in order. If it's full, requests wait.
    let (asked, mut waiting) = mpsc::channel(16);
    let write = async {
        while let Some((line, reply)) = requests.recv().await {
            let sent = asked.send(reply).await;
            sent.map_err(|_| io::ErrorKind::NotConnected)?;
            let write = writer.write_all(line.as_bytes());
            timeout(LIMIT, write).await??;
        }
        writer.shutdown().await
    };
    // Reads during a write, because the server may read no further
    // request before its answer is read.
    let read = async {
        while let Some(line) = lines.next().await {
            let line = line.map_err(io::Error::other)?;
            // A caller that has given up still has its place.
            let reply: oneshot::Sender<_> = waiting
                .try_recv()
                .map_err(|_| io::ErrorKind::InvalidData)?;
            reply.send(line).ok();
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    };
    tokio::select! {
        biased;
        ended = read => ended,
        ended = write => ended,
    }
}
// ANCHOR_END: pipelined

const LONGEST: usize = 64 * 1024;

/// Lines that end with `\n`: the start of a line that the server never
/// finished is an error.
struct WholeLines(LinesCodec);

impl Decoder for WholeLines {
    type Item = String;
    type Error = LinesCodecError;

    fn decode(
        &mut self,
        bytes: &mut BytesMut,
    ) -> Result<Option<String>, LinesCodecError> {
        self.0.decode(bytes)
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

// ANCHOR: both
async fn both(cache: &Cache, jobs: &mut Jobs) {
    let start = Instant::now();
    let pop = async {
        let job = jobs.pop("invoices").await;
        println!("pop: {job:?} after {:?}", start.elapsed());
    };
    let get = async {
        let price = cache.get("tea").await;
        println!("get: {price:?} after {:?}", start.elapsed());
    };
    tokio::join!(pop, get);
}
// ANCHOR_END: both

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let job = Notify::new();
    let ((ours, theirs), (own, its)) = (duplex(64), duplex(64));
    let (cache, mut jobs) =
        (Cache(Connection::new(ours)), Jobs(Connection::new(own)));
    tokio::select! {
        biased;
        () = both(&cache, &mut jobs) => {}
        _ = serve(theirs, &job) => {}
        _ = serve(its, &job) => {}
    }
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_pops_delay_no_other_request() {
        let job = Notify::new();
        let ((ours, theirs), (own, its)) = (duplex(64), duplex(64));
        let cache = Cache(Connection::new(ours));
        let mut jobs = Jobs(Connection::new(own));
        let start = Instant::now();
        let pop = async { jobs.pop("invoices").await };
        let get = async {
            let price = cache.get("tea").await.expect("in time");
            (price, start.elapsed())
        };
        tokio::select! {
            (popped, (price, elapsed)) =
                async { tokio::join!(pop, get) } => {
                    assert_eq!(popped.expect("answered"), None);
                    assert_eq!(price, "5 euros");
                    assert!(elapsed < Duration::from_secs(1));
                }
            _ = serve(theirs, &job) => panic!("it ended"),
            _ = serve(its, &job) => panic!("it ended"),
        }
    }

    /// A server that reads no request before its answer is read.
    async fn serve_long(mut socket: DuplexStream) -> io::Result<()> {
        let mut requests = BufReader::new(&mut socket);
        let mut line = String::new();
        while requests.read_line(&mut line).await? > 0 {
            requests.write_all(&[b'5'; 200]).await?;
            requests.write_all(b"\n").await?;
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_server_that_waits_for_its_reader() {
        let (ours, theirs) = duplex(64);
        let cache = Cache(Connection::new(ours));
        let long = "k".repeat(500);
        let both = async {
            tokio::try_join!(cache.get(&long), cache.get(&long))
        };
        tokio::select! {
            prices = timeout(LIMIT / 2, both) => {
                prices.expect("no deadlock").expect("answered");
            }
            _ = serve_long(theirs) => panic!("it ended"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_callers_is_queued() {
        let (ours, theirs) = duplex(64);
        let cache = Cache(Connection::new(ours));
        let all = (0..2 * 32 + 1).map(|_| cache.get("tea"));
        let job = Notify::new();
        tokio::select! {
            prices = futures::future::try_join_all(all) => {
                assert_eq!(prices.expect("answered").len(), 65);
            }
            _ = serve(theirs, &job) => panic!("it ended"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failure_an_answer_that_nobody_asked_for_is_an_error() {
        let (ours, mut theirs) = duplex(64);
        let cache = Cache(Connection::new(ours));
        theirs.write_all(b"stray\n").await.expect("room");
        tokio::task::yield_now().await;
        let got = cache.get("tea").await;
        let error = got.expect_err("it would get another answer");
        assert_ne!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_is_limited() {
        let (ours, _theirs) = duplex(64);
        let mut jobs = Jobs(Connection::new(ours));
        let popped = within(HOUR, jobs.pop("invoices")).await;
        let error = popped.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (ours, _theirs) = duplex(64);
        let cache = Cache(Connection::new(ours));
        let got = within(HOUR, cache.get("tea")).await;
        let error = got.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_connection_is_an_error() {
        let (ours, theirs) = duplex(64);
        let mut jobs = Jobs(Connection::new(ours));
        drop(theirs);
        for _ in 0..2 {
            jobs.pop("invoices").await.expect_err("no server");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_a_job_is_there() {
        let job = Notify::new();
        job.notify_one();
        let (ours, theirs) = duplex(64);
        let mut jobs = Jobs(Connection::new(ours));
        tokio::select! {
            popped = jobs.pop("invoices") => {
                let popped = popped.expect("answered");
                assert_eq!(popped.as_deref(), Some("a job"));
            }
            _ = serve(theirs, &job) => panic!("it ended"),
        }
    }

    /// Answers each request with its own text.
    async fn serve_echo(socket: DuplexStream) -> io::Result<()> {
        let (mut reader, mut writer) = split(socket);
        tokio::io::copy(&mut reader, &mut writer).await.map(drop)
    }

    /// Otherwise, the next caller gets the answer to the second line.
    #[tokio::test(start_paused = true)]
    async fn edges_a_key_of_two_lines_is_refused() {
        for key in ["tea\nget gold", "tea\r\nget gold", "\n", "\r"] {
            let (ours, theirs) = duplex(64);
            let cache = Cache(Connection::new(ours));
            let both = async {
                tokio::join!(cache.get(key), cache.get("rice"))
            };
            tokio::select! {
                (two, rice) = both => {
                    assert_eq!(rice.expect("answered"), "get rice");
                    two.expect_err("two requests");
                }
                _ = serve_echo(theirs) => panic!("it ended"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_and_drop_end_the_driver() {
        at_every_poll(async |cancel| {
            let job = Notify::new();
            let (ours, theirs) = duplex(64);
            let mut jobs = Jobs(Connection::new(ours));
            let popping = cancel.run(jobs.pop("invoices"));
            tokio::select! {
                _ = popping => {}
                _ = serve(theirs, &job) => panic!("it ended"),
            }
            drop(jobs);
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_driver() {
        let (ours, _theirs) = duplex(64);
        drop(Cache(Connection::new(ours)));
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn failure_in_the_middle_of_an_answer_is_an_error() {
        let (ours, mut theirs) = duplex(64);
        let mut jobs = Jobs(Connection::new(ours));
        let hang_up = async move {
            theirs.read_u8().await.expect("asked");
            theirs.write_all(b"a jo").await.expect("room");
        };
        let (popped, ()) = tokio::join!(jobs.pop("invoices"), hang_up);
        popped.expect_err("half an answer");
    }
}
