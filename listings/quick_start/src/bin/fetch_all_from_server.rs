//! Ask a server for three prices at the same time.

use std::{io, net::SocketAddr};

use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader,
};
use tokio::net::TcpStream;

// ANCHOR: fetch_all
#[tokio::main]
async fn main() -> io::Result<()> {
    // The server runs until `_running` is dropped.
    let (server, _running) = price_server::start().await?;

    // Make all three calls concurrently. Stop at the first error.
    let (tea, coffee, cocoa) = tokio::try_join!(
        price_of("tea", server),
        price_of("coffee", server),
        price_of("cocoa", server),
    )?;
    println!("tea     {tea}");
    println!("coffee  {coffee}");
    println!("cocoa   {cocoa}");
    Ok(())
}

/// Returns the price of a product. An error names the product.
async fn price_of(
    product: &str,
    server: SocketAddr,
) -> io::Result<String> {
    ask(product, server).await.map_err(|error| {
        io::Error::new(error.kind(), format!("{product}: {error}"))
    })
}
// ANCHOR_END: fetch_all

// ANCHOR: ask
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
// ANCHOR_END: ask

/// Answers each line `GET price-of-<product>` with one line.
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
                "GET price-of-coffee" => "7.90\n",
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
    use std::time::Duration;

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
    async fn threads_ask_at_the_same_time() -> io::Result<()> {
        let (server, _running) = price_server::start().await?;
        let calls: Vec<_> = (0..50)
            .map(|_| tokio::spawn(price_of("tea", server)))
            .collect();
        for call in calls {
            let price = call.await.map_err(io::Error::other)??;
            assert_eq!(price, "4.20");
        }
        Ok(())
    }

    /// Answers one question with these bytes, and hangs up.
    async fn answers_with(bytes: &[u8]) -> io::Result<String> {
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let hang_up = async {
            let (client, _) = listener.accept().await?;
            let mut client = BufReader::new(client);
            let mut question = String::new();
            client.read_line(&mut question).await?;
            // The client may hang up first.
            client.write_all(bytes).await.ok();
            io::Result::Ok(question)
        };
        let (price, question) =
            tokio::join!(price_of("tea", server), hang_up);
        assert_eq!(question?, "GET price-of-tea\n");
        price
    }

    #[tokio::test]
    async fn crash_of_the_server_cuts_no_price_short() {
        let endless = format!("{}\n", "4".repeat(200));
        for sent in ["", "4", "4.20", &endless] {
            let error = answers_with(sent.as_bytes()).await;
            let error = error.expect_err("there was no whole line");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(error.to_string().starts_with("tea: "), "{error}");
        }
    }

    #[tokio::test]
    async fn edges_an_endless_line_is_not_kept() {
        let endless = [b'4'; 100_000];
        assert!(answers_with(&endless).await.is_err());
        assert_eq!(
            answers_with(b"4.20\n").await.ok(),
            Some("4.20".into())
        );
    }

    #[tokio::test]
    async fn failure_says_which_product() -> io::Result<()> {
        let (server, mut running) = price_server::start().await?;
        let error = price_of("gold", server).await.expect_err("gold");
        assert_eq!(error.to_string(), "gold: not sold here");
        // Nobody listens after the server is dropped.
        running.shutdown().await;
        let error = price_of("tea", server).await.expect_err("closed");
        assert!(error.to_string().starts_with("tea: "), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_closes_the_connection() -> io::Result<()> {
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let limit = Duration::from_millis(50);
        let call = tokio::time::timeout(limit, price_of("tea", server));
        let (called, accepted) = tokio::join!(call, listener.accept());
        assert!(called.is_err(), "nobody answers");
        let (mut client, _) = accepted?;
        let mut question = String::new();
        client.read_to_string(&mut question).await?;
        assert_eq!(question, "GET price-of-tea\n");
        Ok(())
    }
}
