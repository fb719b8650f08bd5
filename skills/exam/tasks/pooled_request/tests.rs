//! A server that is slow, silent, or gone, and callers that give up.

use super::solution::Client;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

exam::tests! {
    current answers_over_few_connections,
    current a_canceled_request_leaves_no_answer,
    current a_timeout_leaves_no_answer,
    current a_closed_connection_is_not_used,
    current a_refused_connection_says_so,
    current the_wait_for_a_connection_counts,
}

const LONG: Duration = Duration::from_secs(5);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The most connections that were open at the same time.
type Most = Arc<AtomicUsize>;

async fn serve() -> (SocketAddr, Most) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Most::default());
    let counted = most.clone();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.expect("a connection");
            let open = open.clone();
            counted.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::spawn(async move {
                // It fails when the client has closed the connection.
                drop(answer_all(connection).await);
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, most)
}

/// Answers each line with `re: LINE`. The first word says how.
async fn answer_all(connection: TcpStream) -> std::io::Result<()> {
    let (reader, mut writer) = connection.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = format!("re: {line}\n");
        match line.split(' ').next() {
            Some("slow") => {
                sleep(ms(150)).await;
                writer.write_all(answer.as_bytes()).await?;
            }
            Some("half") => {
                writer.write_all(&answer.as_bytes()[..6]).await?;
                sleep(ms(150)).await;
                writer.write_all(&answer.as_bytes()[6..]).await?;
            }
            Some("silent") => sleep(LONG).await,
            Some("last") => {
                writer.write_all(answer.as_bytes()).await?;
                sleep(ms(20)).await;
                writer.write_all(b"BYE\n").await?;
                return Ok(());
            }
            _ => writer.write_all(answer.as_bytes()).await?,
        }
    }
    Ok(())
}

async fn assert_answered(client: &Client, line: &str, when: &str) {
    let answer = client.request(line).await;
    let answer = answer.unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_eq!(answer, format!("re: {line}"), "{when}: another answer");
}

async fn answers_over_few_connections() {
    let (server, most) = serve().await;
    let client = Arc::new(Client::new(server, 3, LONG).await);
    let mut tasks = JoinSet::new();
    for n in 0..60 {
        let client = client.clone();
        tasks.spawn(async move {
            assert_answered(&client, &n.to_string(), "among many").await;
        });
    }
    tasks.join_all().await;
    let most = most.load(Ordering::SeqCst);
    assert!(
        (1..=3).contains(&most),
        "{most} connections were open, and 3 allowed"
    );
}

async fn a_canceled_request_leaves_no_answer() {
    let (server, _) = serve().await;
    let client = Client::new(server, 1, LONG).await;
    assert_answered(&client, "first", "at the start").await;
    for line in ["slow", "half a line", "slow"] {
        let canceled = timeout(ms(50), client.request(line)).await;
        assert!(canceled.is_err(), "the server takes longer");
        assert_answered(&client, "next", "after a canceled request").await;
    }
    for wait in 0..5 {
        drop(timeout(ms(wait), client.request("canceled at some moment")).await);
        assert_answered(&client, "next", "after a canceled request").await;
    }
}

async fn a_timeout_leaves_no_answer() {
    let (server, _) = serve().await;
    let client = Client::new(server, 1, ms(500)).await;
    for line in ["silent", "silent"] {
        let start = Instant::now();
        let error = client
            .request(line)
            .await
            .expect_err("the server is silent");
        assert_eq!(
            error.kind(),
            ErrorKind::TimedOut,
            "the server is silent: {error}"
        );
        assert!(
            start.elapsed() < ms(1000),
            "it took much longer than the limit"
        );
        assert_answered(&client, "next", "after a timeout").await;
    }
}

async fn a_closed_connection_is_not_used() {
    let (server, _) = serve().await;
    let client = Client::new(server, 1, LONG).await;
    for _ in 0..3 {
        assert_answered(&client, "last", "before the server closes its connection").await;
        sleep(ms(150)).await;
        assert_answered(
            &client,
            "next",
            "after the server closed an idle connection",
        )
        .await;
    }
}

async fn a_refused_connection_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = Client::new(address, 2, ms(700)).await;
    for _ in 0..2 {
        let start = Instant::now();
        let error = client.request("hello").await.expect_err("nobody listens");
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionRefused,
            "nobody listens: {error}"
        );
        assert!(
            start.elapsed() < ms(1300),
            "it took much longer than the limit"
        );
    }
}

async fn the_wait_for_a_connection_counts() {
    let (server, _) = serve().await;
    let client = Arc::new(Client::new(server, 1, ms(900)).await);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        tasks.spawn(async move { client.request("slow").await });
    }
    let mut served = 0;
    while let Some(ended) = tasks.join_next().await {
        match ended.expect("no panic") {
            Ok(_) => served += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "in the queue: {error}"),
        }
    }
    assert!(
        (2..8).contains(&served),
        "{served} of 8 were served in time for six"
    );
    assert!(
        start.elapsed() < ms(1500),
        "some took much longer than the limit"
    );
}
