//! How many events per second, and how late: courier's processes under load, compared with a bare loop of clients that send the
//! same requests to the same receiver. Ratios can be compared between machines, other numbers can't.
//!
//! `cargo run --release -p courier --example load -- --help`

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use bytes::Bytes;
use clap::Parser;
use courier::{
    service::{Options, serve},
    store::{SharedStore, SqlOptions, SqlStore},
};
use reqwest::Client;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

/// Measures courier under load.
#[derive(Parser)]
struct Arguments {
    /// How many processes of courier share the queue (1, if it's SQLite).
    #[arg(long, default_value_t = 1)]
    processes: usize,
    /// An empty database, or an empty JetStream (nats://..), with the feature jetstream. Without it: SQLite, in a new folder.
    #[arg(long)]
    database: Option<String>,
    /// How long each of the measurements takes.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Events per second, when latency is measured; otherwise half of
    /// what was sustained before.
    #[arg(long)]
    rate: Option<f64>,
    /// How many clients send at the same time.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// How many keys the events have; 0: they have none.
    #[arg(long, default_value_t = 1_000)]
    keys: usize,
    /// How large an event is, in bytes.
    #[arg(long, default_value_t = 500)]
    bytes: usize,
    /// Be a process of courier at this address. (Used internally.)
    #[arg(long, hide = true, requires = "config")]
    serve: Option<String>,
    /// Its settings.
    #[arg(long, hide = true)]
    config: Option<PathBuf>,
}

const SETTINGS: &str = "
[deliver]
per_subscription = 64
private_addresses = true
";

/// So many events may be on their way when courier's limit is measured: more of them only wait longer.
const ON_THEIR_WAY: usize = 1_000;

/// When each event was sent that hasn't arrived yet, and how long the others took.
#[derive(Default)]
struct Measured {
    sent: Mutex<HashMap<String, Instant>>,
    took: Mutex<Vec<Duration>>,
}

impl Measured {
    fn on_their_way(&self) -> usize {
        self.sent.lock().expect("no panic").len()
    }

    /// Those that have arrived since the last call, the quickest first.
    fn take(&self) -> Vec<Duration> {
        let took = &mut *self.took.lock().expect("no panic");
        let mut took = std::mem::take(took);
        took.sort_unstable();
        took
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.serve {
        Some(address) => be_courier(address, &arguments).await,
        None => measure(&arguments).await,
    }
}

/// What the program `courier` does, without its command line.
async fn be_courier(address: &str, given: &Arguments) -> Result<()> {
    let database = given.database.as_deref().context("no database")?;
    #[cfg(feature = "jetstream")]
    if database.starts_with("nats:") {
        use courier::store::{JetStreamOptions, JetStreamStore};
        let replicas = if database.contains(',') { 3 } else { 1 };
        let options =
            JetStreamOptions { replicas, ..Default::default() };
        let store = JetStreamStore::connect(database, options);
        return be(Arc::new(store.await?), address, given).await;
    }
    let store = SqlStore::connect(database, SqlOptions::default());
    be(Arc::new(store.await?), address, given).await
}

async fn be(
    store: SharedStore,
    address: &str,
    given: &Arguments,
) -> Result<()> {
    let options =
        Options { config: given.config.clone(), ..Options::default() };
    let listener = TcpListener::bind(address).await?;
    let never = CancellationToken::new();
    serve(listener, store, options, never.clone(), never).await
}

async fn measure(given: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let measured = Arc::new(Measured::default());
    let receiver = receive(measured.clone()).await?;
    let mut couriers = Vec::new();
    let file = folder.path().join("courier.db");
    let sqlite = format!("sqlite://{}", file.display());
    let database = given.database.clone().unwrap_or(sqlite);
    for _ in 0..given.processes {
        let courier = Courier::start(&database, folder.path()).await?;
        couriers.push(courier);
    }
    let urls: Vec<_> = couriers
        .iter()
        .map(|it| format!("{}/events/load", it.url))
        .collect();
    let seconds = Duration::from_secs(given.seconds);
    let load = Load { given, measured: measured.clone() };

    println!("| What | Events/s | Of the bare loop | p50 | p99 |");
    println!("|---|---|---|---|---|");
    // Warm up, and then measure.
    let direct = [receiver.clone()];
    load.run(&direct, Duration::from_secs(1), None).await?;
    measured.take();
    load.run(&direct, seconds, None).await?;
    let bare = row("A bare loop", &measured, seconds, None);

    let subscription =
        format!("{}/subscriptions/load", couriers[0].url);
    let body = serde_json::json!({ "url": receiver, "topics": [] });
    let client = Client::new();
    let answer = client.put(&subscription).json(&body).send().await?;
    answer.error_for_status()?;
    load.run(&urls, Duration::from_secs(2), None).await?;
    measured.take();
    let memory = Memory::watch(&couriers, seconds / 5);
    load.run(&urls, seconds, None).await?;
    let name = match given.processes {
        1 => "courier, one process".to_owned(),
        several => format!("courier, {several} processes"),
    };
    let most = row(&name, &measured, seconds, Some(bare));
    load.arrive(seconds).await?;

    let rate = given.rate.unwrap_or(most / 2.0);
    measured.take();
    load.run(&urls, seconds, Some(rate)).await?;
    load.arrive(seconds).await?;
    row("the same, at this rate", &measured, seconds, Some(bare));
    println!("\nMemory of the first process: {}", memory.stop());
    client.delete(&subscription).send().await?;
    Ok(())
}

/// Prints a row of the table, and returns the events per second.
fn row(
    name: &str,
    measured: &Measured,
    during: Duration,
    bare: Option<f64>,
) -> f64 {
    let took = measured.take();
    let at = |part: f64| {
        let index = took.len().saturating_sub(1) as f64 * part;
        let took = took.get(index as usize).copied();
        took.unwrap_or_default()
    };
    let rate = took.len() as f64 / during.as_secs_f64();
    println!(
        "| {name} | {rate:.0} | {:.3} | {:.1?} | {:.1?} |",
        rate / bare.unwrap_or(rate),
        at(0.5),
        at(0.99)
    );
    rate
}

/// Clients that send events.
struct Load<'a> {
    given: &'a Arguments,
    measured: Arc<Measured>,
}

impl Load<'_> {
    /// Sends events for so long: so many per second, or as many as possible.
    async fn run(
        &self,
        urls: &[String],
        during: Duration,
        rate: Option<f64>,
    ) -> Result<()> {
        let end = Instant::now() + during;
        let mut clients = JoinSet::new();
        for number in 0..self.given.clients {
            let sender = Sender {
                http: Client::new(),
                url: urls[number % urls.len()].clone(),
                keys: self.given.keys,
                body: Bytes::from(vec![b'x'; self.given.bytes]),
                measured: self.measured.clone(),
            };
            let pause = rate.map(|rate| {
                let clients = self.given.clients as f64;
                Duration::from_secs_f64(clients / rate)
            });
            clients.spawn(
                async move { sender.send_all(end, pause).await },
            );
        }
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Waits until everything has arrived.
    async fn arrive(&self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        while self.measured.on_their_way() > 0 {
            let late = self.measured.on_their_way();
            ensure!(start.elapsed() < 5 * limit, "{late} are lost");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

struct Sender {
    http: Client,
    url: String,
    keys: usize,
    body: Bytes,
    measured: Arc<Measured>,
}

impl Sender {
    async fn send_all(
        &self,
        end: Instant,
        pause: Option<Duration>,
    ) -> Result<()> {
        let pace = pause.unwrap_or(Duration::from_secs(1));
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        // Not all clients in the same moment.
        ticks.reset_after(pace.mul_f64(fastrand::f64()));
        while Instant::now() < end {
            if self.measured.on_their_way() > ON_THEIR_WAY {
                sleep(Duration::from_millis(1)).await;
                continue;
            }
            let due = match pause {
                // Late events count from when they should have been sent.
                Some(_) => ticks.tick().await.into_std(),
                None => Instant::now(),
            };
            self.send(due).await?;
        }
        Ok(())
    }

    async fn send(&self, due: Instant) -> Result<()> {
        let id = uuid::Uuid::now_v7().to_string();
        let mut request = self.http.post(&self.url);
        if self.keys > 0 {
            let key = fastrand::usize(..self.keys).to_string();
            request = request.header("ordering-key", key);
        }
        let request = request
            // The first one is courier's, the second one that of its requests.
            .header("idempotency-key", &id)
            .header("webhook-id", &id)
            .body(self.body.clone());
        let sent = self.measured.sent.lock();
        sent.expect("no panic").insert(id, due);
        let answer = request.send().await?.error_for_status()?;
        answer.bytes().await?;
        Ok(())
    }
}

/// A receiver in this process. Returns its URL.
async fn receive(measured: Arc<Measured>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let router =
        Router::new().route("/", post(arrived)).with_state(measured);
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(url)
}

async fn arrived(
    State(measured): State<Arc<Measured>>,
    headers: HeaderMap,
    _body: Bytes,
) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|it| it.to_str().ok());
    let sent = id.and_then(|id| {
        measured.sent.lock().expect("no panic").remove(id)
    });
    if let Some(sent) = sent {
        let took = sent.elapsed();
        measured.took.lock().expect("no panic").push(took);
    }
    StatusCode::NO_CONTENT
}

/// A process, which is killed when this is dropped.
struct Courier {
    url: String,
    child: Child,
}

impl Courier {
    async fn start(database: &str, folder: &Path) -> Result<Self> {
        let config = folder.join("courier.toml");
        fs::write(&config, SETTINGS)?;
        let free = TcpListener::bind("127.0.0.1:0").await?;
        let address = free.local_addr()?.to_string();
        drop(free);
        let child = Command::new(env::current_exe()?)
            .args(["--serve", &address, "--database", database])
            .arg("--config")
            .arg(config)
            .stdin(process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let url = format!("http://{address}");
        for _ in 0..200 {
            let ready = reqwest::get(format!("{url}/ready")).await;
            if ready.is_ok_and(|it| it.status().is_success()) {
                return Ok(Self { url, child });
            }
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("courier isn't ready")
    }
}

/// Looks at a process's memory at intervals.
struct Memory {
    seen: Arc<Mutex<Vec<String>>>,
    watching: tokio::task::JoinHandle<()>,
}

impl Memory {
    fn watch(couriers: &[Courier], every: Duration) -> Self {
        let pid = couriers[0].child.id().unwrap_or_default();
        let file = format!("/proc/{pid}/status");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = seen.clone();
        let watching = tokio::spawn(async move {
            let mut ticks = interval(every);
            loop {
                ticks.tick().await;
                let status = fs::read_to_string(&file);
                let status = status.unwrap_or_default();
                let mut lines = status.lines();
                let line = lines.find(|it| it.starts_with("VmRSS"));
                let number = line.and_then(|it| {
                    let number = it.split_whitespace().nth(1)?;
                    number.parse::<u64>().ok()
                });
                let text = number.map_or("?".to_owned(), |it| {
                    format!("{:.1} MiB", it as f64 / 1024.0)
                });
                note.lock().expect("no panic").push(text);
            }
        });
        Self { seen, watching }
    }

    fn stop(self) -> String {
        self.watching.abort();
        self.seen.lock().expect("no panic").join(", ")
    }
}
