//! Answer frames over TCP with limits, and drain at a stop: a whole server.

// ANCHOR: limits
use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::io::{copy, sink, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy)]
struct Limits {
    clients: usize,   // Further ones wait.
    frame: usize,     // The length of a frame, without its header.
    idle: Duration,   // For a whole frame, in each direction.
    answer: Duration, // To compute a reply.
    grace: Duration,  // To finish at a stop.
}

const LIMITS: Limits = Limits {
    clients: 1000,
    frame: 64 * 1024,
    idle: Duration::from_secs(30),
    answer: Duration::from_secs(10),
    grace: Duration::from_secs(20),
};
// ANCHOR_END: limits

// ANCHOR: serve
/// Serves until `stop`, then drains within the grace period. Returns
/// how many connections it aborted. Dropping this aborts all of them.
async fn serve<F, A>(
    listener: TcpListener,
    limits: Limits,
    answer: F,
    stop: CancellationToken,
) -> usize
where
    F: Fn(BytesMut) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Bytes> + Send + 'static,
{
    let mut clients = JoinSet::new();
    loop {
        let has_place = clients.len() < limits.clients;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = clients.join_next() => report(ended),
            client = accept(&listener), if has_place => {
                let (answer, stop) = (answer.clone(), stop.clone());
                clients.spawn(limits.talk(client, answer, stop));
            }
        }
    }
    drop(listener); // Further clients are refused.
    let all = async {
        while let Some(ended) = clients.join_next().await {
            report(ended);
        }
    };
    let _ = timeout(limits.grace, all).await;
    let aborted = clients.len();
    // An answer that blocks its thread can't be aborted.
    let _ = timeout(PAUSE, clients.shutdown()).await;
    aborted
}
// ANCHOR_END: serve

// ANCHOR: talk
impl Limits {
    /// A request that has started is answered, also after `stop`.
    async fn talk<A: Future<Output = Bytes>>(
        self,
        client: impl AsyncRead + AsyncWrite,
        answer: impl Fn(BytesMut) -> A,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let (from, to) = split(client);
        let mut codec = LengthDelimitedCodec::builder();
        codec.max_frame_length(self.frame);
        let mut replies = codec.new_write(to);
        // With the length in the frame, a cut after it is an error.
        codec.length_adjustment(4).num_skip(0);
        let mut frames = codec.new_read(from);
        let answers = async {
            loop {
                let frame = timeout(self.idle, frames.next());
                let frame = stop.run_until_cancelled(frame).await;
                let Some(Some(frame)) = frame.transpose()? else {
                    return Ok(());
                };
                let reply = answer(frame?.split_off(4));
                let reply = timeout(self.answer, reply).await?;
                timeout(self.idle, replies.send(reply)).await??;
            }
        };
        let ended = answers.await;
        // Closing with unread input would destroy the last reply.
        let close = async {
            replies.get_mut().shutdown().await?;
            let mut unread = frames.get_mut().take(1024 * 1024);
            copy(&mut unread, &mut sink()).await
        };
        let _ = timeout(PAUSE, close).await; // `ended` says more.
        ended
    }
}
// ANCHOR_END: talk

// ANCHOR: accept
/// How long to wait after an error of `accept` (too many open files,
/// for example), for a client to close, and for an aborted task to end.
const PAUSE: Duration = Duration::from_secs(2);

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                // Without this, a reply may wait for the one before it.
                let _ = client.set_nodelay(true);
                return client;
            }
            Err(error) => tracing::error!(%error, "can't accept"),
        }
        sleep(PAUSE).await;
    }
}

fn report(ended: Result<io::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client's error"),
        Err(error) => tracing::error!(%error, "a connection's panic"),
    }
}
// ANCHOR_END: accept

/// The price of an item; some items take a while.
async fn price(item: BytesMut) -> Bytes {
    match &*item {
        b"tea" => "12",
        b"silk" => {
            sleep(Duration::from_millis(300)).await;
            "900"
        }
        _ => "unknown",
    }
    .into()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let stop = CancellationToken::new();
    let serving = serve(listener, LIMITS, price, stop.clone());
    let example = async {
        let codec = LengthDelimitedCodec::new();
        let mut client = Framed::new(client, codec);
        client.send(Bytes::from("tea")).await?;
        client.send(Bytes::from("silk")).await?;
        sleep(Duration::from_millis(100)).await;
        stop.cancel(); // While the price of silk is looked up.
        client.send(Bytes::from("tea")).await?;
        while let Some(reply) = client.next().await {
            println!("{:?}", reply?);
        }
        io::Result::Ok(())
    };
    let (aborted, example) = tokio::join!(serving, example);
    println!("aborted: {aborted}");
    example
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, at_every_poll, no_task_left, within};
    use tokio::io::{DuplexStream, duplex};
    use tokio::task::block_in_place;

    use super::*;

    async fn answer(item: BytesMut) -> Bytes {
        match &*item {
            b"bug" => std::panic::resume_unwind(Box::new("a bug")),
            b"ever" => std::future::pending().await,
            b"block" => {
                block_in_place(|| std::thread::sleep(40 * SHORT))
            }
            b"big" => return vec![b' '; LIMITS.frame].into(),
            _ => {}
        }
        price(item).await
    }

    fn ask(item: &str) -> Vec<u8> {
        [&(item.len() as u32).to_be_bytes(), item.as_bytes()].concat()
    }

    /// The replies until the end of the connection.
    async fn replies(client: &mut (impl AsyncRead + Unpin)) -> String {
        let mut seen = Vec::new();
        let read = client.read_to_end(&mut seen).await;
        let mut replies = Vec::new();
        let mut rest = &*seen;
        while let Some((length, tail)) = rest.split_first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            let Some((reply, tail)) = tail.split_at_checked(length)
            else {
                break;
            };
            replies.push(String::from_utf8_lossy(reply));
            rest = tail;
        }
        let end = if read.is_ok() { "end" } else { "reset" };
        replies.push(end.into());
        replies.join(", ")
    }

    /// What a client that sends these bytes gets, and how its talk ends.
    async fn talk(sent: &[u8]) -> (String, io::Result<()>) {
        let (mut client, server) = duplex(16);
        let stop = CancellationToken::new();
        let talking = LIMITS.talk(server, answer, stop);
        let asking = async {
            let (mut from, mut to) = tokio::io::split(&mut client);
            let write = async {
                let _ = to.write_all(sent).await;
                let _ = to.shutdown().await;
            };
            tokio::join!(replies(&mut from), write).0
        };
        let (ended, seen) = tokio::join!(talking, asking);
        (seen, ended)
    }

    #[tokio::test(start_paused = true)]
    async fn edges_of_frames() {
        let (seen, ended) = talk(&[ask("tea"), ask("")].concat()).await;
        assert_eq!(seen, "12, unknown, end");
        assert!(ended.is_ok());
        assert!(talk(b"").await.1.is_ok());
        let longest = ask(&"x".repeat(LIMITS.frame));
        assert_eq!(talk(&longest).await.0, "unknown, end");
        assert_eq!(talk(&ask("big")).await.0.len(), LIMITS.frame + 5);
    }

    /// Also right after the length of a frame.
    #[tokio::test(start_paused = true)]
    async fn failure_in_a_frame_is_reported() {
        for cut in 1..ask("tea").len() {
            let (seen, ended) = talk(&ask("tea")[..cut]).await;
            assert_eq!(seen, "end");
            assert!(ended.is_err(), "cut after {cut} bytes");
        }
    }

    /// Refused before its body is there; what came before is answered.
    #[tokio::test(start_paused = true)]
    async fn overload_of_a_frame_is_refused() {
        let long = ask(&"x".repeat(LIMITS.frame + 1));
        let (seen, ended) = talk(&[ask("tea"), long].concat()).await;
        assert_eq!(seen, "12, end");
        let error = ended.expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    /// The client doesn't close, and yet the error is the codec's.
    #[tokio::test(start_paused = true)]
    async fn failure_is_the_first_one() {
        let long = ask(&"x".repeat(LIMITS.frame + 1));
        let (time, error) = stays(&long, true).await;
        assert_eq!(error, "frame size too big");
        assert!(time <= PAUSE);
    }

    /// How long a client that sends these bytes, and no end, may stay,
    /// and the error of its talk.
    async fn stays(sent: &[u8], reads: bool) -> (Duration, String) {
        let (mut client, server) = duplex(16);
        let start = tokio::time::Instant::now();
        let stop = CancellationToken::new();
        let talking = LIMITS.talk(server, answer, stop);
        let silent = async {
            let _ = client.write_all(sent).await;
            while reads && client.read_u8().await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = talking => ended,
            () = silent => unreachable!(),
        };
        (start.elapsed(), ended.expect_err("a limit").to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_limit() {
        for sent in [&b""[..], b"\0\0", &ask("tea")[..6]] {
            assert!(stays(sent, true).await.0 <= LIMITS.idle + PAUSE);
        }
        let (time, _) = stays(&ask("ever"), true).await;
        assert!(time <= LIMITS.answer + PAUSE);
    }

    /// Bytes that arrive one by one don't renew the limit.
    #[tokio::test(start_paused = true)]
    async fn slow_clients_end_at_the_limit() {
        let (time, _) = stays(&ask("big"), false).await;
        assert!(time <= LIMITS.idle + PAUSE);
        let (client, server) = duplex(16);
        let stop = CancellationToken::new();
        let talking = LIMITS.talk(server, answer, stop);
        let mut client = client;
        let slow = async {
            loop {
                if client.write_all(b"\0").await.is_err() {
                    return std::future::pending::<()>().await;
                }
                sleep(LIMITS.idle * 2 / 7).await;
            }
        };
        let ended = async {
            tokio::select! { ended = talking => ended, () = slow => Ok(()) }
        };
        let _ = within(HOUR, ended).await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_nothing_running() {
        at_every_poll(async |cancel| {
            let (mut client, server) = duplex(64);
            client.write_all(&ask("tea")).await.expect("room");
            let stop = CancellationToken::new();
            cancel.run(LIMITS.talk(server, answer, stop)).await;
            // The connection is closed, with or without the reply.
            let _: DuplexStream = client;
            no_task_left().await;
        })
        .await;
    }

    struct Server {
        listener: std::net::SocketAddr,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<usize>,
    }

    async fn start(limits: Limits) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let serving = serve(listener, limits, answer, stop.clone());
        let task = tokio::spawn(serving);
        Ok(Server { listener: address, stop, task })
    }

    const SHORT: Duration = Duration::from_millis(100);

    impl Server {
        async fn ask(&self, items: &[&str]) -> io::Result<TcpStream> {
            let mut client = TcpStream::connect(self.listener).await?;
            for item in items {
                client.write_all(&ask(item)).await?;
            }
            client.set_nodelay(true)?;
            Ok(client)
        }

        /// One question, and the end.
        async fn price(&self, item: &str) -> io::Result<String> {
            let mut client = self.ask(&[item]).await?;
            client.shutdown().await?;
            Ok(within(100 * SHORT, replies(&mut client)).await)
        }
    }

    /// The reply to a started request arrives; others aren't started.
    #[tokio::test]
    async fn stop_answers_what_has_started() -> io::Result<()> {
        let server = start(LIMITS).await?;
        let mut idle = server.ask(&[]).await?;
        let mut client = server.ask(&["tea", "silk", "tea"]).await?;
        sleep(SHORT).await;
        server.stop.cancel();
        client.shutdown().await?;
        idle.shutdown().await?;
        assert_eq!(replies(&mut client).await, "12, 900, end");
        assert_eq!(replies(&mut idle).await, "end");
        assert_eq!(within(100 * SHORT, server.task).await?, 0);
        assert!(TcpStream::connect(server.listener).await.is_err());
        Ok(())
    }

    /// A client that stays connected without a request isn't aborted.
    #[tokio::test]
    async fn stop_waits_little_for_idle_clients() -> io::Result<()> {
        let server = start(LIMITS).await?;
        let mut idle = server.ask(&["tea"]).await?;
        idle.readable().await?;
        server.stop.cancel();
        assert_eq!(within(2 * PAUSE, server.task).await?, 0);
        assert_eq!(replies(&mut idle).await, "12, end");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stop_does_not_wait_for_a_blocked_thread() -> io::Result<()>
    {
        let server = start(Limits { grace: SHORT, ..LIMITS }).await?;
        let _client = server.ask(&["block"]).await?;
        sleep(SHORT).await;
        server.stop.cancel();
        assert_eq!(within(30 * SHORT, server.task).await?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn stop_ends_with_the_grace_period() -> io::Result<()> {
        let server = start(Limits { grace: SHORT, ..LIMITS }).await?;
        let mut client = server.ask(&["ever"]).await?;
        sleep(SHORT).await;
        server.stop.cancel();
        assert_eq!(within(100 * SHORT, server.task).await?, 1);
        assert_eq!(replies(&mut client).await, "end");
        no_task_left().await;
        Ok(())
    }

    /// With Nagle's algorithm, the second reply would wait for the
    /// first one's acknowledgment, which takes 40 ms.
    #[tokio::test]
    async fn slow_acknowledgments_delay_no_reply() -> io::Result<()> {
        let server = start(LIMITS).await?;
        let mut client = server.ask(&[]).await?;
        let mut shortest = SHORT;
        for round in 0..8 {
            let start = std::time::Instant::now();
            let three = [ask("tea"), ask("tea"), ask("tea")].concat();
            client.write_all(&three).await?;
            client.read_exact(&mut [0; 18]).await?;
            // The first bytes are acknowledged early in any case.
            if round > 2 {
                shortest = shortest.min(start.elapsed());
            }
        }
        assert!(shortest < SHORT / 4, "{shortest:?}");
        Ok(())
    }

    #[tokio::test]
    async fn owner_gone_closes_all_connections() -> io::Result<()> {
        let server = start(LIMITS).await?;
        let mut client = server.ask(&["tea"]).await?;
        client.readable().await?;
        server.task.abort();
        assert_eq!(replies(&mut client).await, "12, end");
        no_task_left().await;
        Ok(())
    }

    #[tokio::test]
    async fn panic_ends_only_its_connection() -> io::Result<()> {
        let server = start(Limits { clients: 1, ..LIMITS }).await?;
        for _ in 0..3 {
            assert_eq!(server.price("bug").await?, "end");
        }
        assert_eq!(server.price("tea").await?, "12, end");
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_clients_waits_for_a_place() -> io::Result<()> {
        let server = start(Limits { clients: 1, ..LIMITS }).await?;
        let first = server.ask(&[]).await?;
        let second = server.ask(&["tea"]).await?;
        assert!(timeout(SHORT, second.readable()).await.is_err());
        drop(first);
        within(100 * SHORT, second.readable()).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_answer_everyone() -> io::Result<()> {
        let server = start(Limits { clients: 4, ..LIMITS }).await?;
        let all = (0..40).map(|_| server.price("tea"));
        let all = futures::future::try_join_all(all).await?;
        assert!(all.iter().all(|seen| seen == "12, end"));
        Ok(())
    }
}
