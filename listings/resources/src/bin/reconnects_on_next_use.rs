//! One connection for many callers, opened again after it was lost.

// ANCHOR: stock
use std::io::{self, ErrorKind};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::Mutex,
    time::{Duration, timeout},
};

/// A client of the stock. All callers share its connection.
struct Stock {
    address: String,
    limit: Duration,
    connection: Mutex<Option<BufReader<TcpStream>>>,
}
// ANCHOR_END: stock

// ANCHOR: ask
impl Stock {
    /// Sends the command once. After an error, a timeout, or a cancel,
    /// the stock may have executed it, and the next call connects again.
    async fn ask(&self, command: &str) -> io::Result<String> {
        if command.contains('\n') {
            // Two commands get two answers, one of them too many.
            return Err(ErrorKind::InvalidInput.into());
        }
        let answer = timeout(self.limit, async {
            let mut shared = self.connection.lock().await;
            // Taken out: only an answer puts it back.
            let mut connection = match shared.take() {
                Some(open) => open,
                None => {
                    let socket =
                        TcpStream::connect(&self.address).await?;
                    BufReader::new(socket)
                }
            };
            let line = format!("{command}\n");
            connection.write_all(line.as_bytes()).await?;
            let mut answer = String::new();
            (&mut connection).take(1024).read_line(&mut answer).await?;
            let Some(line) = answer.strip_suffix('\n') else {
                return Err(ErrorKind::UnexpectedEof.into());
            };
            if connection.buffer().is_empty() {
                *shared = Some(connection);
            }
            Ok(line.to_owned())
        });
        answer.await?
    }
}
// ANCHOR_END: ask

// ANCHOR: main
#[tokio::main]
async fn main() -> io::Result<()> {
    // The stock closes its first connection instead of answering twice.
    let (stock, server) = stock_that(&[Loses(1), Answers]).await?;
    for command in ["take tea", "take tea", "take tea"] {
        match stock.ask(command).await {
            Ok(answer) => println!("{command}: {answer}"),
            Err(error) => println!("{command}: {error}"),
        }
    }
    println!("the stock received {} commands", server.received());
    Ok(())
}
// ANCHOR_END: main

use Connection::{Answers, Loses};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{io::BufStream, net::TcpListener, task::JoinSet};

/// What the stock does with a connection.
#[derive(Debug, Clone, Copy)]
enum Connection {
    /// It answers each command with a number.
    Answers,
    /// It answers some commands, reads another one, and closes.
    Loses(usize),
    /// It reads, and never answers.
    #[cfg(test)]
    Silent,
    /// It answers with too much.
    #[cfg(test)]
    Floods,
    /// It answers each command twice.
    #[cfg(test)]
    Repeats,
}

struct Server {
    received: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

/// A client, and a server whose connections behave like this, in turn.
async fn stock_that(
    behave: &'static [Connection],
) -> io::Result<(Stock, Server)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let received = Arc::new(AtomicUsize::new(0));
    let count = received.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        for &behavior in behave {
            let Ok((socket, _)) = listener.accept().await else {
                return;
            };
            open.spawn(serve(socket, behavior, count.clone()));
        }
        drop(listener);
        while open.join_next().await.is_some() {}
    });
    let limit = Duration::from_secs(10);
    let connection = Mutex::new(None);
    let server = Server { received, _tasks: tasks };
    Ok((Stock { address, limit, connection }, server))
}

async fn serve(
    socket: TcpStream,
    behavior: Connection,
    received: Arc<AtomicUsize>,
) {
    let mut socket = BufStream::new(socket);
    let mut command = String::new();
    for number in 0.. {
        command.clear();
        if !matches!(socket.read_line(&mut command).await, Ok(1..)) {
            return;
        }
        let nth = received.fetch_add(1, Ordering::Relaxed) + 1;
        let answer = match behavior {
            Answers => format!("done, as number {nth}\n"),
            Loses(after) if number < after => {
                format!("done, as number {nth}\n")
            }
            Loses(_) => return,
            #[cfg(test)]
            Connection::Silent => continue,
            #[cfg(test)]
            Connection::Floods => "tea ".repeat(1024),
            #[cfg(test)]
            Connection::Repeats => "done\n".repeat(2),
        };
        if socket.write_all(answer.as_bytes()).await.is_err()
            || socket.flush().await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Connection::{Floods, Repeats, Silent};
    use super::*;

    #[tokio::test]
    async fn failure_is_reported_once_and_not_repeated()
    -> io::Result<()> {
        let (stock, server) = stock_that(&[Loses(0), Answers]).await?;
        let error = stock.ask("take tea").await.expect_err("it's lost");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(server.received(), 1);
        assert_eq!(stock.ask("take tea").await?, "done, as number 2");
        Ok(())
    }

    #[tokio::test]
    async fn again_after_several_losses() -> io::Result<()> {
        let (stock, server) =
            stock_that(&[Loses(0), Loses(0), Answers]).await?;
        assert!(stock.ask("take tea").await.is_err());
        assert!(stock.ask("take tea").await.is_err());
        for _ in 0..3 {
            assert!(stock.ask("take tea").await.is_ok());
        }
        assert_eq!(server.received(), 5);
        Ok(())
    }

    #[tokio::test]
    async fn silence_ends_at_the_limit() -> io::Result<()> {
        let (mut stock, _server) =
            stock_that(&[Silent, Answers]).await?;
        stock.limit = Duration::from_millis(50);
        let error = stock.ask("take tea").await.expect_err("no answer");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        stock.limit = Duration::from_secs(10);
        assert!(stock.ask("take tea").await.is_ok());
        Ok(())
    }

    /// Its late answer would reach the next caller.
    #[tokio::test]
    async fn cancel_drops_the_connection() -> io::Result<()> {
        let (stock, server) = stock_that(&[Silent, Answers]).await?;
        let sent = async {
            while server.received() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = stock.ask("take tea") => panic!("{answer:?}"),
            () = sent => {}
        }
        assert_eq!(stock.ask("take tea").await?, "done, as number 2");
        Ok(())
    }

    #[tokio::test]
    async fn edges_too_long_an_answer_is_an_error() -> io::Result<()> {
        let (stock, _server) = stock_that(&[Floods, Answers]).await?;
        let error = stock.ask("take tea").await.expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(stock.ask("take tea").await.is_ok());
        Ok(())
    }

    #[tokio::test]
    async fn edges_two_lines_are_not_one_command() -> io::Result<()> {
        let (stock, server) = stock_that(&[Answers]).await?;
        let two = stock.ask("take tea\ntake tea").await;
        let error = two.expect_err("two commands");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(stock.ask("take tea").await?, "done, as number 1");
        assert_eq!(server.received(), 1);
        Ok(())
    }

    /// The next caller would get the second one.
    #[tokio::test]
    async fn edges_a_second_answer_drops_the_connection()
    -> io::Result<()> {
        let (stock, _server) = stock_that(&[Repeats, Answers]).await?;
        assert_eq!(stock.ask("take tea").await?, "done");
        assert_eq!(stock.ask("take tea").await?, "done, as number 2");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn threads_share_one_connection() -> io::Result<()> {
        let (stock, server) = stock_that(&[Answers]).await?;
        let stock = Arc::new(stock);
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let stock = stock.clone();
            callers.spawn(async move { stock.ask("take tea").await });
        }
        let answers = callers.join_all().await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(server.received(), 50);
        Ok(())
    }
}
