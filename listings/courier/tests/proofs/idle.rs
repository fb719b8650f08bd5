//! Ten thousand connections of one client, which say nothing.

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reqwest::Client;
use tokio::{
    io::AsyncReadExt, net::TcpStream, task::JoinSet, time::timeout,
};

use crate::{
    clients::{Load, Plan},
    knob,
    place::Place,
    process::{CONFIG, Courier},
    receiver::{Mood, Receiver},
    until,
};

// ANCHOR: limits
const SETTINGS: &str = r#"
[accept]
connections = 1000
connections_per_address = 200
head_timeout = "60s"
"#;
// ANCHOR_END: limits

/// Another address of this machine.
const OTHER: [u8; 4] = [127, 0, 0, 2];

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_ten_thousand_connections_stops_nobody_else() {
    // courier gets the same limit.
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let (_, hard) = limits.expect("the limit of files");
    let hard = hard.min(100_000);
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("allowed");
    let idle = hard.saturating_sub(2_000).min(10_000);
    let idle = knob("COURIER_IDLE", idle);
    assert!(idle >= 2_000, "only {hard} files are allowed");

    let receiver = Receiver::start(Mood::Fine).await;
    let place = Place::sqlite();
    let mut courier =
        Courier::new(&place, &format!("{CONFIG}{SETTINGS}"));
    courier.ready().await;
    courier.subscribe("one", &receiver.url("one")).await;
    let memory = courier.memory();

    let start = Instant::now();
    let connections = connect(&courier, idle).await;
    let connected = connections.len();
    let connecting = start.elapsed();
    assert!(connected >= 2_000, "only {connected} of {idle}");
    let files = courier.open_files();
    assert!(files < 300, "{files} files");

    // From another address, everything works.
    let client = Client::builder().local_address(Some(OTHER.into()));
    let client = client.build().expect("a client");
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let start = Instant::now();
        let live = client.get(format!("{}/live", courier.url));
        let live = live.send().await.expect("an answer");
        assert!(live.status().is_success());
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    let plan = Plan { most: 20, from: OTHER, ..Plan::SMALL };
    let load = Load::start(vec![courier.url.clone()], plan);
    let sent = load.complete().await;
    assert_eq!(sent.unknown, 0);
    until("delivered", Duration::from_secs(30), async || {
        receiver.count("one") == sent.acknowledged.len()
    })
    .await;
    let grown = courier.memory().saturating_sub(memory);
    assert!(grown < 50_000, "{grown} KiB");

    // Without them, their address is served again, too.
    drop(connections);
    let minute = Duration::from_secs(60);
    until("served again", minute, async || {
        let live = reqwest::get(format!("{}/live", courier.url)).await;
        live.is_ok_and(|it| it.status().is_success())
    })
    .await;
    courier.drained().await;
    receiver.verify(&["one"], &sent.acknowledged);
    eprintln!(
        "{connected} idle connections in {connecting:.1?}: \
         {files} files and {grown} KiB more in courier, /live took at \
         most {slowest:.1?}, {} events from another address",
        sent.acknowledged.len(),
    );
}

/// How many files courier may have open, and about how many it needs for itself.
const FILES: (u64, usize) = (60, 40);

#[tokio::test]
async fn overload_of_open_files_ends_with_their_clients() {
    let receiver = Receiver::start(Mood::Fine).await;
    let place = Place::sqlite();
    let mut courier = Courier::new(&place, CONFIG);
    courier.files = FILES.0;
    courier.ready().await;
    courier.subscribe("one", &receiver.url("one")).await;
    let before = courier.open_files();
    assert!(before < FILES.1, "{before} files");
    let plan = Plan { most: 60, ..Plan::SMALL };
    let load = Load::start(vec![courier.url.clone()], plan);
    let minute = Duration::from_secs(60);
    until("some are accepted", minute, async || {
        load.progress().acknowledged.len() > 20
    })
    .await;
    let mut connections = Vec::new();
    for _ in 0..100 {
        let address = courier.url.replace("http://", "");
        let connection = TcpStream::connect(address).await;
        connections.push(connection.expect("it's in the backlog"));
    }
    until("no file is left", minute, async || {
        courier.log().contains("can't accept a connection")
    })
    .await;
    let accepted = load.progress().acknowledged.len();
    drop(connections);
    let sent = load.complete().await;
    courier.drained().await;
    assert!(!courier.has_ended());
    let doubles = receiver.verify(&["one"], &sent.acknowledged);
    eprintln!(
        "no files left: {} events, {accepted} of them before that, {} \
         unknown outcomes, {doubles} doubles",
        sent.acknowledged.len(),
        sent.unknown,
    );
}

async fn connect(courier: &Courier, idle: u64) -> Vec<TcpStream> {
    const CLIENTS: u64 = 64;
    const PATIENCE: Duration = Duration::from_millis(50);
    let mut connecting = JoinSet::new();
    for _ in 0..CLIENTS {
        let address = courier.url.replace("http://", "");
        connecting.spawn(async move {
            let mut connections = Vec::new();
            for _ in 0..=idle / CLIENTS {
                let Ok(mut io) = TcpStream::connect(&address).await
                else {
                    continue;
                };
                // If it's refused, courier says so immediately.
                let answer = io.read_u8();
                let _ = timeout(PATIENCE, answer).await;
                connections.push(io);
            }
            connections
        });
    }
    connecting.join_all().await.into_iter().flatten().collect()
}
