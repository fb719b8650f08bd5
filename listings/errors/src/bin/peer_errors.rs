//! How a peer can fail, and whether to retry.

// ANCHOR: classify
use std::time::Duration;

use reqwest::{
    Client, Response, StatusCode as Status, header::RETRY_AFTER,
};

/// What the caller can do about it.
#[derive(Debug, PartialEq)]
enum Advice {
    /// It wasn't done. Retry, after the server's wait if it gave one.
    TryAgain(Option<Duration>),
    /// It may have been done: retry only if it's safe to repeat.
    Unknown,
    /// The same request will fail again.
    GiveUp,
}

/// Asks once. Every error contains advice for the caller.
async fn ask(client: &Client, url: &str) -> Result<String, Advice> {
    let answer = client.get(url).send().await.map_err(of_error)?;
    match answer.status() {
        status if status.is_success() => {
            answer.text().await.map_err(of_error)
        }
        Status::REQUEST_TIMEOUT
        | Status::TOO_EARLY
        | Status::TOO_MANY_REQUESTS => {
            Err(Advice::TryAgain(retry_after(&answer)))
        }
        Status::SERVICE_UNAVAILABLE => match retry_after(&answer) {
            // A proxy whose connection broke also sends a plain 503.
            None => Err(Advice::Unknown),
            wait => Err(Advice::TryAgain(wait)),
        },
        Status::INTERNAL_SERVER_ERROR
        | Status::BAD_GATEWAY
        | Status::GATEWAY_TIMEOUT => Err(Advice::Unknown),
        _ => Err(Advice::GiveUp),
    }
}
// ANCHOR_END: classify

// ANCHOR: error
/// No answer, or only half of it.
fn of_error(error: reqwest::Error) -> Advice {
    if error.is_builder() || error.is_redirect() {
        return Advice::GiveUp;
    }
    match error.is_connect() {
        // Nothing was sent. This includes an unknown host name and an
        // invalid certificate, which a retry doesn't fix.
        true => Advice::TryAgain(None),
        false => Advice::Unknown,
    }
}

/// The header as a number of seconds. A peer may ask for any time, so
/// it's a day at most. A date, its other form, isn't read.
fn retry_after(answer: &Response) -> Option<Duration> {
    let value = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = value.parse().ok()?;
    Some(Duration::from_secs(seconds.min(24 * 60 * 60)))
}
// ANCHOR_END: error

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
        Some("/asks-for-ages") => {
            "503 Busy\r\nRetry-After: 18446744073709551615\r\n\r\n"
        }
        Some("/proxy") => "503 Service Unavailable\r\n\r\n",
        Some("/fails") => "500 Internal Server Error\r\n\r\n",
        Some("/cannot") => "501 Not Implemented\r\n\r\n",
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

/// An address on which no server listens.
async fn nobody() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(format!("http://{}", listener.local_addr()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>>
{
    let (client, peer) = (client()?, Peer::start().await?);
    let refused = ask(&client, &nobody().await?).await;
    println!("{:<8} {refused:?}", "refuses");
    for path in
        ["stalls", "resets", "half", "busy", "fails", "cannot", "gone"]
    {
        let url = format!("{}/{path}", peer.base);
        println!("{path:<8} {:?}", ask(&client, &url).await);
    }
    println!("{:<8} {:?}", "answers", ask(&client, &peer.base).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

    #[tokio::test]
    async fn failure_of_each_kind_has_its_advice() -> Tested {
        let (client, peer) = (client()?, Peer::start().await?);
        let refused = ask(&client, &nobody().await?).await;
        assert_eq!(refused, Err(Advice::TryAgain(None)));
        for path in ["resets", "half", "fails", "proxy"] {
            let url = format!("{}/{path}", peer.base);
            let asked = ask(&client, &url).await;
            assert_eq!(asked, Err(Advice::Unknown), "{path}");
        }
        let busy = ask(&client, &format!("{}/busy", peer.base)).await;
        let two = Some(Duration::from_secs(2));
        assert_eq!(busy, Err(Advice::TryAgain(two)));
        for path in ["gone", "cannot"] {
            let url = format!("{}/{path}", peer.base);
            let asked = ask(&client, &url).await;
            assert_eq!(asked, Err(Advice::GiveUp), "{path}");
        }
        assert_eq!(ask(&client, &peer.base).await, Ok("whole".into()));
        Ok(())
    }

    #[tokio::test]
    async fn silence_is_an_unknown_outcome() -> Tested {
        let (client, peer) = (client()?, Peer::start().await?);
        let url = format!("{}/stalls", peer.base);
        assert_eq!(ask(&client, &url).await, Err(Advice::Unknown));
        Ok(())
    }

    #[tokio::test]
    async fn edges_no_address_and_an_absurd_time() -> Tested {
        let (client, peer) = (client()?, Peer::start().await?);
        assert_eq!(ask(&client, "no URL").await, Err(Advice::GiveUp));
        let url = format!("{}/asks-for-ages", peer.base);
        let day = Some(Duration::from_secs(24 * 60 * 60));
        let asked = ask(&client, &url).await;
        assert_eq!(asked, Err(Advice::TryAgain(day)));
        Ok(())
    }
}
