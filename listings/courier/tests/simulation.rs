//! The dispatcher on a simulated network, in virtual time: partitions, messages that are held and late, receivers that crash,
//! and dispatchers that disappear. `COURIER_SEEDS` says how many runs there are, `COURIER_SEED` which one is the first.

mod memory;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    env, io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use courier::{
    config::Settings,
    deliver::HttpDeliver,
    dispatch::dispatch,
    event::{Event, Name, Secret, Subscription},
    metrics::Metrics,
    store::Store,
};
use fastrand::Rng;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use memory::MemoryStore;
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use tower::Service;
use turmoil::{
    Sim,
    net::{TcpListener, TcpStream},
};

const RECEIVERS: [&str; 3] = ["red", "green", "blue"];
const KEYS: usize = 4;
const EVENTS: usize = 60;
/// How long the network misbehaves.
const STORM: Duration = Duration::from_secs(15);

/// Connections of the simulated network.
#[derive(Clone)]
struct Simulated;

struct Stream(TokioIo<TcpStream>);

impl Service<Uri> for Simulated {
    type Response = Stream;
    type Error = io::Error;
    type Future =
        Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect((host, 80)).await?;
            Ok(Stream(TokioIo::new(stream)))
        })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// What all receivers saw, in order. It survives their crashes.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Arrival>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrival {
    at: Duration,
    receiver: &'static str,
    event: String,
    /// `webhook-timestamp`: seconds since 1970.
    timestamp: u64,
}

/// A receiver, until it crashes.
async fn receive(name: &'static str, seen: Seen) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", 80)).await?;
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await?;
        let seen = seen.clone();
        let answer = service_fn(move |request| {
            let seen = seen.clone();
            async move { answer(name, &seen, request).await }
        });
        connections.spawn(
            http1::Builder::new()
                .serve_connection(TokioIo::new(client), answer),
        );
    }
}

async fn answer(
    receiver: &'static str,
    seen: &Seen,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut answer = Response::new(Empty::new());
    let (head, body) = request.into_parts();
    let is_complete = body.collect().await.is_ok();
    if !is_complete || fastrand::u8(..10) == 0 {
        *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return Ok(answer);
    }
    let header = |name| {
        let value = head.headers.get(name).expect("it's there");
        value.to_str().expect("ASCII")
    };
    let event = header("webhook-id").to_owned();
    let timestamp = header("webhook-timestamp").parse();
    let timestamp = timestamp.expect("a number");
    let at = turmoil::sim_elapsed().unwrap_or_default();
    let arrival = Arrival { at, receiver, event, timestamp };
    seen.0.lock().expect("no panic").push(arrival);
    sleep(Duration::from_millis(fastrand::u64(..20))).await;
    Ok(answer)
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let seconds = Duration::from_secs;
    settings.deliver.private_addresses = true;
    settings.deliver.connect_timeout = seconds(1);
    settings.deliver.attempt_timeout = seconds(2);
    settings.deliver.lease = seconds(4);
    settings.deliver.per_subscription = 3;
    settings.retry.first = Duration::from_millis(200);
    settings.retry.most = seconds(5);
    settings.retry.attempts = 10_000;
    settings.breaker.failures = 5;
    settings.breaker.open = seconds(2);
    settings
}

/// Accepts events, delivers them with two dispatchers, of which one disappears now and then, and waits until all is delivered.
async fn deliver_all(mut random: Rng) -> turmoil::Result {
    let store = Arc::new(MemoryStore::new(usize::MAX));
    for receiver in RECEIVERS {
        let subscription = Subscription {
            name: name(receiver),
            url: format!("http://{receiver}/").parse()?,
            topics: Vec::new(),
            secret: Secret(Bytes::from_static(&[7; 32])),
        };
        store.subscribe(&subscription, usize::MAX).await?;
    }
    let (_sender, settings) = watch::channel(Arc::new(settings()));
    let dispatcher = || {
        let deliver =
            HttpDeliver::with_connector(Simulated, settings.clone());
        let never = CancellationToken::new();
        tokio::spawn(dispatch(
            store.clone(),
            Arc::new(deliver),
            settings.clone(),
            Metrics::new(),
            never.clone(),
            never,
        ))
    };
    let mut dispatchers = [dispatcher(), dispatcher()];
    for number in 0..EVENTS {
        let key = number % KEYS;
        let event = Event {
            id: name(&format!("{key}.{}", number / KEYS)),
            topic: name("proof"),
            key: Some(format!("key {key}")),
            body: Bytes::from("x".repeat(random.usize(..5_000))),
        };
        store.accept(&event).await?;
        let pause = STORM / u32::try_from(EVENTS)?;
        sleep(pause.mul_f64(random.f64() * 2.0)).await;
        if random.u8(..10) == 0 {
            let victim = &mut dispatchers[random.usize(..2)];
            victim.abort();
            *victim = dispatcher();
        }
    }
    while store.backlog().await?.iter().any(|it| it.open > 0) {
        assert!(dispatchers.iter().all(|it| !it.is_finished()));
        sleep(Duration::from_millis(100)).await;
    }
    assert!(store.dead(1).await?.is_empty());
    Ok(())
}

/// One thing that happens to the network, or to a receiver.
fn strike(simulation: &mut Sim<'_>, random: &mut Rng) {
    let receiver = RECEIVERS[random.usize(..RECEIVERS.len())];
    let (here, there) = ("courier", receiver);
    match random.u8(..10) {
        0 => simulation.partition(here, there),
        1 => simulation.partition_oneway(here, there),
        2 => simulation.partition_oneway(there, here),
        3 => simulation.hold(here, there),
        4 => simulation.crash(receiver),
        5 => simulation.bounce(receiver),
        6 => {
            let latency = Duration::from_millis(random.u64(1..3_000));
            simulation
                .set_link_max_message_latency(here, there, latency);
        }
        _ => calm(simulation, receiver),
    }
}

/// Everything works again, and what was held arrives.
fn calm(simulation: &mut Sim<'_>, receiver: &str) {
    simulation.repair("courier", receiver);
    simulation.release("courier", receiver);
    let latency = Duration::from_millis(20);
    simulation
        .set_link_max_message_latency("courier", receiver, latency);
    if !simulation.is_host_running(receiver) {
        simulation.bounce(receiver);
    }
}

// ANCHOR: simulate
/// One run. The seed decides what happens to the network, and when. A second run with the same seed is nearly the same,
/// but Tokio and the client's connection pool have their own randomness and clock.
fn simulate(seed: u64) -> Vec<Arrival> {
    fastrand::seed(seed);
    let mut random = Rng::with_seed(seed);
    let seen = Seen::default();
    let mut simulation = turmoil::Builder::new()
        .rng_seed(seed)
        .enable_random_order()
        .tick_duration(Duration::from_millis(20))
        .max_message_latency(Duration::from_millis(20))
        .simulation_duration(10 * STORM)
        .build();
    for receiver in RECEIVERS {
        let seen = seen.clone();
        simulation
            .host(receiver, move || receive(receiver, seen.clone()));
    }
    simulation.client("courier", deliver_all(random.fork()));
    let mut next = Duration::ZERO;
    let mut is_over = false;
    while !simulation.step().expect("everything is delivered") {
        let now = simulation.elapsed();
        if now > STORM && !is_over {
            for receiver in RECEIVERS {
                calm(&mut simulation, receiver);
            }
            is_over = true;
        } else if now > next && !is_over {
            strike(&mut simulation, &mut random);
            next = now + Duration::from_millis(random.u64(..600));
        }
    }
    let arrivals = seen.0.lock().expect("no panic");
    arrivals.clone()
}
// ANCHOR_END: simulate

fn knob(name: &str, default: u64) -> u64 {
    let value = env::var(name).ok();
    value.map_or(default, |it| it.parse().expect("a number"))
}

fn unix_time() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// How many deliveries were doubles.
fn verify(arrivals: &[Arrival]) -> usize {
    let mut next = BTreeMap::<_, usize>::new();
    let mut all = BTreeSet::new();
    for it in arrivals {
        let (key, number) = it.event.split_once('.').expect("a dot");
        let number: usize = number.parse().expect("a number");
        let next = next.entry((it.receiver, key)).or_default();
        assert!(number <= *next, "{it:?} came before {next}");
        *next = (*next).max(number + 1);
        all.insert((it.receiver, &it.event));
    }
    assert_eq!(all.len(), EVENTS * RECEIVERS.len(), "some are missing");
    arrivals.len() - all.len()
}

#[test]
fn failure_of_the_network_loses_nothing_and_keeps_the_order() {
    let first = knob("COURIER_SEED", fastrand::u64(..1 << 32));
    let seeds = knob("COURIER_SEEDS", 12);
    let (mut doubles, mut longest) = (0, Duration::ZERO);
    for seed in first..first + seeds {
        // A test that fails prints it.
        println!("COURIER_SEED={seed}");
        let arrivals = simulate(seed);
        doubles += verify(&arrivals);
        let last = arrivals.last().expect("arrivals").at;
        longest = longest.max(last);
    }
    let events = EVENTS * RECEIVERS.len();
    eprintln!(
        "{seeds} simulations from COURIER_SEED={first}: {events} \
         deliveries each, {doubles} doubles in total; the last one \
         came {:.1?} after the network was well again",
        longest.saturating_sub(STORM)
    );
}

/// Half a minute passes, by the clock that all timeouts and delays have, and hardly a second by the wall clock. Only the
/// timestamps of the signatures are the wall clock's.
#[test]
fn clock_on_the_wall_is_only_for_timestamps() {
    let before = unix_time();
    let arrivals = simulate(1);
    let after = unix_time();
    verify(&arrivals);
    assert!(arrivals.last().expect("arrivals").at > STORM / 2);
    let is_now =
        |it: &Arrival| (before..=after).contains(&it.timestamp);
    assert!(arrivals.iter().all(is_now));
}
