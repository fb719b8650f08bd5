//! Clients that speak plain HTTP, and a store that misbehaves on
//! request.

#[path = "../store/mod.rs"]
mod store;

use std::{io, net::SocketAddr, time::Duration};

pub use store::{Fault, Faulty};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A complete request.
pub fn request(
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\
        content-length: {length}\r\n\r\n{body}"
    )
}

/// Sends an event, with an idempotency key.
pub fn event(id: &str, body: &str) -> String {
    let key = format!("idempotency-key: {id}\r\n");
    request("POST", "/events/order", &key, body)
}

/// Waits until `method` of the store has been called `times` times.
pub async fn called(
    store: &Faulty,
    method: &'static str,
    times: usize,
) {
    let calls = async {
        while store.calls(method) < times {
            tokio::task::yield_now().await;
        }
    };
    hazards::within(Duration::from_secs(30), calls).await;
}

/// One connection.
pub struct Client(pub TcpStream);

/// A status, the head, and the body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Client {
    pub async fn connect(to: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(to).await.map(Self)
    }

    pub async fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes()).await
    }

    /// Reads one answer.
    pub async fn read(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        if head.starts_with("http/1.1 100") {
            return Box::pin(self.read()).await;
        }
        let status = head[9..12].parse().expect("a status");
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|it| it.lines().next());
        let length = length.map_or(0, |it| it.parse().expect("length"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        let body = String::from_utf8(body).expect("UTF-8");
        Ok(Answer { status, head, body })
    }

    pub async fn ask(&mut self, text: &str) -> io::Result<Answer> {
        self.write(text).await?;
        self.read().await
    }

    /// Waits until the server has closed the connection.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
    }
}

/// Asks on a connection of its own.
pub async fn ask(to: SocketAddr, text: &str) -> io::Result<Answer> {
    Client::connect(to).await?.ask(text).await
}

/// A GET on a connection of its own.
pub async fn get(to: SocketAddr, path: &str) -> io::Result<Answer> {
    ask(to, &request("GET", path, "", "")).await
}
