//! Give each call a second, and continue without the one that hangs.

use std::{io, net::SocketAddr, time::Duration};

use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader,
};
use tokio::net::TcpStream;

// ANCHOR: first_timeout
/// Returns the price, or the reason why there is none.
///
/// After `limit`, the call is dropped, which closes its connection.
async fn price_line(
    product: &str,
    server: SocketAddr,
    limit: Duration,
) -> String {
    let call = ask(product, server);
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(price)) => price,
        Ok(Err(error)) => format!("failed: {error}"),
        Err(_elapsed) => format!("no answer within {limit:?}"),
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (server, _running) = price_server::start().await?;
    let second = Duration::from_secs(1);

    let (tea, coffee, cocoa) = tokio::join!(
        price_line("tea", server, second),
        price_line("coffee", server, second),
        price_line("cocoa", server, second),
    );
    println!("tea     {tea}");
    println!("coffee  {coffee}");
    println!("cocoa   {cocoa}");
    Ok(())
}
// ANCHOR_END: first_timeout

/// Asks the server for a price, over a new connection. There's no
/// timeout. Dropping the future closes the connection.
async fn ask(product: &str, server: SocketAddr) -> io::Result<String> {
    let mut server = BufReader::new(TcpStream::connect(server).await?);
    let question = format!("GET price-of-{product}\n");
    server.write_all(question.as_bytes()).await?;

    // Read at most 100 bytes: every price is shorter than that.
    let mut answer = String::new();
    server.take(100).read_line(&mut answer).await?;
    match answer.strip_suffix('\n') {
        Some("not sold here") => Err(io::Error::other("not sold here")),
        Some(price) => Ok(price.to_owned()),
        // The server hung up, perhaps in the middle of a price.
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Answers each line `GET price-of-<product>` with one line, but
/// never answers a request for coffee.
mod price_server {
    use std::{io, net::SocketAddr, time::Duration};

    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
        task::JoinSet,
        time::{sleep, timeout},
    };

    /// Starts the server on a free port of this machine.
    ///
    /// Dropping the returned set stops the server and closes its
    /// connections.
    pub async fn start() -> io::Result<(SocketAddr, JoinSet<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut running = JoinSet::new();
        running.spawn(serve(listener));
        Ok((address, running))
    }

    async fn serve(listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => {
                        connections.spawn(answer(client));
                    }
                    // Usually too many open files: retry later.
                    Err(error) => {
                        eprintln!("cannot accept: {error}");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(ended) = connections.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        eprintln!("connection lost: {error}");
                    }
                    Err(panic) => eprintln!("{panic}"),
                },
            }
        }
    }

    /// Serves a client until it hangs up, stalls for ten seconds, or
    /// sends a line that is too long.
    async fn answer(client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        loop {
            let mut question = String::new();
            let mut limited = (&mut client).take(100);
            let read = limited.read_line(&mut question);
            timeout(Duration::from_secs(10), read).await??;
            let Some(question) = question.strip_suffix('\n') else {
                return Ok(());
            };
            let answer = match question {
                "GET price-of-tea" => "4.20\n",
                "GET price-of-coffee" => std::future::pending().await,
                "GET price-of-cocoa" => "5.50\n",
                _ => "not sold here\n",
            };
            let write = client.write_all(answer.as_bytes());
            timeout(Duration::from_secs(10), write).await??;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_server_ends_with_its_client() -> io::Result<()> {
        let (server, _running) = price_server::start().await?;
        let mut client = TcpStream::connect(server).await?;
        client.write_all(b"GET price-of-cocoa\n").await?;
        client.shutdown().await?;
        let mut answers = String::new();
        client.read_to_string(&mut answers).await?;
        assert_eq!(answers, "5.50\n");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn silence_costs_only_the_silent_one() -> io::Result<()> {
        let (server, _running) = price_server::start().await?;
        let minute = Duration::from_secs(60);
        let (tea, coffee) = tokio::join!(
            price_line("tea", server, minute),
            price_line("coffee", server, Duration::from_millis(50)),
        );
        assert_eq!(tea, "4.20");
        assert_eq!(coffee, "no answer within 50ms");
        Ok(())
    }

    #[tokio::test]
    async fn failure_of_the_connection_is_no_timeout() -> io::Result<()>
    {
        let (server, mut running) = price_server::start().await?;
        let minute = Duration::from_secs(60);
        let gold = price_line("gold", server, minute).await;
        assert_eq!(gold, "failed: not sold here");
        running.shutdown().await;
        let tea = price_line("tea", server, minute).await;
        assert!(tea.starts_with("failed: "), "{tea}");
        Ok(())
    }

    /// Sends these bytes as an answer, byte by byte, and hangs up.
    async fn answers_with(bytes: &[u8], pause: Duration) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = listener.await.expect("a port");
        let server = listener.local_addr().expect("an address");
        let drip = async {
            let (client, _) = listener.accept().await?;
            let mut client = BufReader::new(client);
            let mut question = String::new();
            client.read_line(&mut question).await?;
            for byte in bytes {
                // The client may hang up first.
                client.write_all(&[*byte]).await?;
                tokio::time::sleep(pause).await;
            }
            io::Result::Ok(())
        };
        let limit = Duration::from_millis(300);
        let line = price_line("tea", server, limit);
        tokio::join!(line, drip).0
    }

    #[tokio::test]
    async fn crash_of_the_server_cuts_no_price_short() {
        for sent in ["", "4", "4.20"] {
            let line = answers_with(sent.as_bytes(), Duration::ZERO);
            assert_eq!(line.await, "failed: unexpected end of file");
        }
    }

    #[tokio::test]
    async fn edges_an_endless_line_and_no_time() -> io::Result<()> {
        let line = answers_with(&[b'4'; 200], Duration::ZERO).await;
        assert_eq!(line, "failed: unexpected end of file");
        let (server, _running) = price_server::start().await?;
        let line = price_line("coffee", server, Duration::ZERO).await;
        assert_eq!(line, "no answer within 0ns");
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_ask_at_the_same_time() -> io::Result<()> {
        let (server, _running) = price_server::start().await?;
        let minute = Duration::from_secs(60);
        let lines: Vec<_> = (0..50)
            .map(|_| tokio::spawn(price_line("tea", server, minute)))
            .collect();
        for line in lines {
            assert_eq!(line.await.map_err(io::Error::other)?, "4.20");
        }
        Ok(())
    }

    #[tokio::test]
    async fn slow_answers_end_at_the_limit() {
        let pause = Duration::from_millis(200);
        let line = answers_with(b"4.20\n", pause).await;
        assert_eq!(line, "no answer within 300ms");
    }

    #[tokio::test]
    async fn cancel_closes_the_connection() -> io::Result<()> {
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let limit = Duration::from_millis(50);
        let call = price_line("tea", server, limit);
        let (line, accepted) = tokio::join!(call, listener.accept());
        assert_eq!(line, "no answer within 50ms");
        let (mut client, _) = accepted?;
        let mut question = String::new();
        client.read_to_string(&mut question).await?;
        assert_eq!(question, "GET price-of-tea\n");
        Ok(())
    }
}
