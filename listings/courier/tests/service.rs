//! The whole service: its parts end and panic, it's stopped at many
//! moments, and its configuration changes.

mod faulty;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use courier::{
    event::{Event, Subscription},
    listener::Listen,
    service::{self, Options},
    sign::Secret,
    store::{Accepted, Store},
};
use faulty::{Client, Fault, Faulty, ask, called, event, get, request};
use hazards::within;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

type Tested = io::Result<()>;

const LONG: Duration = Duration::from_secs(30);

struct Running {
    to: SocketAddr,
    store: Arc<Faulty>,
    stop: CancellationToken,
    hurry: CancellationToken,
    service: JoinHandle<anyhow::Result<()>>,
}

async fn start(options: Options) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let to = listener.local_addr().expect("an address");
    let store = Faulty::new(usize::MAX);
    let shop = Subscription {
        name: "shop".parse().expect("a name"),
        // It's refused, because it's private.
        url: "http://127.0.0.1:9/".parse().expect("a URL"),
        topics: Vec::new(),
        secret: Secret::generate().expect("random bytes"),
    };
    store.inner.subscribe(&shop, usize::MAX).await.expect("it works");
    let stop = CancellationToken::new();
    let hurry = CancellationToken::new();
    let service = tokio::spawn(service::serve(
        listener,
        store.clone(),
        options,
        stop.clone(),
        hurry.clone(),
    ));
    Running { to, store, stop, hurry, service }
}

fn options(grace: Duration) -> Options {
    Options { grace, ..Options::default() }
}

impl Running {
    /// Waits until it has ended, and returns its error.
    async fn error(self) -> Option<String> {
        let ended = within(LONG, self.service).await;
        let error = ended.expect("it doesn't panic").err();
        error.map(|error| format!("{error:#}"))
    }

    async fn has(&self, id: &str) -> bool {
        let event = Event {
            id: id.parse().expect("a name"),
            topic: "order".parse().expect("a name"),
            key: None,
            body: "7".into(),
        };
        let again = self.store.inner.accept(&event).await;
        again.expect("it works") == Accepted::Again
    }
}

#[tokio::test]
async fn panic_of_the_dispatcher_stops_everything() -> Tested {
    let it = start(options(Duration::from_secs(4))).await;
    let mut idle = Client::connect(it.to).await?;
    let live = request("GET", "/live", "", "");
    assert_eq!(idle.ask(&live).await?.status, 200);
    it.store.set("due", Fault::Panics);
    let to = it.to;
    let error = it.error().await.expect("it's an error");
    assert!(error.contains("the dispatcher panicked"), "{error}");
    assert!(error.contains("a bug in the store"), "{error}");
    within(LONG, idle.closed()).await;
    assert!(Client::connect(to).await.is_err());
    hazards::no_task_left().await;
    Ok(())
}

/// It isn't restarted for that: it isn't its fault.
#[tokio::test]
async fn failure_of_the_store_is_not_ready_for_a_while() -> Tested {
    let it = start(options(LONG)).await;
    for status in [503, 200, 503] {
        match status {
            200 => it.store.heal(),
            _ => it.store.set("ping", Fault::Fails),
        }
        let answer = within(LONG, async {
            loop {
                let answer = get(it.to, "/ready").await?;
                if answer.status == status {
                    return io::Result::Ok(answer);
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        let answer = answer.await?;
        let retry = answer.head.contains("retry-after");
        assert_eq!(retry, status == 503);
        assert_eq!(answer.body.contains("error"), status == 503);
        assert_eq!(get(it.to, "/live").await?.status, 200);
    }
    Ok(())
}

/// Clients that hold every connection, even those of the probes.
#[tokio::test]
async fn overload_of_all_connections_leaves_the_probes() -> Tested {
    let config = Config::new("[accept]\nconnections = 2\n");
    let probes = TcpListener::bind("127.0.0.1:0").await?;
    let to = probes.local_addr()?;
    let config_path = Some(config.path());
    let it = start(Options {
        config: config_path,
        probes: Some(probes),
        ..options(LONG)
    })
    .await;
    let connect = async |to| {
        let mut idle = Vec::new();
        for _ in 0..200 {
            idle.push(Client::connect(to).await?);
        }
        io::Result::Ok(idle)
    };
    let _idle = connect(it.to).await?;
    for path in ["/live", "/ready"] {
        let busy = get(it.to, path).await;
        assert!(busy.is_err() || busy?.status == 503, "{path}");
        assert_eq!(get(to, path).await?.status, 200, "{path}");
    }
    for path in ["/", "/metrics", "/subscriptions", "/dead"] {
        assert_eq!(get(to, path).await?.status, 404, "{path}");
    }
    let _idle = connect(to).await?;
    let probed = async {
        while get(to, "/live").await.is_ok_and(|it| it.status == 503) {
            sleep(Duration::from_millis(50)).await;
        }
        get(to, "/live").await
    };
    let probed = within(Duration::from_secs(10), probed).await?;
    assert_eq!(probed.status, 200);
    it.stop.cancel();
    assert_eq!(it.error().await, None);
    Ok(())
}

/// An orchestrator that gets no answer would kill a working process.
#[tokio::test]
async fn stop_leaves_the_probes_until_the_end() -> Tested {
    let probes = TcpListener::bind("127.0.0.1:0").await?;
    let to = probes.local_addr()?;
    let probes = Some(probes);
    let it = start(Options { probes, ..options(LONG) }).await;
    let mut same = Client::connect(to).await?;
    let live = request("GET", "/live", "", "");
    assert_eq!(same.ask(&live).await?.status, 200);
    it.store.set("accept", Fault::Waits);
    let mut waits = Client::connect(it.to).await?;
    waits.write(&event("1", "7")).await?;
    called(&it.store, "accept", 1).await;
    it.stop.cancel();
    within(LONG, async {
        while Client::connect(it.to).await.is_ok() {}
    })
    .await;
    for _ in 0..3 {
        // Longer than the head of a probe's request may take.
        sleep(Duration::from_millis(1_200)).await;
        assert_eq!(same.ask(&live).await?.status, 200);
        assert_eq!(get(to, "/live").await?.status, 200);
        assert_eq!(get(to, "/ready").await?.status, 503);
    }
    it.store.gate.add_permits(1);
    assert_eq!(waits.read().await?.status, 202);
    assert_eq!(it.error().await, None);
    assert!(Client::connect(to).await.is_err());
    hazards::no_task_left().await;
    Ok(())
}

#[tokio::test]
async fn panic_in_a_probe_leaves_its_connection() -> Tested {
    let probes = TcpListener::bind("127.0.0.1:0").await?;
    let to = probes.local_addr()?;
    let probes = Some(probes);
    let it = start(Options { probes, ..options(LONG) }).await;
    it.store.set("ping", Fault::Panics);
    let mut same = Client::connect(to).await?;
    for (path, status) in [("/ready", 500), ("/live", 200)] {
        let probe = request("GET", path, "", "");
        assert_eq!(same.ask(&probe).await?.status, status);
    }
    let text = get(it.to, "/metrics").await?.body;
    assert!(text.contains("courier_panics_total 1"), "{text}");
    it.stop.cancel();
    assert_eq!(it.error().await, None);
    Ok(())
}

/// Nobody connects.
struct Quiet;

impl Listen for Quiet {
    type Io = tokio::io::DuplexStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, SocketAddr)> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn cancel_at_every_poll_leaves_no_task() {
    hazards::at_every_poll(async |cancel| {
        let (stop, hurry) =
            (CancellationToken::new(), CancellationToken::new());
        let stopping = stop.clone();
        let timer = tokio::spawn(async move {
            sleep(Duration::from_secs(3)).await;
            stopping.cancel();
        });
        let store = Faulty::new(9);
        let options = options(LONG);
        let served = service::serve(Quiet, store, options, stop, hurry);
        if let Some(served) = cancel.run(served).await {
            served.expect("it stops well");
        }
        timer.abort();
        hazards::no_task_left().await;
    })
    .await;
}

#[tokio::test]
async fn owner_gone_leaves_no_task() -> Tested {
    let it = start(options(LONG)).await;
    assert_eq!(ask(it.to, &event("1", "7")).await?.status, 202);
    it.service.abort();
    hazards::no_task_left_after(Duration::from_secs(5)).await;
    Ok(())
}

#[tokio::test]
async fn stop_is_announced_first() -> Tested {
    let notice = Duration::from_secs(1);
    let options = Options { notice, ..options(LONG) };
    let it = start(options).await;
    assert_eq!(get(it.to, "/ready").await?.status, 200);
    it.stop.cancel();
    within(LONG, async {
        while get(it.to, "/ready").await?.status == 200 {}
        io::Result::Ok(())
    })
    .await?;
    // Events are still accepted.
    assert_eq!(ask(it.to, &event("1", "7")).await?.status, 202);
    let to = it.to;
    assert_eq!(it.error().await, None);
    assert!(Client::connect(to).await.is_err());
    hazards::no_task_left().await;
    Ok(())
}

/// Sends events until the service has stopped, and returns the ids of those
/// that were acknowledged.
async fn load(to: SocketAddr, client: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut sent = 0;
    while let Ok(mut connection) = Client::connect(to).await {
        loop {
            sent += 1;
            let id = format!("{client}-{sent}");
            match connection.ask(&event(&id, "7")).await {
                Ok(answer) if answer.status == 202 => {
                    acknowledged.push(id);
                }
                Ok(answer) => assert_eq!(answer.status, 503),
                Err(_) => break,
            }
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_and_hurry_at_many_moments_under_load() -> Tested {
    for round in 0..12_u64 {
        let it = start(options(Duration::from_secs(8))).await;
        let mut clients = JoinSet::new();
        for client in 0..5 {
            clients.spawn(load(it.to, client));
        }
        sleep(Duration::from_millis(1 + round * 7)).await;
        let begun = Instant::now();
        it.stop.cancel();
        if round % 3 == 1 {
            sleep(Duration::from_millis(round / 3)).await;
            it.hurry.cancel();
        }
        let all = within(LONG, clients.join_all()).await;
        let store = it.store.clone();
        assert_eq!(it.error().await, None);
        assert!(begun.elapsed() < Duration::from_secs(10));
        let stopped = start(options(LONG)).await;
        let stopped = Running { store, ..stopped };
        for id in all.iter().flatten() {
            assert!(stopped.has(id).await, "{id} is lost");
        }
        stopped.stop.cancel();
        assert_eq!(stopped.error().await, None);
    }
    Ok(())
}

#[tokio::test]
async fn stop_before_anything_has_begun() -> Tested {
    for hurried in [false, true] {
        let it = start(options(LONG)).await;
        if hurried {
            it.hurry.cancel();
        }
        it.stop.cancel();
        assert_eq!(it.error().await, None);
        hazards::no_task_left().await;
    }
    Ok(())
}

/// Neither half a request nor a silent store holds it longer.
#[tokio::test]
async fn stop_in_time_with_silent_clients_and_a_silent_store() -> Tested
{
    let grace = Duration::from_secs(4);
    let it = start(options(grace)).await;
    it.store.set("accept", Fault::Silent);
    it.store.set("due", Fault::Silent);
    let mut half = Client::connect(it.to).await?;
    half.write("POST /ev").await?;
    let mut waits = Client::connect(it.to).await?;
    waits.write(&event("1", "7")).await?;
    called(&it.store, "accept", 1).await;
    let begun = Instant::now();
    it.stop.cancel();
    assert_eq!(it.error().await, None);
    let took = begun.elapsed();
    assert!(took < grace + Duration::from_secs(1), "{took:?}");
    within(LONG, half.closed()).await;
    within(LONG, waits.closed()).await;
    hazards::no_task_left().await;
    Ok(())
}

#[tokio::test]
async fn stop_in_a_hurry_is_quick() -> Tested {
    let it = start(options(10 * LONG)).await;
    it.store.set("accept", Fault::Silent);
    let mut waits = Client::connect(it.to).await?;
    waits.write(&event("1", "7")).await?;
    it.stop.cancel();
    sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    it.hurry.cancel();
    assert_eq!(it.error().await, None);
    assert!(begun.elapsed() < Duration::from_secs(4));
    Ok(())
}

#[tokio::test]
async fn edges_no_grace_at_all() -> Tested {
    let it = start(options(Duration::ZERO)).await;
    it.store.set("accept", Fault::Silent);
    let mut waits = Client::connect(it.to).await?;
    waits.write(&event("1", "7")).await?;
    it.stop.cancel();
    // It may say that a part didn't stop in time.
    it.error().await;
    within(LONG, waits.closed()).await;
    hazards::no_task_left().await;
    Ok(())
}

struct Config(tempfile::TempDir);

impl Config {
    fn new(text: &str) -> Self {
        let it = Self(tempfile::tempdir().expect("a folder"));
        it.write(text);
        it
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("courier.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).expect("written");
    }

    /// As editors and deployments do it.
    fn replace(&self, text: &str) {
        let new = self.0.path().join("new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, self.path()).expect("renamed");
    }

    async fn start(&self) -> Running {
        let config = Some(self.path());
        start(Options { config, ..options(LONG) }).await
    }
}

/// Waits until a body of this length gets this status.
async fn until(it: &Running, length: usize, status: u16) {
    let body = "x".repeat(length);
    let same = async {
        let mut nth = 0;
        loop {
            nth += 1;
            let id = format!("{length}-{status}-{nth}");
            let sent = ask(it.to, &event(&id, &body)).await;
            if sent.expect("an answer").status == status {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    within(LONG, same).await;
}

#[tokio::test]
async fn failure_of_a_file_keeps_the_old_settings() -> Tested {
    let config = Config::new("[accept]\nmax_body = 100\n");
    let it = config.start().await;
    until(&it, 101, 413).await;
    config.replace("[accept]\nmax_body = 200\n");
    until(&it, 101, 202).await;
    for bad in [
        "[accept]\nmax_body = 0\n",
        "[accept]\nmax_body = 50\nmax_bodies = 1\n",
        "[accept\n",
        "max_body = 50\n",
        "\u{feff}[accept]\nmax_body = 50\nx",
    ] {
        config.write(bad);
        sleep(Duration::from_millis(2500)).await;
        until(&it, 150, 202).await;
    }
    std::fs::remove_file(config.path())?;
    sleep(Duration::from_millis(2500)).await;
    until(&it, 150, 202).await;
    config.write("[accept]\nmax_body = 120\n");
    until(&it, 150, 413).await;
    it.stop.cancel();
    assert_eq!(it.error().await, None);
    Ok(())
}

/// An empty file is valid, and the beginning of each write.
#[tokio::test]
async fn crash_half_a_file_is_not_adopted() -> Tested {
    let config = Config::new("[accept]\nmax_body = 100\n");
    let it = config.start().await;
    until(&it, 101, 413).await;
    for nth in 0..30 {
        // It never stays the same for two reads.
        config.write(&format!("#{nth}\n"));
        let sent = event(&nth.to_string(), &"x".repeat(101));
        assert_eq!(ask(it.to, &sent).await?.status, 413);
        sleep(Duration::from_millis(100)).await;
    }
    config.write("[accept]\nmax_body = 100\n");
    it.stop.cancel();
    assert_eq!(it.error().await, None);
    Ok(())
}

#[tokio::test]
async fn failure_of_the_first_file_is_an_error() -> Tested {
    let limit = 1 << 20;
    let largest = "ä".repeat((limit - 2) / 2) + "\n";
    let largest = format!("#{largest}");
    assert_eq!(largest.len(), limit);
    // What's cut off would be valid, too.
    let larger = format!("{largest}[accept]\nrequests = 5\n");
    for (text, says) in [
        (&*largest, ""),
        (&*larger, "larger than 1 MiB"),
        ("[accept]\n\nrequests = 0\n", "line 3"),
        ("[retry]\nfirst = \"0s\"\n", "line 2"),
        ("[retry]\nfirst = \"-1s\"\n", "line 2"),
        ("[retry]\nfirst = 5\n", "line 2"),
        ("[retry]\nmost = \"999999999999h\"\n", "line 2"),
        ("[retry]\nattempts = 4294967296\n", "line 2"),
        ("[retry]\nattempts = -1\n", "line 2"),
        ("\n[retry]\nbudget = nan\n", "line 3"),
        ("[retry]\nbudget = inf\n", "line 2"),
        ("[deliver]\ntotal = 9223372036854775807\n", "line 2"),
        ("[deliver]\nlaese = \"5s\"\n", "line 2"),
        ("keep = \"1 fortnight\"\n", "line 1"),
        ("[accept]\nrequests = 5", ""),
        ("", ""),
    ] {
        let config = Config::new(text);
        let it = config.start().await;
        if says.is_empty() {
            assert_eq!(get(it.to, "/ready").await?.status, 200);
            it.stop.cancel();
            assert_eq!(it.error().await, None);
        } else {
            let error = it.error().await.expect("it's wrong");
            assert!(error.contains(says), "{says}: {error}");
            assert!(error.contains("courier.toml"), "{error}");
        }
    }
    let config = Config::new("");
    std::fs::remove_file(config.path())?;
    let error = config.start().await.error().await;
    assert!(error.expect("no file").contains("courier.toml"));
    Ok(())
}
