//! A receiver that remembers everything that it gets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, spawn},
    time::sleep,
};

/// What a client sends: the events of a chain have the numbers 0, 1, 2, and so on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub chain: usize,
    pub number: usize,
    /// Whether the chain's events have a key, and so an order.
    pub ordered: bool,
    /// Makes it larger.
    pub padding: String,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes everything.
    Fine,
    /// It refuses one event of ten, and takes some time for the others.
    Moody,
    /// It refuses everything.
    Down,
}

/// An HTTP server in this process: `POST /{subscription}`.
#[derive(Clone)]
pub struct Receiver {
    address: String,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    mood: Mood,
    /// How often each event came, for each subscription.
    events: HashMap<(String, String), usize>,
    /// The number that must come next, for each subscription and chain.
    next: HashMap<(String, usize), usize>,
    wrong: Vec<String>,
    task: Option<AbortHandle>,
}

impl Receiver {
    /// Serves until the last clone is dropped.
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Mutex::new(Seen {
            mood,
            events: HashMap::new(),
            next: HashMap::new(),
            wrong: Vec::new(),
            task: None,
        }));
        let router = Router::new()
            .route("/{subscription}", post(receive))
            .with_state(seen.clone());
        let server =
            spawn(async { axum::serve(listener, router).await });
        let abort = server.abort_handle();
        seen.lock().expect("no panic").task = Some(abort);
        Self { address: address.to_string(), seen }
    }

    /// Where a subscription's events are sent.
    pub fn url(&self, subscription: &str) -> String {
        format!("http://{}/{subscription}", self.address)
    }

    /// From now on, it answers in this way.
    pub fn set_mood(&self, mood: Mood) {
        self.seen.lock().expect("no panic").mood = mood;
    }

    /// How many different events a subscription got.
    pub fn count(&self, subscription: &str) -> usize {
        let seen = self.seen.lock().expect("no panic");
        seen.events.keys().filter(|it| it.0 == subscription).count()
    }

    /// How many deliveries were doubles.
    ///
    /// # Panics
    ///
    /// An acknowledged event didn't arrive, one arrived before its predecessor, or one arrived that nobody sent.
    pub fn verify(
        &self,
        subscriptions: &[&str],
        acknowledged: &[String],
    ) -> usize {
        // ANCHOR: verify
        let seen = self.seen.lock().expect("no panic");
        assert_eq!(seen.wrong, Vec::<String>::new());
        let lost: Vec<_> = subscriptions
            .iter()
            .flat_map(|to| acknowledged.iter().map(move |id| (to, id)))
            .filter(|(to, id)| {
                let event = ((**to).to_owned(), (*id).clone());
                !seen.events.contains_key(&event)
            })
            .collect();
        let all = acknowledged.len() * subscriptions.len();
        assert!(
            lost.is_empty(),
            "{} lost of {all}: {lost:?}",
            lost.len()
        );
        assert_eq!(seen.events.len(), all, "more than was sent");
        seen.events.values().map(|times| times - 1).sum()
        // ANCHOR_END: verify
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn receive(
    State(seen): State<Arc<Mutex<Seen>>>,
    Path(subscription): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Body>,
) -> StatusCode {
    let mood = seen.lock().expect("no panic").mood;
    let unlucky = mood == Mood::Moody && fastrand::u8(..10) == 0;
    if mood == Mood::Down || unlucky {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if mood == Mood::Moody {
        sleep(Duration::from_millis(fastrand::u64(..10))).await;
    }
    seen.lock().expect("no panic").note(subscription, &headers, &body);
    // The event has arrived: killed now, courier sends it again.
    if mood == Mood::Moody {
        sleep(Duration::from_millis(fastrand::u64(..10))).await;
    }
    StatusCode::NO_CONTENT
}

impl Seen {
    fn note(
        &mut self,
        subscription: String,
        headers: &HeaderMap,
        body: &Body,
    ) {
        let id =
            headers.get("webhook-id").and_then(|it| it.to_str().ok());
        let id = id.unwrap_or("no id").to_owned();
        if !id.ends_with(&format!("-{}-{}", body.chain, body.number)) {
            self.wrong.push(format!("{id} has another body: {body:?}"));
        }
        // ANCHOR: order
        if body.ordered {
            let chain = (subscription.clone(), body.chain);
            let next = self.next.entry(chain).or_default();
            if body.number > *next {
                let order = format!("{id} came, and {next} hasn't yet");
                self.wrong.push(format!("{subscription}: {order}"));
            }
            *next = (*next).max(body.number + 1);
        }
        *self.events.entry((subscription, id)).or_default() += 1;
        // ANCHOR_END: order
    }
}
