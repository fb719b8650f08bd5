//! A cluster of three NATS servers: one of them, also a leader, is killed and comes back, while events are accepted and delivered.

mod nats;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use courier::{
    event::{Event, Name, Secret, Subscription},
    store::{
        Accepted, JetStreamOptions, JetStreamStore, Outcome, Store,
    },
};
use nats::Nats;
use tokio::{task::JoinSet, time::sleep};

const KEYS: usize = 4;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn options() -> JetStreamOptions {
    JetStreamOptions {
        replicas: 3,
        lanes: 3,
        lease: Duration::from_secs(2),
        timeout: Duration::from_secs(2),
        ..Default::default()
    }
}

/// A new cluster needs some time until it elects leaders.
async fn connect(nats: &Nats) -> Arc<JetStreamStore> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match JetStreamStore::connect(&nats.url(), options()).await {
            Ok(store) => return Arc::new(store),
            Err(error) => assert!(Instant::now() < end, "{error:?}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// The number of the node that leads the queue.
async fn leader(client: &async_nats::Client) -> Option<usize> {
    let jetstream = async_nats::jetstream::new(client.clone());
    let stream = jetstream.get_stream("courier-queue").await.ok()?;
    let leader = stream.cached_info().cluster.clone()?.leader?;
    leader.strip_prefix("node")?.parse().ok()
}

/// What happened, in the order in which it happened.
#[derive(Default)]
struct Log {
    /// When each event was accepted, by its key and number.
    accepted: Vec<(usize, usize)>,
    /// Each attempt that a receiver saw, successful or not.
    attempts: Vec<(usize, usize, bool)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash_of_a_leader_loses_nothing() {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => fastrand::u64(..),
    };
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let start = Instant::now();
    let mut nats = Nats::start(3);
    let stores = [connect(&nats).await, connect(&nats).await];
    println!("{:?}: connected", start.elapsed());
    let to = Subscription {
        name: name("a"),
        url: "http://127.0.0.1:9/".parse().unwrap(),
        topics: vec![],
        secret: Secret(vec![7; 32].into()),
    };
    while let Err(error) = stores[0].subscribe(&to, usize::MAX).await {
        println!("{error}");
    }
    println!("{:?}: subscribed", start.elapsed());
    let log = Arc::new(Mutex::new(Log::default()));
    let (full, done) = (Arc::default(), Arc::default());
    let mut clients = JoinSet::new();
    for key in 0..KEYS {
        // The same id until it's accepted: that's the contract.
        let store = Arc::clone(&stores[key % 2]);
        let (log, full) = (Arc::clone(&log), Arc::clone(&full));
        let full: Arc<AtomicBool> = full;
        clients.spawn(async move {
            let mut failures = 0;
            for n in 0.. {
                if full.load(SeqCst) {
                    break;
                }
                let event = Event {
                    id: name(&format!("{key}-{n}")),
                    topic: name("order.shipped"),
                    // Those of the last one have no key.
                    key: (key + 1 < KEYS).then(|| key.to_string()),
                    body: vec![b'x'; 100].into(),
                };
                loop {
                    match store.accept(&event).await {
                        Ok(Accepted::New(1) | Accepted::Again) => break,
                        Ok(other) => panic!("{other:?}"),
                        Err(_) => failures += 1,
                    }
                    sleep(Duration::from_millis(20)).await;
                }
                log.lock().unwrap().accepted.push((key, n));
                sleep(Duration::from_millis(5)).await;
            }
            failures
        });
    }
    let mut workers = JoinSet::new();
    for store in &stores {
        let (store, log) = (Arc::clone(store), Arc::clone(&log));
        let done: Arc<AtomicBool> = Arc::clone(&done);
        let mut random = random.fork();
        workers.spawn(async move {
            let (a, lease) = (name("a"), options().lease);
            let mut lost = 0;
            while !done.load(SeqCst) {
                let leases = store.claim(&a, 10, lease).await;
                let leases = leases.unwrap_or_default();
                if leases.is_empty() {
                    sleep(Duration::from_millis(10)).await;
                }
                let settling = leases.into_iter().map(|lease| {
                    let id = lease.event.id.to_string();
                    let (key, n) = id.split_once('-').unwrap();
                    let delivered = random.u8(..) > 25;
                    let outcome = match delivered {
                        true => Outcome::Delivered,
                        false => Outcome::Retry {
                            after: Duration::ZERO,
                            error: "down".into(),
                        },
                    };
                    let (key, n) = (key.parse(), n.parse());
                    let attempt = (key.unwrap(), n.unwrap(), delivered);
                    log.lock().unwrap().attempts.push(attempt);
                    let store = &store;
                    async move { store.settle(&lease, &outcome).await }
                });
                for settled in futures::future::join_all(settling).await
                {
                    lost += usize::from(!matches!(settled, Ok(true)));
                }
            }
            lost
        });
    }
    let url = nats.url();
    let servers: Vec<_> = url.split(',').collect();
    let client = async_nats::connect(&servers[..]).await.unwrap();
    // ANCHOR: kill
    for round in 0..2 {
        sleep(Duration::from_millis(random.u64(500..1500))).await;
        let victim = match round {
            0 => leader(&client).await.expect("a leader"),
            _ => random.usize(..3),
        };
        nats.kill(victim);
        println!("{:?}: killed node{victim}", start.elapsed());
        sleep(Duration::from_millis(random.u64(1000..3000))).await;
        nats.restart(victim);
        println!("{:?}: restarted", start.elapsed());
        // Until it has caught up, the crash of another node would lose the quorum.
        sleep(Duration::from_secs(2)).await;
    }
    // ANCHOR_END: kill
    full.store(true, SeqCst);
    let failures: usize = clients.join_all().await.into_iter().sum();
    println!("{:?}: all accepted", start.elapsed());
    let missing = || {
        let log = log.lock().unwrap();
        let seen: std::collections::HashSet<_> = log
            .attempts
            .iter()
            .filter(|it| it.2)
            .map(|it| (it.0, it.1))
            .collect();
        let all = log.accepted.iter();
        all.filter(|it| !seen.contains(it)).count()
    };
    let end = start + Duration::from_secs(38);
    while missing() > 0 {
        assert!(Instant::now() < end, "{} are missing", missing());
        sleep(Duration::from_millis(50)).await;
    }
    done.store(true, SeqCst);
    let lost: usize = workers.join_all().await.into_iter().sum();
    let log = log.lock().unwrap();
    println!(
        "{:?}: {} accepted ({failures} attempts failed), {} attempts, {lost} not settled",
        start.elapsed(),
        log.accepted.len(),
        log.attempts.len(),
    );
    let mut delivered: HashMap<usize, usize> = HashMap::new();
    for &(key, n, success) in &log.attempts {
        if key + 1 == KEYS {
            continue;
        }
        let next = delivered.entry(key).or_default();
        assert!(n <= *next, "{key}-{n} came before {key}-{next}");
        if success && n == *next {
            *next += 1;
        }
    }
}
