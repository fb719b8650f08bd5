//! Many requests over one connection: an id for each of them, and a
//! oneshot that waits for its answer.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, split},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::yield_now,
    time::{Duration, Instant, interval, timeout},
};
use tokio_util::codec::{
    Decoder, FramedRead, FramedWrite, LinesCodec, LinesCodecError,
};

// ANCHOR: client
#[derive(Clone)]
struct Client {
    requests: mpsc::Sender<Request>,
    places: Arc<Semaphore>,
}

struct Request {
    text: String,
    reply: oneshot::Sender<String>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("a request is one line, and not too long")]
    NotALine,
    #[error("the connection is closed, and the request wasn't sent")]
    NotSent,
    #[error("the connection was lost before the answer arrived")]
    Lost,
    #[error("no answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
}

// ANCHOR_END: client

// ANCHOR: ask
const LIMIT: Duration = Duration::from_secs(10);
/// Leaves room for the id in the request, and in its answer.
const LONGEST_TEXT: usize = LONGEST - "18446744073709551615 ".len();

impl Client {
    /// Asks the server. After the errors `Lost` and `Late`, or if this
    /// future is dropped, the server may have executed the request.
    async fn ask(&self, text: &str) -> Result<String, AskError> {
        if text.len() > LONGEST_TEXT || text.contains(['\r', '\n']) {
            return Err(AskError::NotALine);
        }
        let asking = async {
            let place = self.places.clone().acquire_owned().await;
            let _place = place.map_err(|_| AskError::NotSent)?;
            let (reply, answer) = oneshot::channel();
            let text = text.to_owned();
            let request = Request { text, reply, _place };
            let sent = self.requests.send(request).await;
            sent.map_err(|_| AskError::NotSent)?;
            answer.await.map_err(|_| AskError::Lost)
        };
        timeout(LIMIT, asking).await?
    }
}
// ANCHOR_END: ask

// ANCHOR: connect
const PLACES: usize = 100;

/// Returns a client, and the driver of its connection, which must be
/// polled. The driver ends when all clients are dropped. It can also
/// fail, and then every waiting caller gets an error, too.
fn connect(
    socket: impl AsyncRead + AsyncWrite,
) -> (Client, impl Future<Output = io::Result<()>>) {
    let (requests, received) = mpsc::channel(PLACES);
    let places = Arc::new(Semaphore::new(PLACES));
    (Client { requests, places }, drive(socket, received))
}
// ANCHOR_END: connect

// ANCHOR: drive
const LONGEST: usize = 64 * 1024; // The whole line, with its id.
const WRITE: Duration = Duration::from_secs(5);

async fn drive(
    socket: impl AsyncRead + AsyncWrite,
    mut requests: mpsc::Receiver<Request>,
) -> io::Result<()> {
    let (reader, writer) = split(socket);
    let codec = LinesCodec::new_with_max_length(LONGEST);
    let answers = FramedRead::new(reader, WholeLines(codec.clone()));
    let mut sink = FramedWrite::new(writer, codec);
    let waiting = Waiting::default(); // Dropped with this future.
    let write = async {
        let mut id = 0;
        while let Some(request) = requests.recv().await {
            if request.reply.is_closed() {
                continue; // Its caller has given up.
            }
            id += 1;
            let line = format!("{id} {}", request.text);
            waiting.insert(id, request);
            let sending = timeout(WRITE, sink.send(line)).await?;
            sending.map_err(io::Error::other)?;
        }
        timeout(WRITE, sink.get_mut().shutdown()).await?
    };
    tokio::select! {
        biased;
        ended = read(answers, &waiting) => ended,
        ended = write => ended,
        ended = sweep(&waiting) => ended,
    }
}
// ANCHOR_END: drive

// ANCHOR: read
async fn read(
    mut answers: FramedRead<impl AsyncRead + Unpin, WholeLines>,
    waiting: &Waiting,
) -> io::Result<()> {
    while let Some(line) = answers.next().await {
        let line = line.map_err(io::Error::other)?;
        let (id, text) = parse(&line)?;
        // If the id is unknown, the caller has given up.
        if let Some(request) = waiting.remove(id) {
            request.reply.send(text.to_owned()).ok();
        }
        // If lines never stop arriving, requests are still written.
        yield_now().await;
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Longer than any caller waits: the server has stopped answering.
const SILENCE: Duration = Duration::from_secs(15);

async fn sweep(waiting: &Waiting) -> io::Result<()> {
    let mut ticks = interval(Duration::from_secs(1));
    while waiting.unanswered_for() <= SILENCE {
        ticks.tick().await;
        waiting.remove_given_up();
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn parse(line: &str) -> io::Result<(u64, &str)> {
    let parts = line.split_once(' ');
    let parts =
        parts.and_then(|(id, text)| Some((id.parse().ok()?, text)));
    parts.ok_or(io::ErrorKind::InvalidData.into())
}
// ANCHOR_END: read

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

// ANCHOR: waiting
/// The requests without an answer. No lock is held across an await.
#[derive(Default)]
struct Waiting {
    requests: Mutex<HashMap<u64, Request>>,
    /// Since when requests have been waiting without any answer.
    unanswered: Mutex<Option<Instant>>,
}

impl Waiting {
    fn insert(&self, id: u64, request: Request) {
        lock(&self.unanswered).get_or_insert_with(Instant::now);
        lock(&self.requests).insert(id, request);
    }

    fn remove(&self, id: u64) -> Option<Request> {
        *lock(&self.unanswered) = None;
        let mut requests = lock(&self.requests);
        let request = requests.remove(&id);
        if !requests.is_empty() {
            *lock(&self.unanswered) = Some(Instant::now());
        }
        request
    }

    /// Frees the places of callers that have stopped waiting.
    fn remove_given_up(&self) {
        lock(&self.requests).retain(|_, it| !it.reply.is_closed());
    }

    fn unanswered_for(&self) -> Duration {
        lock(&self.unanswered).map_or(Duration::ZERO, |it| it.elapsed())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
// ANCHOR_END: waiting

use tokio::{
    io::{AsyncBufReadExt, BufReader, DuplexStream, duplex},
    time::sleep,
};

/// Answers three requests in another order, and then hangs up.
async fn serve(socket: DuplexStream) -> io::Result<()> {
    let (reader, mut writer) = split(socket);
    let mut lines = BufReader::new(reader).lines();
    let mut asked = Vec::new();
    while asked.len() < 3 {
        asked.extend(lines.next_line().await?);
    }
    for line in asked.iter().rev().take(2) {
        sleep(Duration::from_millis(10)).await;
        writer
            .write_all(format!("{line} 5 euros\n").as_bytes())
            .await?;
    }
    Ok(())
}

// ANCHOR: callers
async fn callers(client: Client) {
    let ask = async |product| match client.ask(product).await {
        Ok(answer) => println!("{product}: {answer}"),
        Err(error) => println!("{product}: {error}"),
    };
    tokio::join!(ask("tea"), ask("salt"), ask("rice"));
    ask("milk").await;
}
// ANCHOR_END: callers

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let (ours, theirs) = duplex(1024);
    let (client, driver) = connect(ours);
    let driver = async {
        if let Err(error) = driver.await {
            println!("the driver: {error}");
        }
    };
    let (_, (), ()) =
        tokio::join!(serve(theirs), driver, callers(client));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;
    use hazards::{HOUR, Silent, at_every_poll, no_task_left, within};
    use tokio::{
        io::{AsyncReadExt, join},
        task::{JoinSet, coop::consume_budget},
    };
    use tokio_util::io::StreamReader;

    use super::*;

    /// Answers each request with its text, after a pause that grows
    /// shorter, so that the order is reversed.
    async fn echo(socket: DuplexStream, longest: Duration) {
        let (reader, mut writer) = split(socket);
        let mut lines = BufReader::new(reader).lines();
        let mut answers = JoinSet::new();
        let mut pause = longest;
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    let Ok(Some(line)) = line else { return };
                    let wait = pause;
                    answers.spawn(async move {
                        sleep(wait).await;
                        line
                    });
                    pause = pause.saturating_sub(longest / 10);
                }
                Some(line) = answers.join_next() => {
                    let line = format!("{}\n", line.expect("no panic"));
                    if writer.write_all(line.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_reach_no_other_caller() {
        let (ours, theirs) = duplex(1024);
        let (client, driver) = connect(ours);
        let ask = async move {
            let late = client.ask("tea").await;
            assert!(matches!(late, Err(AskError::Late(_))));
            // The answer for tea arrives meanwhile.
            let salt = client.ask("salt").await;
            assert_eq!(salt.expect("in time"), "salt");
        };
        let longest = LIMIT * 105 / 100;
        let (driven, (), ()) =
            tokio::join!(driver, ask, echo(theirs, longest));
        driven.expect("all clients were dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_connection_reaches_all_callers() {
        let (ours, mut theirs) = duplex(1024);
        let (client, driver) = connect(ours);
        let hang_up = async {
            let mut lines = BufReader::new(&mut theirs).lines();
            for _ in 0..2 {
                lines.next_line().await.expect("open");
            }
            drop(theirs);
        };
        let all = async {
            tokio::join!(
                driver,
                client.ask("tea"),
                client.ask("salt"),
                hang_up
            )
        };
        let limit = Duration::from_secs(1);
        let (driven, tea, salt, ()) = within(limit, all).await;
        driven.expect_err("the server hung up");
        assert!(matches!(tea, Err(AskError::Lost)));
        assert!(matches!(salt, Err(AskError::Lost)));
        let later = client.ask("milk").await;
        assert!(matches!(later, Err(AskError::NotSent)));
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_an_answers_syntax_ends_the_driver() {
        for line in ["no number\n", "7\n", "x 5\n", "\n"] {
            let (ours, mut theirs) = duplex(1024);
            let (_client, driver) = connect(ours);
            theirs.write_all(line.as_bytes()).await.expect("room");
            let error = driver.await.expect_err("no id");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let (ours, mut theirs) = duplex(2 * LONGEST);
        let (_client, driver) = connect(ours);
        let long = "1".repeat(LONGEST + 1);
        theirs.write_all(long.as_bytes()).await.expect("room");
        driver.await.expect_err("too long");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_ends_callers_and_driver() {
        let (ours, _theirs) = duplex(1024);
        let (client, driver) = connect(ours);
        let ask = async {
            let late = client.ask("tea").await;
            assert!(matches!(late, Err(AskError::Late(_))));
        };
        let both = async { tokio::join!(driver, ask).0 };
        let error = within(HOUR, both).await.expect_err("silence");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (client, driver) = connect(Silent);
        let both = async { tokio::join!(driver, client.ask("a")) };
        let (driven, asked) = within(HOUR, both).await;
        driven.expect_err("no write");
        asked.expect_err("no answer");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_about_some_requests_frees_their_places() {
        let (ours, theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let server = async {
            let (reader, mut writer) = split(theirs);
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.ends_with("salt") {
                    let line = format!("{line}\n");
                    writer
                        .write_all(line.as_bytes())
                        .await
                        .expect("room");
                }
            }
        };
        let ask = async move {
            for _ in 0..3 {
                let tea = client.ask("tea");
                let salt = async {
                    sleep(LIMIT / 2).await;
                    client.ask("salt").await.expect("answered");
                };
                let (tea, ()) = tokio::join!(tea, salt);
                tea.expect_err("never answered");
            }
            sleep(Duration::from_secs(2)).await; // The sweep.
            assert_eq!(client.places.available_permits(), PLACES);
        };
        let (driven, (), ()) = tokio::join!(driver, ask, server);
        driven.expect("all clients were dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_without_requests_is_no_error() {
        let (ours, theirs) = duplex(1024);
        let (client, driver) = connect(ours);
        let ask = async move {
            sleep(HOUR).await;
            client.ask("tea").await.expect("it's still open");
        };
        let (driven, (), ()) =
            tokio::join!(driver, ask, echo(theirs, Duration::ZERO));
        driven.expect("all clients were dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn overload_waits_for_a_place() {
        let (ours, theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let mut callers = JoinSet::new();
        for number in 0..2 * PLACES + 1 {
            let client = client.clone();
            callers.spawn(async move {
                let text = number.to_string();
                (client.ask(&text).await, text)
            });
        }
        drop(client);
        let pause = Duration::from_millis(100);
        let (driven, callers, ()) = tokio::join!(
            driver,
            callers.join_all(),
            echo(theirs, pause)
        );
        driven.expect("all clients were dropped");
        for (answer, text) in callers {
            assert_eq!(answer.expect("in time"), text);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_a_silent_server_gives_places_back() {
        let (ours, _theirs) = duplex(64 * 1024);
        let (client, driver) = connect(ours);
        let mut callers = JoinSet::new();
        for _ in 0..2 * PLACES + 1 {
            let client = client.clone();
            callers.spawn(async move { client.ask("tea").await });
        }
        let both = async { tokio::join!(driver, callers.join_all()) };
        let (driven, callers) = within(HOUR, both).await;
        driven.expect_err("silence");
        assert!(callers.iter().all(Result::is_err));
        assert_eq!(client.places.available_permits(), PLACES);
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_of_a_caller_frees_its_place() {
        at_every_poll(async |cancel| {
            let (ours, theirs) = duplex(64);
            let (client, driver) = connect(ours);
            let ask = async move {
                cancel.run(client.ask("tea")).await;
                let answer = client.ask("salt").await;
                assert_eq!(answer.expect("in time"), "salt");
                sleep(Duration::from_secs(2)).await; // The sweep.
                assert_eq!(client.places.available_permits(), PLACES);
            };
            let pause = Duration::from_millis(10);
            let (driven, (), ()) =
                tokio::join!(driver, ask, echo(theirs, pause));
            driven.expect("all clients were dropped");
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_callers_get_an_error() {
        let (ours, _theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let driver = tokio::spawn(driver);
        let abort = async {
            sleep(Duration::from_secs(1)).await;
            driver.abort();
        };
        let (asked, ()) = tokio::join!(client.ask("tea"), abort);
        assert!(matches!(asked, Err(AskError::Lost)));
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn stop_when_the_last_client_is_dropped() {
        let (ours, theirs) = duplex(64);
        let (client, driver) = connect(ours);
        drop(client);
        let both = async {
            tokio::join!(driver, echo(theirs, Duration::ZERO)).0
        };
        within(HOUR, both).await.expect("it was asked to end");
    }

    #[tokio::test(start_paused = true)]
    async fn edges_empty_and_foreign_texts() {
        let (ours, theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let ask = async move {
            let longest = "x".repeat(LONGEST_TEXT);
            for text in ["", " ", "ä ö", "7 8", longest.as_str()] {
                let answer = client.ask(text).await;
                assert_eq!(answer.expect("in time"), text);
            }
            let long = "x".repeat(LONGEST_TEXT + 1);
            for text in ["a\n2 b", "a\r", long.as_str()] {
                let two = client.ask(text).await;
                assert!(matches!(two, Err(AskError::NotALine)));
            }
        };
        let (driven, (), ()) =
            tokio::join!(driver, ask, echo(theirs, Duration::ZERO));
        driven.expect("all clients were dropped");
    }

    /// A server that sends lines without a pause, most of which answer
    /// no request.
    #[tokio::test]
    async fn overload_with_lines_leaves_the_requests_their_turn() {
        let (writer, theirs) = duplex(1024);
        let (answers, answered) = mpsc::unbounded_channel();
        let lines = stream::unfold(answered, async |mut answered| {
            consume_budget().await; // As a socket does.
            let line = answered.try_recv();
            let line = line.unwrap_or(Bytes::from_static(b"0 \n"));
            Some((Ok::<_, io::Error>(line), answered))
        });
        let reader = StreamReader::new(Box::pin(lines));
        let (client, driver) = connect(join(reader, writer));
        let server = async {
            let mut lines = BufReader::new(theirs).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.ends_with("tea") {
                    answers.send(format!("{line}\n").into()).ok();
                }
            }
        };
        let ask = async move {
            for _ in 0..3 {
                let answer = client.ask("tea").await;
                assert_eq!(answer.expect("in time"), "tea");
            }
            let pause = Duration::from_millis(100);
            let salt = timeout(pause, client.ask("salt")).await;
            salt.expect_err("never answered");
            while client.places.available_permits() < PLACES {
                sleep(pause).await; // Until the sweep.
            }
        };
        let driver = tokio::spawn(driver);
        within(10 * LIMIT, async { tokio::join!(ask, server) }).await;
        let driven = driver.await.expect("no panic");
        driven.expect("all clients were dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_same_request_twice_has_two_ids() {
        let (ours, theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let ask = async move {
            let (one, two) =
                tokio::join!(client.ask("tea"), client.ask("tea"));
            assert_eq!(one.expect("in time"), two.expect("in time"));
        };
        let (driven, (), ()) =
            tokio::join!(driver, ask, echo(theirs, Duration::ZERO));
        driven.expect("all clients were dropped");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_get_their_own_answers() {
        let (ours, theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let driver = tokio::spawn(driver);
        let server = tokio::spawn(echo(theirs, Duration::ZERO));
        let mut callers = JoinSet::new();
        for number in 0..1000 {
            let client = client.clone();
            callers.spawn(async move {
                let text = number.to_string();
                let answer = client.ask(&text).await;
                assert_eq!(answer.expect("in time"), text);
            });
        }
        callers.join_all().await;
        drop(client);
        driver.await.expect("no panic").expect("a normal end");
        server.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_in_the_middle_of_an_answer_is_no_answer() {
        let (ours, mut theirs) = duplex(64);
        let (client, driver) = connect(ours);
        let hang_up = async move {
            theirs.read_u8().await.expect("asked");
            theirs.write_all(b"1 12").await.expect("room");
        };
        let (driven, asked, ()) =
            tokio::join!(driver, client.ask("tea"), hang_up);
        assert!(matches!(asked, Err(AskError::Lost)), "{asked:?}");
        driven.expect_err("half an answer");
    }
}
