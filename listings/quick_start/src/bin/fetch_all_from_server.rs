//! Ask a server for three prices at once.

// ANCHOR: fetch_all
use std::{io, net::SocketAddr};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Asks the server for one price, over a connection of its own.
async fn price_of(
    product: &str,
    server: SocketAddr,
) -> io::Result<String> {
    let mut server = BufReader::new(TcpStream::connect(server).await?);
    let question = format!("GET price-of-{product}\n");
    server.write_all(question.as_bytes()).await?;

    let mut answer = String::new();
    server.read_line(&mut answer).await?;
    match answer.strip_suffix('\n') {
        Some(price) => Ok(price.to_owned()),
        // It hung up, perhaps in the middle of a price.
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    // The server runs until `_running` is dropped.
    let (server, _running) = price_server::start().await?;

    // All three wait at the same time; the first error ends it.
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
// ANCHOR_END: fetch_all

/// Answers each line `GET price-of-<product>` with one line.
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

    async fn answer(client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        let mut question = String::new();
        while client.read_line(&mut question).await? > 0 {
            let answer = match question.trim_end() {
                "GET price-of-tea" => "4.20\n",
                "GET price-of-coffee" => "7.90\n",
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
    async fn answers_many_at_once() -> io::Result<()> {
        let (server, _running) = price_server::start().await?;
        let (tea, coffee, unknown) = tokio::try_join!(
            price_of("tea", server),
            price_of("coffee", server),
            price_of("gold", server),
        )?;
        assert_eq!(
            [tea, coffee, unknown],
            ["4.20", "7.90", "not sold here"]
        );
        Ok(())
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_is_an_error() -> io::Result<()> {
        for sent in ["", "4", "4.20"] {
            let listener =
                tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let server = listener.local_addr()?;
            let hang_up = async {
                let (mut client, _) = listener.accept().await?;
                let mut question = String::new();
                BufReader::new(&mut client)
                    .read_line(&mut question)
                    .await?;
                client.write_all(sent.as_bytes()).await?;
                io::Result::Ok(question)
            };
            let (price, question) =
                tokio::join!(price_of("tea", server), hang_up);
            assert_eq!(question?, "GET price-of-tea\n");
            let error = price.expect_err("there was no whole line");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        Ok(())
    }

    #[tokio::test]
    async fn nobody_listens_after_the_server_is_dropped()
    -> io::Result<()> {
        let (server, mut running) = price_server::start().await?;
        running.shutdown().await;
        assert!(price_of("tea", server).await.is_err());
        Ok(())
    }
}
