//! Give each call a second, and go on without the one that hangs.

use std::{io, net::SocketAddr, time::Duration};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

// ANCHOR: first_timeout
/// The price, or why there is none, within `limit`.
///
/// When the time is up, the call is dropped: its connection closes.
async fn price_line(
    product: &str,
    server: SocketAddr,
    limit: Duration,
) -> String {
    let call = price_of(product, server);
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

/// Asks the server for one price, over a connection of its own.
async fn price_of(
    product: &str,
    server: SocketAddr,
) -> io::Result<String> {
    let mut server = BufReader::new(TcpStream::connect(server).await?);
    let question = format!("GET price-of-{product}\n");
    server.write_all(question.as_bytes()).await?;

    let mut answer = String::new();
    if server.read_line(&mut answer).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer.trim_end().to_owned())
}

/// Answers each line `GET price-of-<product>` with one line, but for
/// coffee: that question it never answers.
mod price_server {
    use std::{io, net::SocketAddr, time::Duration};

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
        task::JoinSet,
        time::sleep,
    };

    /// Starts the server on a free port of this machine.
    ///
    /// It ends when the returned set is dropped, and with it all of
    /// its connections.
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
                    // Too many open files, for one: it passes.
                    Err(error) => {
                        eprintln!("cannot accept: {error}");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(ended) = connections.join_next() => {
                    if let Ok(Err(error)) = ended {
                        eprintln!("connection lost: {error}");
                    }
                }
            }
        }
    }

    async fn answer(client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        let mut question = String::new();
        while client.read_line(&mut question).await? > 0 {
            let answer = match question.trim_end() {
                "GET price-of-tea" => "4.20\n",
                "GET price-of-coffee" => std::future::pending().await,
                "GET price-of-cocoa" => "5.50\n",
                _ => "not sold here\n",
            };
            client.write_all(answer.as_bytes()).await?;
            question.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

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
    async fn only_the_silent_one_is_given_up() -> io::Result<()> {
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
    async fn a_refused_connection_is_no_timeout() -> io::Result<()> {
        let (server, mut running) = price_server::start().await?;
        running.shutdown().await;
        let minute = Duration::from_secs(60);
        let tea = price_line("tea", server, minute).await;
        assert!(tea.starts_with("failed: "), "{tea}");
        Ok(())
    }
}
