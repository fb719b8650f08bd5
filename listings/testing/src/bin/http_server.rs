//! A web client against a server that the test writes itself.

// ANCHOR: client
use reqwest::StatusCode;

/// The part that is tested. It is told where the service is.
struct Rates {
    service: String,
    http: reqwest::Client,
}

impl Rates {
    /// Asks a second time where the service is overloaded.
    async fn of(&self, currency: &str) -> reqwest::Result<String> {
        let url = format!("{}/rates/{currency}", self.service);
        let mut answer = self.http.get(&url).send().await?;
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer = self.http.get(&url).send().await?;
        }
        answer.error_for_status()?.text().await
    }
}
// ANCHOR_END: client

// ANCHOR: server
use std::{io, sync::Arc, sync::Mutex};

use axum::{Router, extract::Path, http, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

/// A server on a port that the system chooses. It ends when the set
/// is dropped, and notes what it was asked.
async fn start(
    refused: usize,
) -> io::Result<(String, Arc<Mutex<Vec<String>>>, JoinSet<()>)> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    let answer = async move |Path(currency): Path<String>| {
        let mut asked = notes.lock().expect("nobody panicked");
        asked.push(currency);
        match asked.len() <= refused {
            true => Err(http::StatusCode::SERVICE_UNAVAILABLE),
            false => Ok("1.25"),
        }
    };
    let service = Router::new().route("/rates/{currency}", get(answer));
    // From here on, connections wait in line until they are accepted.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let mut running = JoinSet::new();
    running.spawn(async {
        axum::serve(listener, service).await.expect("it serves")
    });
    Ok((address, asked, running))
}
// ANCHOR_END: server

// ANCHOR: main
async fn ask(refused: usize) -> io::Result<(String, usize)> {
    let (service, asked, _running) = start(refused).await?;
    let rates = Rates { service, http: reqwest::Client::new() };
    let told = match rates.of("EUR").await {
        Ok(rate) => rate,
        Err(error) => match error.status() {
            Some(status) => status.to_string(),
            None => return Err(io::Error::other(error)),
        },
    };
    let asked = asked.lock().expect("nobody panicked").len();
    Ok((told, asked))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    for refused in 0..3 {
        let (told, asked) = ask(refused).await?;
        println!("{refused} refused: asked {asked} times: {told}");
    }
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_asks_twice_and_no_more() -> io::Result<()> {
        assert_eq!(ask(0).await?, ("1.25".to_owned(), 1));
        assert_eq!(ask(1).await?, ("1.25".to_owned(), 2));
        let refused = "503 Service Unavailable".to_owned();
        assert_eq!(ask(2).await?, (refused, 2));
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_that_has_gone_is_an_error() -> io::Result<()> {
        let (service, _, running) = start(0).await?;
        drop(running);
        let rates = Rates { service, http: reqwest::Client::new() };
        // Until the aborted server has closed its socket.
        while rates.of("EUR").await.is_ok() {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
