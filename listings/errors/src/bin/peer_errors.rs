//! Six ways in which a peer fails: is it worth another try?

// ANCHOR: classify
use std::time::Duration;

use reqwest::{Client, StatusCode, header::RETRY_AFTER};

/// What the caller can do about it.
#[derive(Debug, PartialEq)]
enum Advice {
    /// It may pass. The server may have said when.
    TryAgain(Option<Duration>),
    /// The same request will fail again.
    GiveUp,
}

/// Asks once. An answer is `Ok`, everything else has an advice.
async fn ask(client: &Client, url: &str) -> Result<String, Advice> {
    let answer = client.get(url).send().await.map_err(advice)?;
    let status = answer.status();
    if status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error()
    {
        let after = answer.headers().get(RETRY_AFTER);
        let seconds =
            after.and_then(|it| it.to_str().ok()?.parse().ok());
        return Err(Advice::TryAgain(seconds.map(Duration::from_secs)));
    }
    if !status.is_success() {
        return Err(Advice::GiveUp);
    }
    answer.text().await.map_err(advice)
}

/// Without an answer, or with half of one.
fn advice(error: reqwest::Error) -> Advice {
    // A request that cannot even be built will not get better.
    match error.is_builder() || error.is_redirect() {
        true => Advice::GiveUp,
        false => Advice::TryAgain(None),
    }
}
// ANCHOR_END: classify

use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A server on this machine that fails as its path says.
struct Peer {
    base: String,
    _running: JoinSet<()>,
}

impl Peer {
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(answer(client));
            }
        });
        Ok(Self { base, _running: running })
    }
}

async fn answer(client: TcpStream) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if client.read_line(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let answer = match request.split(' ').nth(1) {
        Some("/stalls") => std::future::pending().await,
        Some("/resets") => return client.get_ref().set_zero_linger(),
        Some("/half") => "200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        Some("/busy") => {
            "429 Too Many Requests\r\nRetry-After: 2\r\n\r\n"
        }
        Some("/fails") => "500 Internal Server Error\r\n\r\n",
        Some("/gone") => "410 Gone\r\n\r\n",
        _ => "200 OK\r\nContent-Length: 5\r\n\r\nwhole",
    };
    let answer = format!("HTTP/1.1 {answer}");
    client.write_all(answer.as_bytes()).await
}

/// A client that does not wait for long, as all of them should.
fn client() -> reqwest::Result<Client> {
    let limit = Duration::from_millis(500);
    Client::builder().no_proxy().timeout(limit).build()
}

/// An address where nobody listens.
async fn nobody() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(format!("http://{}", listener.local_addr()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, peer) = (client()?, Peer::start().await?);
    let refused = ask(&client, &nobody().await?).await;
    println!("{:<8} {refused:?}", "refuses");
    for path in ["stalls", "resets", "half", "busy", "fails", "gone"] {
        let url = format!("{}/{path}", peer.base);
        println!("{path:<8} {:?}", ask(&client, &url).await);
    }
    println!("{:<8} {:?}", "answers", ask(&client, &peer.base).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_failure_has_its_advice()
    -> Result<(), Box<dyn std::error::Error>> {
        let (client, peer) = (client()?, Peer::start().await?);
        let again = Err(Advice::TryAgain(None));
        assert_eq!(ask(&client, &nobody().await?).await, again);
        for path in ["stalls", "resets", "half", "fails"] {
            let url = format!("{}/{path}", peer.base);
            assert_eq!(ask(&client, &url).await, again, "{path}");
        }
        let busy = ask(&client, &format!("{}/busy", peer.base)).await;
        let two = Some(Duration::from_secs(2));
        assert_eq!(busy, Err(Advice::TryAgain(two)));
        let gone = ask(&client, &format!("{}/gone", peer.base)).await;
        assert_eq!(gone, Err(Advice::GiveUp));
        assert_eq!(ask(&client, "no URL").await, Err(Advice::GiveUp));
        assert_eq!(ask(&client, &peer.base).await, Ok("whole".into()));
        Ok(())
    }
}
