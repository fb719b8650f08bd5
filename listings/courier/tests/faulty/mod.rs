//! A store that misbehaves on request, and clients that speak plain
//! HTTP.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use courier::{
    event::{DeliveryId, Event, Lease, Name, Subscription},
    store::{
        AcceptError, Accepted, Backlog, DeadLetter, MemoryStore,
        Outcome, Store, StoreError,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};
use url::Url;

/// What the store does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    None,
    Fails,
    Silent,
    Panics,
    /// It waits for a permit of the gate.
    Waits,
}

/// Each kind of call has its own fault.
pub struct Faulty {
    pub inner: MemoryStore,
    pub gate: Semaphore,
    /// How many calls of `accept` have begun.
    pub begun: AtomicUsize,
    pub pings: AtomicUsize,
    accept: AtomicU8,
    ping: AtomicU8,
    pub due: AtomicU8,
}

impl Faulty {
    pub fn new(max_open: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::with_max_open(max_open),
            gate: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            pings: AtomicUsize::new(0),
            accept: AtomicU8::new(0),
            ping: AtomicU8::new(0),
            due: AtomicU8::new(0),
        })
    }

    pub fn accept_is(&self, fault: Fault) {
        self.accept.store(fault as u8, SeqCst);
    }

    pub fn ping_is(&self, fault: Fault) {
        self.ping.store(fault as u8, SeqCst);
    }

    async fn suffer(&self, fault: &AtomicU8) -> Result<(), StoreError> {
        let fault = fault.load(SeqCst);
        if fault == Fault::Fails as u8 {
            return Err(StoreError::failed("the disk is full"));
        } else if fault == Fault::Silent as u8 {
            std::future::pending::<()>().await;
        } else if fault == Fault::Panics as u8 {
            panic!("a bug in the store");
        } else if fault == Fault::Waits as u8 {
            let permit = self.gate.acquire().await;
            permit.expect("the gate stays").forget();
        }
        Ok(())
    }
}

#[async_trait]
impl Store for Faulty {
    async fn accept(
        &self,
        event: &Event,
    ) -> Result<Accepted, AcceptError> {
        self.begun.fetch_add(1, SeqCst);
        self.suffer(&self.accept).await?;
        self.inner.accept(event).await
    }

    async fn due(
        &self,
        most: usize,
    ) -> Result<Vec<(Name, Url)>, StoreError> {
        self.suffer(&self.due).await?;
        self.inner.due(most).await
    }

    async fn claim(
        &self,
        subscription: &Name,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        self.inner.claim(subscription, most, lease).await
    }

    async fn renew(
        &self,
        lease: &Lease,
        for_: Duration,
    ) -> Result<bool, StoreError> {
        self.inner.renew(lease, for_).await
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        self.inner.settle(lease, outcome).await
    }

    async fn changed(&self) {
        self.inner.changed().await;
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
    ) -> Result<(), StoreError> {
        // So that calls overlap.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.inner.subscribe(subscription).await
    }

    async fn unsubscribe(
        &self,
        name: &Name,
    ) -> Result<bool, StoreError> {
        self.inner.unsubscribe(name).await
    }

    async fn subscriptions(
        &self,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.inner.subscriptions().await
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.inner.backlog().await
    }

    async fn dead(
        &self,
        most: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead(most).await
    }

    async fn redeliver(
        &self,
        delivery: DeliveryId,
    ) -> Result<bool, StoreError> {
        self.inner.redeliver(delivery).await
    }

    async fn purge(
        &self,
        keep: Duration,
        most: usize,
    ) -> Result<u64, StoreError> {
        self.inner.purge(keep, most).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.pings.fetch_add(1, SeqCst);
        self.suffer(&self.ping).await?;
        self.inner.ping().await
    }

    /// What it contains can be looked at afterwards.
    async fn close(&self) {}
}

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
