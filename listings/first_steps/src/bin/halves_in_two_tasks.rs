//! Read in one task while another one writes.

use std::io;

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite,
    AsyncWriteExt, BufReader,
};
use tokio::time::{Duration, timeout};
use tokio_util::task::AbortOnDropHandle;

// ANCHOR: talk
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST: u64 = 1_000_000;

/// Sends the orders while a task receives the answers. If the server
/// closes early, there are fewer answers than orders.
///
/// # Errors
///
/// An order contains a line break: nothing is sent. The server is
/// silent for a minute, sends too much, or stops in the middle of an
/// answer, or the connection fails. In the latter cases, or if this is
/// dropped, the task is stopped, but some orders may have arrived.
async fn talk(
    reader: impl AsyncRead + Unpin + Send + 'static,
    mut writer: impl AsyncWrite + Unpin,
    orders: &[&str],
) -> io::Result<Vec<String>> {
    // The server would read such an order as two, and answer twice.
    if orders.iter().any(|order| order.contains('\n')) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let receiving = tokio::spawn(receive(reader));
    let receiving = AbortOnDropHandle::new(receiving);
    let sending = async {
        for order in orders {
            let line = format!("{order}\n");
            let writing = writer.write_all(line.as_bytes());
            timeout(PATIENCE, writing).await??;
        }
        timeout(PATIENCE, writer.shutdown()).await? // Sends EOF.
    };
    let received = async { receiving.await.map_err(io::Error::other)? };
    // If the task fails, the server may stop reading, so stop sending.
    let ((), answers) = tokio::try_join!(sending, received)?;
    Ok(answers)
}
// ANCHOR_END: talk

// ANCHOR: receive
async fn receive(
    reader: impl AsyncRead + Unpin,
) -> io::Result<Vec<String>> {
    let mut reader = BufReader::new(reader.take(LONGEST));
    let (mut answers, mut line) = (Vec::new(), String::new());
    while timeout(PATIENCE, reader.read_line(&mut line)).await?? > 0 {
        let Some(answer) = line.strip_suffix('\n') else { break };
        answers.push(answer.to_owned());
        line.clear();
    }
    match reader.get_ref().limit() {
        0 => Err(io::Error::other("the answers are too long")),
        _ if line.is_empty() => Ok(answers),
        _ => Err(io::ErrorKind::UnexpectedEof.into()), // Half a line.
    }
}
// ANCHOR_END: receive

// ANCHOR: client
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

async fn order(address: SocketAddr) -> io::Result<Vec<String>> {
    let socket = TcpStream::connect(address).await?;
    let (reader, writer) = socket.into_split();
    talk(reader, writer, &["order 1", "order 2"]).await
}
// ANCHOR_END: client

/// The server: it sends back what arrives.
async fn echo(socket: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = socket.into_split();
    let copying = tokio::io::copy(&mut reader, &mut writer);
    timeout(PATIENCE, copying).await??;
    writer.shutdown().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = async { echo(listener.accept().await?.0).await };
    let client = order(listener.local_addr()?);
    let ((), answers) = tokio::try_join!(server, client)?;
    println!("{answers:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{
        Failing, HOUR, Silent, Slow, at_every_poll, no_task_left,
        within,
    };
    use tokio::io::{DuplexStream, duplex, split};

    use super::*;

    /// Sends back every byte after `delay`.
    async fn peer(socket: DuplexStream, delay: Duration) {
        let (reader, mut writer) = split(socket);
        let mut reader = Slow::new(reader, delay);
        tokio::io::copy(&mut reader, &mut writer).await.ok();
        writer.shutdown().await.ok();
    }

    async fn talked(
        orders: &[&str],
        delay: Duration,
    ) -> io::Result<Vec<String>> {
        let (ours, theirs) = duplex(8);
        let (reader, writer) = split(ours);
        let talking = talk(reader, writer, orders);
        tokio::join!(talking, peer(theirs, delay)).0
    }

    /// The peer's buffers are smaller than what is sent: a client that
    /// wrote everything before it read would wait forever.
    #[tokio::test(start_paused = true)]
    async fn overload_by_more_than_the_buffers_hold() {
        let orders = vec!["order"; 1_000];
        let talking = talked(&orders, Duration::ZERO);
        let answers = within(HOUR, talking).await;
        assert_eq!(answers.expect("answers"), orders);
    }

    #[tokio::test]
    async fn overload_by_answers_without_an_end() {
        for byte in [b'x', b'\n'] {
            let endless = tokio::io::repeat(byte);
            let talked = talk(endless, Vec::new(), &["order 1"]).await;
            let error = talked.expect_err("it never ends");
            assert_eq!(error.to_string(), "the answers are too long");
            no_task_left().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_peers_have_a_minute_for_each_step() {
        let answers = talked(&["order 1"], PATIENCE / 2).await;
        assert_eq!(answers.expect("in time"), ["order 1"]);
        let talked = talked(&["order 1"], PATIENCE * 2).await;
        assert!(talked.is_err());
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let talking = talk(Silent, Silent, &["order 1"]);
        assert!(within(HOUR, talking).await.is_err());
        let talking = talk(Silent, Vec::new(), &["order 1"]);
        assert!(within(HOUR, talking).await.is_err());
        no_task_left().await;
    }

    #[tokio::test]
    async fn failure_of_a_read_or_write_is_returned() {
        let writer = Failing::after(Vec::new(), 1);
        let talked = talk(&b"ok\n"[..], writer, &["one", "two"]).await;
        assert_eq!(talked.expect_err("it").to_string(), "disk full");
        let reader = Failing::after(&b"ok\n"[..], 1);
        let talked = talk(reader, Vec::new(), &["one"]).await;
        assert_eq!(talked.expect_err("it").to_string(), "disk full");
        no_task_left().await;
    }

    #[tokio::test]
    async fn failure_in_the_middle_of_an_answer_is_no_answer() {
        let half = &b"order 1: 12.50\norder 2: 1"[..];
        let talked = talk(half, Vec::new(), &["one", "two"]).await;
        let error = talked.expect_err("half an answer");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// The server waits for its answers to be read.
    #[tokio::test(start_paused = true)]
    async fn failure_of_the_task_ends_the_sending() {
        let start = tokio::time::Instant::now();
        let talked = talk(&b"\xff\n"[..], Silent, &["one"]).await;
        let error = talked.expect_err("no text");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(start.elapsed(), Duration::ZERO);
        no_task_left().await;
    }

    #[tokio::test]
    async fn panic_of_the_reader_is_an_error() {
        struct Panics;
        impl AsyncRead for Panics {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                _: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                panic!("a bug")
            }
        }
        let talked = talk(Panics, Vec::new(), &["one"]).await;
        let error = talked.expect_err("the task has panicked");
        assert!(error.to_string().contains("a bug"), "{error}");
    }

    #[tokio::test]
    async fn edges_no_order_and_no_answer() {
        let none = talked(&[], Duration::ZERO).await;
        assert!(none.expect("no answers").is_empty());
        let answers = talk(&b""[..], Vec::new(), &["order 1"]).await;
        assert!(answers.expect("it's closed").is_empty());
        let talked = talk(&b"\xff\n"[..], Vec::new(), &[]).await;
        assert!(talked.is_err());
    }

    #[tokio::test]
    async fn edges_an_order_that_is_not_one_line_is_not_sent() {
        for order in ["\n", "tea\npay 1000", "tea\n"] {
            let mut sent = Vec::new();
            let talked =
                talk(&b""[..], &mut sent, &["tea", order]).await;
            let error = talked.expect_err("it isn't one line");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(sent.is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_leaves_no_task() {
        at_every_poll(async |cancel| {
            // The server is silent, and keeps the connection open.
            let talking = talk(Silent, Vec::new(), &["one", "two"]);
            cancel.run(talking).await;
            no_task_left().await;
            cancel.run(talked(&["one", "two"], PATIENCE / 6)).await;
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_talk_over_real_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let server =
                async { echo(listener.accept().await?.0).await };
            tasks.spawn(order(address));
            server.await.expect("it answers");
        }
        for answers in tasks.join_all().await {
            let answers = answers.expect("it's answered");
            assert_eq!(answers, ["order 1", "order 2"]);
        }
    }
}
