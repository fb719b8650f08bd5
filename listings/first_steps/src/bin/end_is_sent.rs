//! Send a request, mark its end, and read the whole answer.

// ANCHOR: ask
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

const LIMIT: Duration = Duration::from_secs(60);
const LONGEST: u64 = 1_000_000;

/// Sends a request and returns the answer, which ends with a `\n`.
///
/// # Errors
///
/// The exchange takes longer than a minute, the answer is too long, cut
/// off, or not UTF-8, or the connection fails. Even then, or if this
/// future is dropped, the server may have received the request.
async fn ask(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> io::Result<String> {
    let mut answer = String::new();
    let exchange = async {
        socket.write_all(request.as_bytes()).await?;
        socket.shutdown().await?; // Sends EOF.
        let mut socket = socket.take(LONGEST);
        socket.read_to_string(&mut answer).await?;
        match socket.limit() {
            0 => Err(io::Error::other("the answer is too long")),
            _ if answer.ends_with('\n') => Ok(()),
            // A server that crashes sends EOF, too.
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    };
    timeout(LIMIT, exchange).await??;
    Ok(answer)
}
// ANCHOR_END: ask

/// The server: it needs the whole request before it can answer.
async fn count(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut orders = String::new();
    let exchange = async {
        (&mut socket).take(LONGEST).read_to_string(&mut orders).await?;
        let answer = format!("{} orders\n", orders.lines().count());
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await
    };
    timeout(LIMIT, exchange).await?
}

use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = async { count(listener.accept().await?.0).await };
    let client = async {
        let socket = TcpStream::connect(address).await?;
        ask(socket, "order 1\norder 2\n").await
    };
    let ((), answer) = tokio::try_join!(server, client)?;
    print!("{answer}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use hazards::{Failing, HOUR, Silent, Slow, at_every_poll, within};
    use tokio::io::{duplex, join};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_of_two_sides_that_wait_for_the_end() {
        let (ours, theirs) = duplex(4);
        let asking = ask(ours, "order 1\norder 2\n");
        let both = async { tokio::join!(asking, count(theirs)) };
        let (answer, counted) = within(LIMIT / 2, both).await;
        counted.expect("it has answered");
        assert_eq!(answer.expect("an answer"), "2 orders\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_is_an_error() {
        let asked = within(HOUR, ask(Silent, "order 1\n")).await;
        let error = asked.expect_err("it doesn't even read");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let socket = join(Silent, Vec::new());
        let asked = within(HOUR, ask(socket, "order 1\n")).await;
        let error = asked.expect_err("it doesn't answer");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_have_a_minute_in_all() {
        let socket = Slow::new(tokio::io::repeat(b'x'), LIMIT / 6);
        let socket = join(socket, Vec::new());
        let asked = within(HOUR, ask(socket, "order 1\n")).await;
        let error = asked.expect_err("it never ends");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn overload_by_an_answer_without_an_end() {
        let socket = join(tokio::io::repeat(b'x'), Vec::new());
        let error = ask(socket, "").await.expect_err("too long");
        assert_eq!(error.to_string(), "the answer is too long");
    }

    #[tokio::test]
    async fn edges_of_requests_and_answers() {
        for answer in ["\n", "ä\n", "two\nlines\n"] {
            let socket = join(answer.as_bytes(), Vec::new());
            let asked = ask(socket, "").await;
            assert_eq!(asked.expect("it's whole"), answer);
        }
        let socket = join(&b"\xff\n"[..], Vec::new());
        assert!(ask(socket, "").await.is_err());
        for (length, is_good) in [(LONGEST - 1, true), (LONGEST, false)]
        {
            let answer = tokio::io::repeat(b'x').take(length - 1);
            let socket = join(answer.chain(&b"\n"[..]), Vec::new());
            assert_eq!(ask(socket, "").await.is_ok(), is_good);
        }
    }

    #[tokio::test]
    async fn crash_of_the_server_in_the_middle_of_its_answer() {
        let whole = "12 orders\n";
        for length in 0..whole.len() {
            let socket = join(&whole.as_bytes()[..length], Vec::new());
            let error = ask(socket, "").await.expect_err("cut off");
            let kind = error.kind();
            assert_eq!(kind, io::ErrorKind::UnexpectedEof, "{length}");
        }
    }

    #[tokio::test]
    async fn failure_of_a_read_or_write_is_returned() {
        let socket = join(&b"ok"[..], Failing::after(Vec::new(), 0));
        assert!(ask(socket, "order 1\n").await.is_err());
        let socket = join(Failing::after(&b"ok"[..], 1), Vec::new());
        assert!(ask(socket, "order 1\n").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_closes_the_connection() {
        at_every_poll(async |cancel| {
            let (ours, theirs) = duplex(4);
            let counting = tokio::spawn(count(theirs));
            let asked = cancel.run(ask(ours, "order 1\n")).await;
            let counted = within(LIMIT / 2, counting).await;
            let counted = counted.expect("no panic");
            assert!(asked.is_none() || counted.is_ok());
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_ask_over_a_hundred_connections() {
        let mut clients = tokio::task::JoinSet::new();
        for orders in 0..100 {
            clients.spawn(async move {
                let (ours, theirs) = duplex(4);
                let counting = tokio::spawn(count(theirs));
                let request = "order\n".repeat(orders);
                let answer = ask(ours, &request).await;
                let expected = format!("{orders} orders\n");
                assert_eq!(answer.expect("an answer"), expected);
                counting.await.expect("no panic").expect("no error");
            });
        }
        assert_eq!(clients.join_all().await.len(), 100);
    }
}
