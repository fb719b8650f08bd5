//! Read orders from a socket, one per line, and answer each of them.

// ANCHOR: serve
use std::io;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufWriter,
};
use tokio::time::{Duration, timeout};

/// How long a client may take to send a line or to read an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// In bytes, with the `\n`.
const LONGEST: u64 = 100;

/// Answers each line until the client closes its side.
///
/// # Errors
///
/// A line is cut off, too long, or not UTF-8; the client takes longer
/// than a minute; or the connection fails. Close the connection then,
/// and also if this future is dropped before it completes.
async fn serve(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut writer = BufWriter::new(writer);
    while let Some(order) = next_line(&mut reader).await? {
        let answering = async {
            writer.write_all(b"ok ").await?;
            writer.write_all(order.as_bytes()).await?;
            writer.flush().await
        };
        timeout(PATIENCE, answering).await??;
    }
    timeout(PATIENCE, writer.shutdown()).await?
}
// ANCHOR_END: serve

// ANCHOR: next_line
/// The next line, with its `\n`, or `None` at the end.
async fn next_line(
    reader: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<String>> {
    let mut line = String::new();
    let mut reader = reader.take(LONGEST);
    let reading = reader.read_line(&mut line);
    match timeout(PATIENCE, reading).await?? {
        0 => Ok(None),
        _ if line.ends_with('\n') => Ok(Some(line)),
        _ => Err(io::Error::other("cut off, or too long")),
    }
}
// ANCHOR_END: next_line

// ANCHOR: main
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = async {
        let (mut socket, _) = listener.accept().await?;
        let (reader, writer) = socket.split();
        serve(reader, writer).await
    };
    let client = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(b"order 1\norder 2\nord").await?;
        socket.write_all(b"er 3\n").await?;
        socket.shutdown().await?; // No more orders.
        let mut answers = String::new();
        socket.read_to_string(&mut answers).await?;
        io::Result::Ok(answers)
    };
    let ((), answers) = tokio::try_join!(server, client)?;
    print!("{answers}");
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::{DuplexStream, duplex, split};

    use super::*;

    async fn served(socket: DuplexStream) -> io::Result<()> {
        let (reader, writer) = split(socket);
        serve(reader, writer).await
    }

    /// What the server answers, and what it returns.
    async fn answers(pieces: &[&str]) -> (String, io::Result<()>) {
        let (ours, mut theirs) = duplex(16);
        let client = async {
            let (mut reader, mut writer) = split(&mut theirs);
            let send = async {
                for piece in pieces {
                    if writer.write_all(piece.as_bytes()).await.is_err()
                    {
                        return; // The server has closed.
                    }
                    tokio::task::yield_now().await;
                }
                writer.shutdown().await.expect("it's in memory");
            };
            let mut answers = String::new();
            let receive = reader.read_to_string(&mut answers);
            tokio::join!(send, receive).1.expect("it's text");
            answers
        };
        let (served, answers) = tokio::join!(served(ours), client);
        (answers, served)
    }

    #[tokio::test]
    async fn edges_two_and_a_half_orders_in_one_write() {
        let whole = "order 1\norder 2\norder 3\n";
        let expected = "ok order 1\nok order 2\nok order 3\n";
        for cut in 0..=whole.len() {
            let (first, second) = whole.split_at(cut);
            let (answers, served) = answers(&[first, second]).await;
            served.expect("the lines are whole");
            assert_eq!(answers, expected, "{cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_a_client_that_waits_for_its_answer() {
        let (ours, mut theirs) = duplex(64);
        let client = async {
            let mut answer = [0; 11];
            for _ in 0..3 {
                theirs.write_all(b"order 1\n").await.expect("read");
                let reading = theirs.read_exact(&mut answer);
                within(PATIENCE / 2, reading).await.expect("answered");
                assert_eq!(&answer, b"ok order 1\n");
            }
            drop(theirs);
        };
        let (served, ()) = tokio::join!(served(ours), client);
        served.expect("it ends well");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_an_error() {
        let served = within(HOUR, serve(Silent, Silent)).await;
        let error = served.expect_err("silent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let served = within(HOUR, serve(&b"a\n"[..], Silent)).await;
        let error = served.expect_err("it doesn't read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bytes_do_not_extend_the_time_for_a_line() {
        let (ours, theirs) = duplex(1);
        let client = async {
            let mut slow = Slow::new(theirs, PATIENCE / 6);
            slow.write_all(b"order 1\norder 2\n").await.ok();
        };
        let served = async { served(ours).await };
        let (served, ()) = tokio::join!(served, client);
        let error = served.expect_err("a line takes 80 seconds");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn overload_by_a_line_without_an_end() {
        let endless = tokio::io::repeat(b'x');
        let mut answers = Vec::new();
        let error = serve(endless, &mut answers).await;
        let error = error.expect_err("it's too long");
        assert_eq!(error.to_string(), "cut off, or too long");
        assert!(answers.is_empty());
    }

    #[tokio::test]
    async fn edges_no_order_and_the_longest() {
        assert_eq!(answers(&[]).await.0, "");
        assert_eq!(answers(&["\n"]).await.0, "ok \n");
        let longest = format!("{}ä\n", "x".repeat(97));
        let (answer, served) = answers(&[&longest]).await;
        served.expect("it's short enough");
        assert_eq!(answer, format!("ok {longest}"));
        let (answer, served) = answers(&[&format!("x{longest}")]).await;
        assert_eq!(answer, "");
        assert!(served.is_err());
        let mut answer = Vec::new();
        assert!(serve(&b"\xff\n"[..], &mut answer).await.is_err());
        assert!(answer.is_empty());
    }

    #[tokio::test]
    async fn crash_of_the_client_in_the_middle_of_an_order() {
        let (answers, served) = answers(&["order 1\nord"]).await;
        assert_eq!(answers, "ok order 1\n");
        let error = served.expect_err("the second is cut off");
        assert_eq!(error.to_string(), "cut off, or too long");
    }

    #[tokio::test]
    async fn failure_of_a_read_or_write_is_returned() {
        for good in 0..2 {
            let reader = Failing::after(&b"order 1\n"[..], good);
            let mut answers = Vec::new();
            let served = serve(reader, &mut answers).await;
            let error = served.expect_err("reading fails");
            assert_eq!(error.to_string(), "disk full");
            assert_eq!(answers.is_empty(), good == 0);
            let writer = Failing::after(Vec::new(), good);
            let served =
                serve(&b"order 1\norder 2\n"[..], writer).await;
            let error = served.expect_err("writing fails");
            assert_eq!(error.to_string(), "disk full");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_answers_nothing_twice() {
        at_every_poll(async |cancel| {
            let (ours, mut theirs) = duplex(4);
            let orders = "order 1\norder 2\n";
            let expected = "ok order 1\nok order 2\n";
            let mut answers = String::new();
            let client = async {
                let (mut reader, mut writer) = split(&mut theirs);
                let send = async {
                    writer.write_all(orders.as_bytes()).await?;
                    writer.shutdown().await
                };
                let receive = reader.read_to_string(&mut answers);
                tokio::join!(send, receive)
            };
            let both = async { tokio::join!(served(ours), client).0 };
            let served = cancel.run(both).await;
            assert!(expected.starts_with(&answers), "{answers}");
            assert!(served.is_none() || answers == expected);
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_serve_a_hundred_clients() {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..100 {
            clients.spawn(async move {
                let order = format!("order {client}\n");
                let (answer, served) = answers(&[&order]).await;
                served.expect("it ends well");
                assert_eq!(answer, format!("ok {order}"));
            });
        }
        assert_eq!(clients.join_all().await.len(), 100);
    }
}
