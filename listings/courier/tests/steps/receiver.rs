//! A receiver of webhooks. It answers 200, and remembers what it got.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use tokio::{
    net::TcpListener, sync::watch, task::JoinHandle, time::timeout,
};

/// It's served until it's dropped.
pub struct Receiver {
    shared: Shared,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    /// How often each event came.
    got: Arc<Mutex<BTreeMap<Bytes, usize>>>,
    /// How many requests came.
    requests: watch::Sender<usize>,
    /// Whether answers are held back.
    held: watch::Sender<bool>,
}

impl Receiver {
    pub async fn start() -> Self {
        let shared = Shared {
            got: Arc::default(),
            requests: watch::Sender::new(0),
            held: watch::Sender::new(false),
        };
        let routes = Router::new().route("/", post(receive));
        let routes = routes.with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Self { shared, address, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// From now on, requests aren't answered until `release`.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// How many different events came.
    pub fn events(&self) -> usize {
        self.shared.got.lock().unwrap().len()
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        *self.shared.requests.borrow()
    }

    /// Whether so many different events come in time.
    pub async fn has_events(
        &self,
        most: usize,
        patience: Duration,
    ) -> bool {
        self.has_all(patience, || self.events() >= most).await
    }

    /// Whether so many requests come in time, answered or not.
    pub async fn has_requests(
        &self,
        most: usize,
        patience: Duration,
    ) -> bool {
        self.has_all(patience, || self.requests() >= most).await
    }

    /// Whether this event comes in time.
    pub async fn has(&self, body: &str, patience: Duration) -> bool {
        let got = &self.shared.got;
        let has = || got.lock().unwrap().contains_key(body.as_bytes());
        self.has_all(patience, has).await
    }

    async fn has_all(
        &self,
        patience: Duration,
        has: impl Fn() -> bool,
    ) -> bool {
        let mut requests = self.shared.requests.subscribe();
        let all = requests.wait_for(|_| has());
        timeout(patience, all).await.is_ok()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(State(shared): State<Shared>, body: Bytes) {
    *shared.got.lock().unwrap().entry(body).or_default() += 1;
    shared.requests.send_modify(|requests| *requests += 1);
    let mut held = shared.held.subscribe();
    // It can't fail: the sender is in `shared`.
    let _ = held.wait_for(|held| !held).await;
}
