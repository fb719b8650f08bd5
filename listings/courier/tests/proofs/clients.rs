//! Clients that send events, each one until its outcome is known.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, StatusCode};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::receiver::Body;

/// Chains of events: each client sends the next event when the one before it is acknowledged.
pub struct Load {
    stop: CancellationToken,
    held: Arc<AtomicBool>,
    clients: JoinSet<()>,
    progress: Arc<Mutex<Progress>>,
}

/// What is known about the events.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The ids of the events that courier has acknowledged.
    pub acknowledged: Vec<String>,
    /// How many requests had no known outcome (a broken connection, no answer, 5xx), and so were sent again.
    pub unknown: usize,
    /// How many of these had been stored, as it turned out.
    pub again: usize,
    /// How many answers were 503.
    pub unavailable: usize,
}

impl Plan {
    /// Five clients that send until they're stopped.
    pub const SMALL: Self = Self {
        chains: 4,
        padding: 100,
        pause: Duration::from_millis(10),
        most: usize::MAX,
        from: [127, 0, 0, 1],
    };
}

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many chains with a key. One more has none.
    pub chains: usize,
    /// How many bytes are added to each event.
    pub padding: usize,
    /// The pause between a chain's events.
    pub pause: Duration,
    /// How many events each chain has, at most.
    pub most: usize,
    /// The address that the clients have.
    pub from: [u8; 4],
}

impl Load {
    /// Starts sending to processes that share a queue.
    pub fn start(urls: Vec<String>, plan: Plan) -> Self {
        let run: u32 = fastrand::u32(..);
        let progress = Arc::new(Mutex::new(Progress::default()));
        let stop = CancellationToken::new();
        let held = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for chain in 0..=plan.chains {
            let address = IpAddr::from(plan.from);
            let http = Client::builder().local_address(address).build();
            let sender = Sender {
                http: http.expect("a client"),
                urls: urls.clone(),
                plan,
                run,
                progress: progress.clone(),
                stop: stop.clone(),
                held: held.clone(),
            };
            clients.spawn(sender.send_all(chain));
        }
        Self { stop, held, clients, progress }
    }

    /// Sends nothing new for a while, so that deliveries catch up.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// What is known now.
    pub fn progress(&self) -> Progress {
        self.progress.lock().expect("no panic").clone()
    }

    /// Sends no new events, and waits until the outcome of all others is known.
    pub async fn finish(self) -> Progress {
        self.stop.cancel();
        self.complete().await
    }

    /// Waits until all events of the plan are acknowledged.
    pub async fn complete(self) -> Progress {
        self.clients.join_all().await;
        let progress = self.progress.lock().expect("no panic");
        progress.clone()
    }
}

struct Sender {
    http: Client,
    urls: Vec<String>,
    plan: Plan,
    run: u32,
    progress: Arc<Mutex<Progress>>,
    stop: CancellationToken,
    held: Arc<AtomicBool>,
}

impl Sender {
    async fn send_all(self, chain: usize) {
        for number in 0..self.plan.most {
            if self.stop.is_cancelled() {
                break;
            }
            while self.held.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(10)).await;
            }
            let body = Body {
                chain,
                number,
                ordered: chain < self.plan.chains,
                padding: "x".repeat(self.plan.padding),
            };
            self.send(&body).await;
            sleep(self.plan.pause).await;
        }
    }

    // ANCHOR: send
    /// Sends an event, with the same ID each time, until courier acknowledges it.
    async fn send(&self, body: &Body) {
        let id = format!("{}-{}-{}", self.run, body.chain, body.number);
        loop {
            let process = fastrand::usize(..self.urls.len());
            let url = format!("{}/events/proof", self.urls[process]);
            let mut request = self.http.post(url).json(body);
            if body.ordered {
                let key = format!("chain {}", body.chain);
                request = request.header("ordering-key", key);
            }
            let request = request
                .header("idempotency-key", &id)
                .timeout(Duration::from_secs(5));
            let answer = request.send().await;
            let status = answer.ok().map(|answer| answer.status());
            if self.is_acknowledged(&id, status) {
                break;
            }
            sleep(Duration::from_millis(fastrand::u64(10..50))).await;
        }
    }
    // ANCHOR_END: send

    fn is_acknowledged(
        &self,
        id: &str,
        status: Option<StatusCode>,
    ) -> bool {
        let mut progress = self.progress.lock().expect("no panic");
        match status {
            Some(StatusCode::ACCEPTED) => {}
            Some(StatusCode::OK) => progress.again += 1,
            Some(it) if !it.is_server_error() => {
                panic!("{id}: {it}");
            }
            failed => {
                let unavailable = StatusCode::SERVICE_UNAVAILABLE;
                if failed == Some(unavailable) {
                    progress.unavailable += 1;
                }
                progress.unknown += 1;
                return false;
            }
        }
        progress.acknowledged.push(id.to_owned());
        true
    }
}
