//! A client and its driver: a task polls the connection, and its end
//! explains a failed request.

use hyper::Request;
use tokio::io::{AsyncRead, AsyncWrite};

// ANCHOR: client
use axum::body::{Body, to_bytes};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::time::{Duration, timeout};
use tokio_util::task::AbortOnDropHandle;

const LIMIT: Duration = Duration::from_secs(10);

struct Client {
    sender: SendRequest<Body>,
    /// Polls the connection. Dropping the client aborts this task.
    driver: AbortOnDropHandle<()>,
}

impl Client {
    async fn connect(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> anyhow::Result<Self> {
        let shaking = handshake(TokioIo::new(stream));
        let (sender, connection) = timeout(LIMIT, shaking).await??;
        let driver = tokio::spawn(async {
            if let Err(error) = connection.await {
                eprintln!("the connection: {error}");
            }
        });
        let driver = AbortOnDropHandle::new(driver);
        Ok(Self { sender, driver })
    }
}
// ANCHOR_END: client

// ANCHOR: get
impl Client {
    /// Returns the answer, up to 10,000 bytes. After an error, or
    /// if this future is dropped, use another connection.
    async fn get(&mut self, path: &str) -> anyhow::Result<String> {
        let request = Request::get(path).header("host", "station");
        let request = request.body(Body::empty())?;
        let asking = async {
            self.sender.ready().await?;
            let answer = self.sender.send_request(request).await?;
            let status = answer.status();
            anyhow::ensure!(status.is_success(), "{status}");
            let body = Body::new(answer.into_body());
            let body = to_bytes(body, 10_000).await?;
            anyhow::Ok(String::from_utf8(body.into())?)
        };
        timeout(LIMIT, asking).await?
    }
}
// ANCHOR_END: get

use axum::{Router, routing::get};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

async fn serve(stream: DuplexStream) -> hyper::Result<()> {
    let station =
        Router::new().route("/departures", get(async || "Oslo 12:05"));
    hyper::server::conn::http1::Builder::new()
        .serve_connection(
            TokioIo::new(stream),
            TowerToHyperService::new(station),
        )
        .await
}

// ANCHOR: ends
async fn ends() -> anyhow::Result<()> {
    let (ours, mut theirs) = duplex(1024);
    let mut client = Client::connect(ours).await?;
    let hang_up = async move {
        theirs.read_u8().await?;
        drop(theirs); // The station hangs up, and doesn't answer.
        anyhow::Ok(())
    };
    let (answer, hung_up) =
        tokio::join!(client.get("/departures"), hang_up);
    hung_up?;
    show("the server closes", answer);
    show("the next request", client.get("/departures").await);

    let (ours, _theirs) = duplex(1024);
    let mut client = Client::connect(ours).await?;
    client.driver.abort();
    show("the driver is aborted", client.get("/departures").await);

    let (ours, _theirs) = duplex(1024);
    let (mut sender, _) = handshake(TokioIo::new(ours)).await?;
    let request = Request::get("/departures").body(Body::empty())?;
    let answer = sender.send_request(request).await;
    show("the driver was dropped", answer.map_err(Into::into));
    Ok(())
}
// ANCHOR_END: ends

fn show<T: std::fmt::Debug>(what: &str, answer: anyhow::Result<T>) {
    match answer {
        Ok(answer) => println!("{what}: {answer:?}"),
        Err(error) => println!("{what}: {error:#}"),
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let (ours, theirs) = duplex(1024);
    let ask = async {
        let mut client = Client::connect(ours).await?;
        client.get("/departures").await
    };
    let (answer, _) = tokio::join!(ask, serve(theirs));
    show("the client has", answer);
    ends().await
}

#[cfg(test)]
mod tests {
    use hazards::{HOUR, Silent, at_every_poll, no_task_left, within};
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What a client gets from a server that sends this answer.
    async fn answer_to(text: String) -> anyhow::Result<String> {
        let (ours, mut theirs) = duplex(1024);
        let ask = async {
            let mut client = Client::connect(ours).await?;
            client.get("/departures").await
        };
        let serve = async {
            theirs.read_buf(&mut Vec::new()).await.ok();
            theirs.write_all(text.as_bytes()).await.ok();
            theirs.read_buf(&mut Vec::new()).await.ok();
        };
        within(HOUR, async { tokio::join!(ask, serve).0 }).await
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_what_the_client_gets() {
        let (ours, theirs) = duplex(1024);
        let ask = async {
            let mut client = Client::connect(ours).await?;
            client.get("/departures").await
        };
        let (answer, _) = tokio::join!(ask, serve(theirs));
        assert_eq!(answer.expect("it's polled"), "Oslo 12:05");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_the_server_is_limited() {
        let mut client = Client::connect(Silent).await.expect("no I/O");
        let asked = within(HOUR, client.get("/departures")).await;
        let error = asked.expect_err("no answer");
        assert!(error.is::<tokio::time::error::Elapsed>());
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bodies_count_toward_the_limit() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nOs";
        answer_to(head.to_owned()).await.expect_err("never complete");
    }

    #[tokio::test(start_paused = true)]
    async fn overload_of_a_body_is_limited() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n";
        let answer = format!("{head}{}", "x".repeat(20_000));
        answer_to(answer).await.expect_err("too long");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_the_driver_fails_every_request() {
        let (ours, _theirs) = duplex(1024);
        let mut client = Client::connect(ours).await.expect("no I/O");
        client.driver.abort();
        for _ in 0..2 {
            client.get("/departures").await.expect_err("no driver");
        }
        let (ours, theirs) = duplex(1024);
        drop(theirs);
        let mut client = Client::connect(ours).await.expect("no I/O");
        client.get("/departures").await.expect_err("no server");
    }

    #[tokio::test(start_paused = true)]
    async fn owner_gone_ends_the_driver() {
        let client = Client::connect(Silent).await.expect("no I/O");
        drop(client);
        no_task_left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn cancel_at_every_poll_leaves_no_task() {
        at_every_poll(async |cancel| {
            let (ours, theirs) = duplex(1024);
            let ask = async {
                let mut client = Client::connect(ours).await?;
                client.get("/departures").await
            };
            let asked = cancel.run(ask);
            let both = async { tokio::join!(asked, serve(theirs)) };
            drop(within(HOUR, both).await);
            no_task_left().await;
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn again_the_connection_is_used_for_the_next_request() {
        let (ours, theirs) = duplex(1024);
        let ask = async {
            let mut client = Client::connect(ours).await?;
            for _ in 0..3 {
                client.get("/departures").await?;
            }
            anyhow::Ok(())
        };
        let (asked, _) = tokio::join!(ask, serve(theirs));
        asked.expect("three answers");
    }

    #[tokio::test(start_paused = true)]
    async fn edges_an_empty_answer_and_one_that_is_no_text() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let answer = answer_to(head.to_owned()).await;
        assert_eq!(answer.expect("complete"), "");
        let (ours, mut theirs) = duplex(1024);
        let mut client = Client::connect(ours).await.expect("no I/O");
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xff";
        let serve = async {
            theirs.read_buf(&mut Vec::new()).await.ok();
            theirs.write_all(head).await.ok();
        };
        let (answer, ()) = tokio::join!(client.get("/"), serve);
        answer.expect_err("it's no text");
    }

    #[tokio::test(start_paused = true)]
    async fn failure_of_a_request_is_no_answer() {
        let (ours, theirs) = duplex(1024);
        let ask = async {
            let mut client = Client::connect(ours).await?;
            client.get("/nothing").await
        };
        let (answer, _) = tokio::join!(ask, serve(theirs));
        let error = answer.expect_err("not found");
        assert!(error.to_string().contains("404"), "{error}");
    }
}
