//! Test a web client against a server that the test starts.

// ANCHOR: client
use std::time::Duration;

use reqwest::StatusCode;

/// The code under test. It gets the address of the service.
struct Rates {
    service: String,
    http: reqwest::Client,
    /// The time limit for each try.
    limit: Duration,
    pause: Duration,
}

impl Rates {
    /// Tries once more, after a pause, if the service is overloaded.
    /// The currency isn't escaped, so it must be valid in a path.
    async fn of(&self, currency: &str) -> reqwest::Result<String> {
        let url = format!("{}/rates/{currency}", self.service);
        let ask = || self.http.get(&url).timeout(self.limit).send();
        let mut answer = ask().await?;
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            // The body and the connection aren't needed anymore.
            drop(answer);
            tokio::time::sleep(self.pause).await;
            answer = ask().await?;
        }
        answer.error_for_status()?.text().await
    }
}
// ANCHOR_END: client

// ANCHOR: server
use std::{io, sync::Arc, sync::Mutex};

use axum::{Router, extract::Path, http, routing::get};
use tokio::{io::AsyncReadExt, net::TcpListener, task::JoinSet};

/// Starts a server on a port that the system chooses, and records its
/// requests. The server stops when the set is dropped.
async fn start(
    refused: usize,
) -> io::Result<(String, Arc<Mutex<Vec<String>>>, JoinSet<()>)> {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&requests);
    let answer = async move |Path(currency): Path<String>| {
        let mut requests = recorded.lock().expect("no panic");
        requests.push(currency);
        match requests.len() <= refused {
            true => Err(http::StatusCode::SERVICE_UNAVAILABLE),
            false => Ok("1.25"),
        }
    };
    let service = Router::new().route("/rates/{currency}", get(answer));
    // From here on, connections are queued until they're accepted.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let mut running = JoinSet::new();
    running.spawn(async {
        axum::serve(listener, service).await.expect("it serves")
    });
    Ok((address, requests, running))
}
// ANCHOR_END: server

// ANCHOR: main
/// A client that asks the test's server directly, even if this machine
/// is configured with a proxy.
fn rates(service: String) -> reqwest::Result<Rates> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let limit = Duration::from_secs(5);
    let pause = Duration::from_millis(10);
    Ok(Rates { service, http, limit, pause })
}

async fn ask(refused: usize) -> io::Result<(String, usize)> {
    let (service, requests, _running) = start(refused).await?;
    let rates = rates(service).map_err(io::Error::other)?;
    let answer = match rates.of("EUR").await {
        Ok(rate) => rate,
        Err(error) => match error.status() {
            Some(status) => status.to_string(),
            None => return Err(io::Error::other(error)),
        },
    };
    let requests = requests.lock().expect("no panic").len();
    Ok((answer, requests))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    for refused in 0..3 {
        let (answer, requests) = ask(refused).await?;
        println!("{refused} refused, {requests} sent: {answer}");
    }
    println!("hangs up: {}", hang_up().await?);
    Ok(())
}
// ANCHOR_END: main

// ANCHOR: hang_up
/// A server that reads a request and then hangs up. Returns the last
/// cause of the client's error.
async fn hang_up() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service = format!("http://{}", listener.local_addr()?);
    let rates = rates(service).map_err(io::Error::other)?;
    let server = async {
        let (mut client, _) = listener.accept().await?;
        let read = client.read(&mut [0; 1024]).await?;
        io::Result::Ok(read > 0)
    };
    let (read, rate) = tokio::join!(server, rates.of("EUR"));
    let Err(error) = rate else { return Ok(format!("{read:?}")) };
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Ok(cause.to_string())
}
// ANCHOR_END: hang_up

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_of_the_service_is_asked_twice_and_no_more()
    -> io::Result<()> {
        assert_eq!(ask(0).await?, ("1.25".to_owned(), 1));
        let start = std::time::Instant::now();
        assert_eq!(ask(1).await?, ("1.25".to_owned(), 2));
        assert!(start.elapsed() >= Duration::from_millis(10));
        let refused = "503 Service Unavailable".to_owned();
        assert_eq!(ask(2).await?, (refused, 2));
        Ok(())
    }

    #[tokio::test]
    async fn overload_two_tests_at_the_same_time() -> io::Result<()> {
        let (one, other) = tokio::try_join!(ask(0), ask(1))?;
        assert_eq!((one.1, other.1), (1, 2));
        Ok(())
    }

    #[tokio::test]
    async fn silence_of_a_server_is_an_error_after_the_limit()
    -> io::Result<()> {
        // It accepts nothing, so connections stay in its queue.
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let service = format!("http://{}", listener.local_addr()?);
        let mut rates = rates(service).expect("a client");
        rates.limit = Duration::from_millis(100);
        let error = rates.of("EUR").await.expect_err("it is silent");
        assert!(error.is_timeout(), "{error:?}");
        assert!(error.to_string().contains("/rates/EUR"), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn cancel_in_the_middle_leaves_a_client_that_works()
    -> io::Result<()> {
        let (service, _, _running) = start(0).await?;
        let rates = rates(service).expect("a client");
        hazards::at_every_poll(async |cancel| {
            cancel.run(rates.of("EUR")).await;
            let answer = rates.of("EUR").await;
            assert_eq!(answer.expect("it answers"), "1.25");
        })
        .await;
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_ask_with_one_client() -> io::Result<()> {
        let (service, requests, _running) = start(0).await?;
        let rates = Arc::new(rates(service).expect("a client"));
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let rates = Arc::clone(&rates);
            callers.spawn(async move { rates.of("EUR").await });
        }
        for answer in callers.join_all().await {
            assert_eq!(answer.expect("it answers"), "1.25");
        }
        assert_eq!(requests.lock().expect("no panic").len(), 50);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn owner_gone_a_server_that_was_dropped_is_an_error()
    -> io::Result<()> {
        let (service, _, running) = start(0).await?;
        drop(running);
        let rates = rates(service).expect("a client");
        // Until the aborted server has closed its socket.
        while rates.of("EUR").await.is_ok() {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_with_another_status_is_not_repeated()
    -> io::Result<()> {
        let (service, requests, _running) = start(0).await?;
        let rates = rates(service).expect("a client");
        let error = rates.of("EUR/USD").await.expect_err("no route");
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
        assert!(requests.lock().expect("no panic").is_empty());
        Ok(())
    }
}
