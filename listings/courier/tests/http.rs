//! The HTTP interface and the listener, attacked by clients.

mod faulty;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use courier::{
    config::{Accept, Settings},
    event::{Event, Name, Secret, Subscription},
    http::{self, Api, Token},
    listener::{self, Listen},
    metrics::Metrics,
    store::{Outcome, Store},
};
use faulty::{
    Answer, Client, Fault, Faulty, ask, called, event, get, request,
};
use futures::StreamExt;
use hazards::within;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

type Tested = io::Result<()>;

/// Longer than anything here may take, on a busy machine too.
const LONG: Duration = Duration::from_secs(20);

struct Running {
    to: SocketAddr,
    store: Arc<Faulty>,
    metrics: Metrics,
    stop: CancellationToken,
    settings: watch::Sender<Arc<Settings>>,
    server: JoinHandle<()>,
}

fn accept() -> Accept {
    Accept {
        head_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(1),
        ..Accept::default()
    }
}

fn api(
    store: &Arc<Faulty>,
    settings: &watch::Sender<Arc<Settings>>,
    metrics: &Metrics,
    token: Option<&str>,
    stop: &CancellationToken,
) -> axum::Router {
    http::router(Arc::new(Api {
        store: store.clone(),
        settings: settings.subscribe(),
        metrics: metrics.clone(),
        token: token.map(Token::new),
        stop: stop.clone(),
        pinged: Default::default(),
        subscribing: Default::default(),
    }))
}

async fn start(
    accept: Accept,
    token: Option<&str>,
    max_open: usize,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let to = listener.local_addr().expect("an address");
    let store = Faulty::new(max_open);
    let metrics = Metrics::new();
    let stop = CancellationToken::new();
    let settings = Settings { accept, ..Settings::default() };
    let settings = watch::Sender::new(Arc::new(settings));
    let router = api(&store, &settings, &metrics, token, &stop);
    let server = tokio::spawn(listener::serve(
        listener,
        router,
        settings.subscribe(),
        metrics.clone(),
        stop.clone(),
    ));
    Running { to, store, metrics, stop, settings, server }
}

async fn running() -> Running {
    start(accept(), None, usize::MAX).await
}

impl Running {
    async fn put(&self, name: &str, body: &str) -> Answer {
        let path = format!("/subscriptions/{name}");
        let put = request("PUT", &path, "", body);
        ask(self.to, &put).await.expect("an answer")
    }

    /// Returns the secret.
    async fn subscribe(&self, name: &str) -> String {
        let new = self.put(name, r#"{"url":"http://r.test/"}"#).await;
        assert_eq!(new.status, 200, "{new:?}");
        let new: serde_json::Value =
            serde_json::from_str(&new.body).expect("JSON");
        new["secret"].as_str().expect("a secret").to_owned()
    }

    async fn open(&self) -> u64 {
        let backlog = self.store.inner.backlog().await;
        backlog.expect("it works").iter().map(|it| it.open).sum()
    }

    /// The value of a metric.
    fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render(&[]);
        let line = text.lines().find(|it| it.starts_with(name));
        let value = line.and_then(|it| it.rsplit(' ').next());
        value.map_or(0.0, |it| it.parse().expect("a number"))
    }
}

#[tokio::test]
async fn again_an_event_is_accepted_once() -> Tested {
    let it = running().await;
    it.subscribe("shop").await;
    let mut client = Client::connect(it.to).await?;
    let new = client.ask(&event("e1", "7")).await?;
    assert_eq!(new.status, 202);
    assert_eq!(new.body, r#"{"deliveries":1,"id":"e1"}"#);
    let again = client.ask(&event("e1", "7")).await?;
    assert_eq!((again.status, &*again.body), (200, r#"{"id":"e1"}"#));
    let other = client.ask(&event("e1", "8")).await?;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(it.open().await, 1);
    let text = it.metrics.render(&[]);
    for outcome in ["new", "again", "reused"] {
        let line =
            format!("courier_events_total{{outcome=\"{outcome}\"}} 1");
        assert!(text.contains(&line), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn again_a_subscription_keeps_its_secret() -> Tested {
    let it = running().await;
    let secret = it.subscribe("shop").await;
    assert!(secret.starts_with("whsec_"));
    // Its answer may have been lost.
    assert_eq!(it.subscribe("shop").await, secret);
    let two = [it.subscribe("two"), it.subscribe("two")];
    let two = futures::future::join_all(two).await;
    assert_eq!(two[0], two[1]);
    let own =
        format!(r#"{{"url":"http://r.test/","secret":"{secret}"}}"#);
    let shown = it.put("other", &own).await;
    assert!(!shown.body.contains("whsec_"), "{shown:?}");
    let all = get(it.to, "/subscriptions").await?;
    assert!(!all.body.contains("whsec_"), "{all:?}");
    assert_eq!(
        get(it.to, "/subscriptions/shop").await?.body,
        r#"{"name":"shop","topics":[],"url":"http://r.test/"}"#
    );
    let delete = request("DELETE", "/subscriptions/shop", "", "");
    assert_eq!(ask(it.to, &delete).await?.status, 204);
    assert_eq!(ask(it.to, &delete).await?.status, 404);
    assert_eq!(get(it.to, "/subscriptions/shop").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn failure_of_the_store_is_no_acceptance() -> Tested {
    let it = running().await;
    it.store.set("accept", Fault::Fails);
    let mut client = Client::connect(it.to).await?;
    let failed = client.ask(&event("e1", "7")).await?;
    assert_eq!(failed.status, 503);
    assert!(failed.head.contains("retry-after: 1"), "{failed:?}");
    assert!(failed.body.contains("same key"), "{failed:?}");
    // Details are in the log, and not for clients.
    assert!(!failed.body.contains("disk"), "{failed:?}");
    assert_eq!(it.metric("courier_store_failures_total"), 1.0);
    it.store.heal();
    assert_eq!(client.ask(&event("e1", "7")).await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn silence_of_the_store_is_a_503_in_time() -> Tested {
    let it = running().await;
    it.store.set("accept", Fault::Silent);
    let begun = Instant::now();
    let late = within(LONG, ask(it.to, &event("e1", "7"))).await?;
    assert_eq!(late.status, 503);
    assert!(late.head.contains("retry-after: 1"), "{late:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    Ok(())
}

#[tokio::test]
async fn panic_of_a_handler_leaves_its_connection() -> Tested {
    let it = running().await;
    it.store.set("accept", Fault::Panics);
    let mut client = Client::connect(it.to).await?;
    for nth in 1..=3 {
        let failed = client.ask(&event("e1", "7")).await?;
        assert_eq!(failed.status, 500);
        assert!(!failed.body.contains("store"), "{failed:?}");
        assert_eq!(it.metric("courier_panics_total"), f64::from(nth));
    }
    it.store.heal();
    assert_eq!(client.ask(&event("e1", "7")).await?.status, 202);
    // Its place was given back.
    assert_eq!(it.metric("courier_requests"), 0.0);
    Ok(())
}

#[tokio::test]
async fn edges_of_names_and_keys() -> Tested {
    let it = running().await;
    let mut client = Client::connect(it.to).await?;
    let longest = "n".repeat(64);
    let too_long = "n".repeat(65);
    for (topic, status) in [
        ("a", 202),
        (&*longest, 202),
        (&*too_long, 400),
        ("%C3%A4", 400),
        ("a%2Fb", 400),
        ("a%20b", 400),
        ("%FF", 400),
        // Proxies and clients would resolve them as folders.
        (".", 400),
        ("..", 400),
        ("%2E%2e", 400),
        ("...", 202),
        ("", 404),
        ("a/b", 404),
    ] {
        let path = format!("/events/{topic}");
        let sent = client.ask(&request("POST", &path, "", "")).await?;
        assert_eq!(sent.status, status, "{topic}: {sent:?}");
        let says_why = match status {
            202 => "deliveries",
            400 if topic != "%FF" => "not '.' or '..'",
            _ => "error",
        };
        assert!(sent.body.contains(says_why), "{topic}: {sent:?}");
        let path = format!("/subscriptions/{topic}");
        let body = r#"{"url":"http://r.test/"}"#;
        let put = client.ask(&request("PUT", &path, "", body)).await?;
        let status = if status == 202 { 200 } else { status };
        assert_eq!(put.status, status, "{topic}: {put:?}");
    }
    let key = "k".repeat(Event::MAX_KEY);
    for (header, status) in [
        (format!("idempotency-key: {longest}"), 202),
        (format!("idempotency-key: {too_long}"), 400),
        ("idempotency-key: ".to_owned(), 400),
        ("idempotency-key: a b".to_owned(), 400),
        // Signed, `a.1` at second 2 would be `a` at second 1.
        ("idempotency-key: a.1".to_owned(), 400),
        (format!("ordering-key: {key}"), 202),
        (format!("ordering-key: {key}k"), 400),
        ("ordering-key: ".to_owned(), 400),
        ("ordering-key: Jörg, 東京".to_owned(), 202),
    ] {
        let header = format!("{header}\r\n");
        let sent = request("POST", "/events/a", &header, "\0");
        let sent = client.ask(&sent).await?;
        assert_eq!(sent.status, status, "{header}: {sent:?}");
        assert!(sent.body.starts_with('{'), "{sent:?}");
    }
    let latin = b"POST /events/a HTTP/1.1\r\nhost: localhost\r\n\
        ordering-key: \xe4\r\ncontent-length: 0\r\n\r\n";
    client.0.write_all(latin).await?;
    assert_eq!(client.read().await?.status, 400);
    let delivery = request("POST", "/dead/x/redeliver", "", "");
    assert_eq!(client.ask(&delivery).await?.status, 400);
    let delivery = request("POST", "/dead/7/redeliver", "", "");
    assert_eq!(client.ask(&delivery).await?.status, 404);
    let wrong = request("PATCH", "/dead", "", "");
    assert_eq!(client.ask(&wrong).await?.status, 405);
    Ok(())
}

/// Earlier versions accepted `.` and `..`.
#[tokio::test]
async fn again_stored_names_that_are_folders() -> Tested {
    let it = running().await;
    let url = "http://r.test/".parse().expect("a URL");
    let old = Subscription {
        name: Name::try_from("..".to_owned()).expect("a name"),
        url,
        topics: vec![".".parse().expect("a name")],
        secret: Secret::generate()?,
    };
    let stored = it.store.inner.subscribe(&old, 9).await;
    assert!(stored.expect("it works"));
    for path in ["/", "/subscriptions", "/subscriptions/.."] {
        let seen = get(it.to, path).await?;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert!(seen.body.contains(".."), "{seen:?}");
    }
    let topic = r#"{"url":"http://r.test/","topics":["."]}"#;
    assert_eq!(it.put("a", topic).await.status, 400);
    let delete = request("DELETE", "/subscriptions/..", "", "");
    assert_eq!(ask(it.to, &delete).await?.status, 204);
    assert_eq!(ask(it.to, &delete).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn edges_of_subscriptions() -> Tested {
    let it = running().await;
    let long = format!("http://r.test/{}", "p".repeat(2048));
    for (body, status) in [
        (r#"{"url":"https://r.test/?a=b"}"#, 200),
        (r#"{"url":"http://[::1]:80/","topics":["a","b"]}"#, 200),
        (r#"{"url":"ftp://r.test/"}"#, 400),
        (r#"{"url":"file:///etc/passwd"}"#, 400),
        (r#"{"url":"javascript:alert(1)"}"#, 400),
        (r#"{"url":"http://user@r.test/"}"#, 400),
        (r#"{"url":"http://:pw@r.test/"}"#, 400),
        (r#"{"url":"http://"}"#, 400),
        (r#"{"url":"r.test"}"#, 400),
        (r#"{"url":""}"#, 400),
        (&*format!(r#"{{"url":"{long}"}}"#), 400),
        (r#"{"url":"http://r.test/","topics":["a b"]}"#, 400),
        (r#"{"url":"http://r.test/","secret":"whsec_"}"#, 400),
        (r#"{"url":"http://r.test/","topic":["a"]}"#, 400),
        (r#"{}"#, 400),
        ("", 400),
    ] {
        let put = it.put("s", body).await;
        assert_eq!(put.status, status, "{body}: {put:?}");
        let says_why = put.body.contains("error");
        assert_eq!(says_why, status != 200, "{put:?}");
    }
    Ok(())
}

#[tokio::test]
async fn overload_of_subscriptions_is_refused() -> Tested {
    let accept = Accept { subscriptions: 2, ..accept() };
    let it = start(accept, None, usize::MAX).await;
    let secret = it.subscribe("a").await;
    it.subscribe("b").await;
    let url = r#"{"url":"http://r.test/"}"#;
    let own =
        format!(r#"{{"url":"http://r.test/","secret":"{secret}"}}"#);
    for body in [url, &own] {
        let third = it.put("c", body).await;
        assert_eq!(third.status, 409, "{third:?}");
        let why = "at most 2 subscriptions; see accept.subscriptions";
        assert!(third.body.contains(why), "{third:?}");
        // Those that exist can be changed.
        assert_eq!(it.put("a", body).await.status, 200);
    }
    let delete = request("DELETE", "/subscriptions/b", "", "");
    assert_eq!(ask(it.to, &delete).await?.status, 204);
    let new = ["c", "d", "e"].map(|name| it.put(name, url));
    let new = futures::future::join_all(new).await;
    let refused = new.iter().filter(|it| it.status == 409);
    assert_eq!(refused.count(), 2);
    let all = it.store.inner.subscriptions().await;
    assert_eq!(all.expect("it works").len(), 2);
    // A larger limit is adopted.
    it.settings.send_modify(|it| {
        Arc::make_mut(it).accept.subscriptions = 3;
    });
    assert_eq!(it.put("f", url).await.status, 200);
    Ok(())
}

#[tokio::test]
async fn edges_of_bodies() -> Tested {
    let most = 200_000;
    let accept = Accept { max_body: most, ..accept() };
    let it = start(accept, None, usize::MAX).await;
    let mut client = Client::connect(it.to).await?;
    for length in [0, 1, most] {
        let body = "x".repeat(length);
        let id = length.to_string();
        let sent = client.ask(&event(&id, &body)).await?;
        assert_eq!(sent.status, 202, "{sent:?}");
    }
    // A client that writes everything before it reads gets to see the
    // answer.
    for length in [most + 1, 4 * most] {
        let body = "x".repeat(length);
        let sent = ask(it.to, &event("large", &body)).await?;
        assert_eq!(sent.status, 413, "{sent:?}");
        let chunk = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let sent = format!(
            "POST /events/a HTTP/1.1\r\nhost: localhost\r\n\
            transfer-encoding: chunked\r\n\r\n{chunk}"
        );
        let sent = ask(it.to, &sent).await?;
        assert_eq!(sent.status, 413, "{sent:?}");
    }
    // Nor is the head endless.
    let header = format!("x: {}\r\n", "x".repeat(1_000_000));
    let sent = request("GET", "/live", &header, "");
    assert_eq!(ask(it.to, &sent).await?.status, 431);
    // A body needn't be sent at all.
    let head = "POST /events/a HTTP/1.1\r\nhost: localhost\r\n\
        expect: 100-continue\r\ncontent-length: 9999999\r\n\r\n";
    assert_eq!(ask(it.to, head).await?.status, 413);
    Ok(())
}

#[tokio::test]
async fn overload_a_full_queue_is_a_503() -> Tested {
    let it = start(accept(), None, 2).await;
    it.subscribe("shop").await;
    for (id, status) in [("1", 202), ("2", 202), ("3", 503), ("2", 200)]
    {
        let sent = ask(it.to, &event(id, "7")).await?;
        assert_eq!(sent.status, status, "{sent:?}");
        let retry = sent.head.contains("retry-after");
        assert_eq!(retry, status == 503);
    }
    Ok(())
}

#[tokio::test]
async fn overload_of_requests_leaves_health_checks() -> Tested {
    let accept =
        Accept { requests: 2, request_timeout: LONG, ..accept() };
    let it = start(accept, None, usize::MAX).await;
    it.store.set("accept", Fault::Waits);
    let mut waiting = Vec::new();
    for nth in 0..2 {
        let mut client = Client::connect(it.to).await?;
        client.write(&event(&nth.to_string(), "7")).await?;
        waiting.push(client);
    }
    called(&it.store, "accept", 2).await;
    for nth in 0..5 {
        let refused = ask(it.to, &event(&nth.to_string(), "7")).await?;
        assert_eq!(refused.status, 503);
        assert!(refused.head.contains("retry-after"));
        assert_eq!(get(it.to, "/live").await?.status, 200);
        assert_eq!(get(it.to, "/ready").await?.status, 200);
    }
    it.store.gate.add_permits(2);
    for mut client in waiting {
        assert_eq!(client.read().await?.status, 202);
    }
    it.store.heal();
    assert_eq!(ask(it.to, &event("9", "7")).await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn slow_bodies_take_no_places() -> Tested {
    let accept = Accept { requests: 1, ..accept() };
    let it = start(accept, None, usize::MAX).await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(it.to).await?;
        let head = "POST /events/a HTTP/1.1\r\nhost: localhost\r\n\
            content-length: 10\r\n\r\n12";
        client.write(head).await?;
        slow.push(client);
    }
    let served = ask(it.to, &event("1", "7")).await?;
    assert_eq!(served.status, 202, "{served:?}");
    for mut client in slow {
        let late = within(LONG, client.read()).await?;
        assert_eq!(late.status, 408, "{late:?}");
        within(LONG, client.closed()).await;
    }
    assert_eq!(it.store.calls("accept"), 1);
    Ok(())
}

/// A byte that arrives alone comes in a buffer of kilobytes.
#[tokio::test]
async fn slow_bodies_hold_only_their_bytes() -> Tested {
    struct Part(Arc<()>);
    impl AsRef<[u8]> for Part {
        fn as_ref(&self) -> &[u8] {
            assert!(Arc::strong_count(&self.0) < 5, "parts are held");
            b"x"
        }
    }
    let (store, parts) = (Faulty::new(9), Arc::new(()));
    let settings = watch::Sender::new(Arc::default());
    let (metrics, stop) = (Metrics::new(), CancellationToken::new());
    let mut router = api(&store, &settings, &metrics, None, &stop);
    let held = parts.clone();
    let body = futures::stream::iter(0..1000).map(move |_| {
        Ok::<_, io::Error>(Bytes::from_owner(Part(held.clone())))
    });
    let request = axum::http::Request::post("/events/a")
        .header("host", "localhost")
        .body(axum::body::Body::from_stream(body))
        .expect("a request");
    let Ok(answer) = router.call(request).await;
    assert_eq!(answer.status(), 202);
    Ok(())
}

#[tokio::test]
async fn silence_and_slow_heads_are_cut_off() -> Tested {
    let it = running().await;
    let mut clients = Vec::new();
    for begun in ["", "POST /ev", "GET / HTTP/1.1\r\nhost: localhost"] {
        let mut client = Client::connect(it.to).await?;
        client.write(begun).await?;
        clients.push(client);
    }
    // Idle after an answer.
    let mut idle = Client::connect(it.to).await?;
    let live = request("GET", "/live", "", "");
    assert_eq!(idle.ask(&live).await?.status, 200);
    clients.push(idle);
    // A byte at a time.
    let mut slow = Client::connect(it.to).await?;
    let dripping = async {
        while slow.write("x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(LONG, dripping).await;
    for mut client in clients {
        within(LONG, client.closed()).await;
    }
    within(LONG, async {
        while it.metric("courier_connections") > 0.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    Ok(())
}

/// A probe, or a client's pool, sends its next request on a connection that
/// was idle for longer than a head may take.
#[tokio::test]
async fn slow_successors_find_their_connection_open() -> Tested {
    let it = running().await;
    it.settings.send_modify(|settings| {
        let accept = &mut Arc::make_mut(settings).accept;
        (accept.idle_timeout, accept.request_timeout) = (LONG, LONG);
    });
    let live = request("GET", "/live", "", "");
    let mut client = Client::connect(it.to).await?;
    for _ in 0..3 {
        assert_eq!(client.ask(&live).await?.status, 200);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // Once it has started, the next head has the first one's limit.
    client.write("GET /l").await?;
    let begun = Instant::now();
    client.closed().await;
    let took = begun.elapsed();
    assert!(took < LONG / 2, "{took:?}");
    // So has a head that starts before the previous answer, no matter
    // whether the requests before it have a body.
    let chunked = "POST /events/a HTTP/1.1\r\nhost: localhost\r\n\
        transfer-encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n";
    for before in [live.clone(), event("0", "7"), chunked.into()] {
        let answers = 2;
        let mut client = Client::connect(it.to).await?;
        let begun = Instant::now();
        client.write(&(before.repeat(answers) + "G")).await?;
        for _ in 0..answers {
            assert!(client.read().await?.status < 300);
        }
        client.closed().await;
        let took = begun.elapsed();
        assert!(took < LONG / 2, "{took:?} after {before}");
        // Without such a head, the connection is idle afterward.
        let mut client = Client::connect(it.to).await?;
        client.write(&before.repeat(answers)).await?;
        for _ in 0..answers {
            assert!(client.read().await?.status < 300);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(client.ask(&live).await?.status, 200);
    }
    // So has a head that starts while a request is being handled.
    it.store.set("accept", Fault::Waits);
    let calls = it.store.calls("accept") + 1;
    let mut client = Client::connect(it.to).await?;
    client.write(&event("1", "7")).await?;
    called(&it.store, "accept", calls).await;
    client.write("G").await?;
    it.store.heal();
    it.store.gate.add_permits(1);
    assert_eq!(client.read().await?.status, 202);
    let begun = Instant::now();
    client.closed().await;
    let took = begun.elapsed();
    assert!(took < LONG / 2, "{took:?}");
    // A body that arrives long after its head doesn't count as a head.
    let mut client = Client::connect(it.to).await?;
    for nth in ["2", "3"] {
        let event = event(nth, "7");
        let (head, body) = event.split_at(event.len() - 1);
        client.write(head).await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(client.ask(body).await?.status, 202);
    }
    Ok(())
}

/// The client's address is another one of this machine.
#[cfg(target_os = "linux")]
async fn connect_from(
    from: &str,
    to: SocketAddr,
) -> io::Result<Client> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    let from = format!("{from}:0").parse().expect("an address");
    socket.bind(from)?;
    socket.connect(to).await.map(Client)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn overload_ten_thousand_idle_connections() -> Tested {
    let (_, hard) = nix::sys::resource::getrlimit(
        nix::sys::resource::Resource::RLIMIT_NOFILE,
    )?;
    let most = usize::try_from(hard).unwrap_or(usize::MAX);
    let count = 10_000.min(most.saturating_sub(1_000));
    nix::sys::resource::setrlimit(
        nix::sys::resource::Resource::RLIMIT_NOFILE,
        hard,
        hard,
    )?;
    let accept = Accept { head_timeout: 6 * LONG, ..accept() };
    let it = start(accept, None, usize::MAX).await;
    let mut idle = Vec::new();
    for nth in 0..count {
        idle.push(Client::connect(it.to).await?);
        if nth % 1000 == 0 {
            let mut other = connect_from("127.0.0.2", it.to).await?;
            let sent = event(&nth.to_string(), "7");
            let served = within(LONG, other.ask(&sent)).await?;
            assert_eq!(served.status, 202, "{served:?}");
        }
    }
    assert!(it.metric("courier_connections") <= 201.0);
    // One more of the same address is refused, and says so.
    let refused = within(LONG, get(it.to, "/live")).await;
    assert!(
        refused.is_err() || refused.is_ok_and(|it| it.status == 503)
    );
    // When they end, their places are free.
    drop(idle);
    let served = async {
        loop {
            let sent = ask(it.to, &event("last", "7")).await;
            if sent.is_ok_and(|it| it.status == 202) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(LONG, served).await;
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn overload_of_all_places_is_a_503() -> Tested {
    let accept = Accept { connections: 3, ..accept() };
    let it = start(accept, None, usize::MAX).await;
    let mut open = Vec::new();
    for nth in 1..=3 {
        let from = format!("127.0.0.{nth}");
        let mut client = connect_from(&from, it.to).await?;
        let live = request("GET", "/live", "", "");
        assert_eq!(client.ask(&live).await?.status, 200);
        open.push(client);
    }
    let mut refused = Client::connect(it.to).await?;
    assert_eq!(within(LONG, refused.read()).await?.status, 503);
    assert_eq!(it.metric("courier_refused_total"), 1.0);
    // A larger limit is adopted.
    it.settings.send_modify(|it| {
        Arc::make_mut(it).accept.connections = 4;
    });
    assert_eq!(get(it.to, "/live").await?.status, 200);
    Ok(())
}

/// A listener that fails many times, and then has one client.
struct Failing(u32, io::ErrorKind, Option<DuplexStream>);

impl Listen for Failing {
    type Io = DuplexStream;

    async fn accept(
        &mut self,
    ) -> io::Result<(DuplexStream, SocketAddr)> {
        if let Some(rest) = self.0.checked_sub(1) {
            self.0 = rest;
            return Err(self.1.into());
        }
        match self.2.take() {
            Some(client) => Ok((client, ([127, 0, 0, 1], 1).into())),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failure_to_accept_neither_spins_nor_ends_it() -> Tested {
    for (kind, seconds) in [
        (io::ErrorKind::ConnectionAborted, 0),
        // Such as too many open files.
        (io::ErrorKind::QuotaExceeded, 20),
    ] {
        let (mut client, ours) = duplex(1024);
        let (store, metrics) = (Faulty::new(9), Metrics::new());
        let settings = watch::Sender::new(Arc::default());
        let stop = CancellationToken::new();
        let router = api(&store, &settings, &metrics, None, &stop);
        let begun = tokio::time::Instant::now();
        let server = tokio::spawn(listener::serve(
            Failing(100, kind, Some(ours)),
            router,
            settings.subscribe(),
            metrics,
            stop.clone(),
        ));
        let live = request("GET", "/live", "", "");
        client.write_all(live.as_bytes()).await?;
        let mut status = [0; 12];
        client.read_exact(&mut status).await?;
        assert_eq!(&status, b"HTTP/1.1 200");
        assert_eq!(begun.elapsed().as_secs(), seconds);
        stop.cancel();
        server.await?;
    }
    Ok(())
}

#[tokio::test]
async fn again_pipelined_requests_are_answered_in_order() -> Tested {
    let it = running().await;
    it.subscribe("shop").await;
    let mut client = Client::connect(it.to).await?;
    let ids = ["1", "2", "1", "3"];
    let all: String = ids.iter().map(|it| event(it, "7")).collect();
    client.write(&all).await?;
    for (id, status) in ids.iter().zip([202, 202, 200, 202]) {
        let answer = within(LONG, client.read()).await?;
        assert_eq!(answer.status, status);
        assert!(answer.body.contains(&format!(r#""id":"{id}""#)));
    }
    assert_eq!(it.open().await, 3);
    Ok(())
}

/// A client that never reads its answers holds only its own place.
#[tokio::test]
async fn slow_reader_stops_being_served() -> Tested {
    let it = running().await;
    let mut client = Client::connect(it.to).await?;
    let live = request("GET", "/metrics", "", "").repeat(1000);
    let writing = async { while client.write(&live).await.is_ok() {} };
    let pause = Duration::from_secs(2);
    assert!(tokio::time::timeout(pause, writing).await.is_err());
    assert_eq!(ask(it.to, &event("1", "7")).await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn edges_of_tokens() -> Tested {
    let token = "correct-horse-battery";
    let it = start(accept(), Some(token), usize::MAX).await;
    let basic = |text: &str| {
        use base64::{Engine, prelude::BASE64_STANDARD};
        format!("Basic {}", BASE64_STANDARD.encode(text))
    };
    for (given, status) in [
        (format!("Bearer {token}"), 200),
        (basic(&format!("any:{token}")), 200),
        (basic(token), 401),
        ("Basic !".to_owned(), 401),
        (format!("Bearer {token}x"), 401),
        ("Bearer ".to_owned(), 401),
        (token.to_owned(), 401),
    ] {
        let header = format!("authorization: {given}\r\n");
        for path in ["/", "/metrics", "/dead", "/subscriptions"] {
            let asked = request("GET", path, &header, "");
            let answer = ask(it.to, &asked).await?;
            assert_eq!(answer.status, status, "{given}: {answer:?}");
        }
    }
    for path in ["/", "/metrics", "/backlog", "/nothing"] {
        let answer = get(it.to, path).await?;
        assert_eq!(answer.status, 401);
        assert!(answer.head.contains("www-authenticate"));
    }
    assert_eq!(ask(it.to, &event("1", "7")).await?.status, 401);
    assert_eq!(get(it.to, "/live").await?.status, 200);
    assert_eq!(get(it.to, "/ready").await?.status, 200);
    // Any host, because there's a token.
    let other = format!(
        "GET /dead HTTP/1.1\r\nhost: courier.test\r\n\
        authorization: Bearer {token}\r\n\r\n"
    );
    assert_eq!(ask(it.to, &other).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn edges_web_pages_are_refused() -> Tested {
    let it = running().await;
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:1", 200),
        ("evil.test", 403),
        ("127.0.0.1.evil.test", 403),
        ("evil.test:80@127.0.0.1", 403),
        ("", 403),
    ] {
        let text = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = ask(it.to, &text).await?;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
    }
    let none = "GET / HTTP/1.1\r\n\r\n";
    assert_eq!(ask(it.to, none).await?.status, 403);
    let origin = "origin: http://evil.test\r\n";
    let text = request("POST", "/events/order", origin, "7");
    assert_eq!(ask(it.to, &text).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn edges_page_escapes_everything() -> Tested {
    let it = running().await;
    let empty = get(it.to, "/").await?;
    assert_eq!(empty.status, 200);
    let evil = r#"<script>alert("1")</script>'&"#;
    let url = "http://r.test/?q=<script>'#<script>&";
    let body = format!(r#"{{"url":"{url}"}}"#);
    assert_eq!(it.put("shop", &body).await.status, 200);
    assert_eq!(ask(it.to, &event("1", evil)).await?.status, 202);
    let name: Name = "shop".parse().expect("a name");
    let store = &it.store.inner;
    let leases = store.claim(&name, 1, LONG).await;
    let leases = leases.expect("it works");
    let dead = Outcome::Dead { error: evil.to_owned() };
    assert!(store.settle(&leases[0], &dead).await.expect("it works"));
    let page = get(it.to, "/").await?;
    let html = page.body.to_lowercase();
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)"));
    assert!(!html.contains("'&"), "{html}");
    assert!(page.head.contains("default-src 'none'"));
    for needed in [
        "<!doctype html>",
        "<html lang=\"en\">",
        "<title>",
        "width=device-width",
        "color-scheme: light dark",
        "<h1>",
        "<h2>",
        "<th scope=\"col\">",
    ] {
        assert!(html.contains(needed), "{needed}");
    }
    let again = format!("/dead/{}/redeliver", leases[0].delivery);
    let again = request("POST", &again, "", "");
    assert_eq!(ask(it.to, &again).await?.status, 204);
    assert_eq!(ask(it.to, &again).await?.status, 404);
    assert_eq!(get(it.to, "/dead").await?.body, "[]");
    Ok(())
}

#[tokio::test]
async fn stop_answers_the_requests_in_flight() -> Tested {
    let it = running().await;
    it.subscribe("shop").await;
    it.store.set("accept", Fault::Waits);
    let mut silent = Client::connect(it.to).await?;
    let mut idle = Client::connect(it.to).await?;
    let live = request("GET", "/live", "", "");
    assert_eq!(idle.ask(&live).await?.status, 200);
    let mut client = Client::connect(it.to).await?;
    // The second one has not begun.
    let two = event("1", "7") + &event("2", "7");
    client.write(&two).await?;
    called(&it.store, "accept", 1).await;
    it.stop.cancel();
    within(LONG, idle.closed()).await;
    within(LONG, silent.closed()).await;
    it.store.gate.add_permits(9);
    let answer = client.read().await?;
    assert_eq!(answer.status, 202);
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    within(LONG, client.closed()).await;
    within(LONG, it.server).await?;
    assert!(Client::connect(it.to).await.is_err());
    Ok(())
}

#[tokio::test]
async fn owner_gone_leaves_no_connection() -> Tested {
    let it = running().await;
    let mut client = Client::connect(it.to).await?;
    let live = request("GET", "/live", "", "");
    assert_eq!(client.ask(&live).await?.status, 200);
    it.server.abort();
    within(LONG, client.closed()).await;
    hazards::no_task_left().await;
    Ok(())
}

/// Clients that vanish at any moment, and send their event again.
#[tokio::test]
async fn cancel_of_a_client_and_again() -> Tested {
    let it = running().await;
    it.subscribe("shop").await;
    let text = event("1", "7");
    for length in (0..=text.len()).chain([text.len(); 20]) {
        let mut client = Client::connect(it.to).await?;
        client.write(&text[..length]).await?;
        drop(client);
    }
    let last = ask(it.to, &text).await?;
    assert!(matches!(last.status, 200 | 202), "{last:?}");
    assert_eq!(it.open().await, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_of_many_clients_lose_nothing() -> Tested {
    let it = running().await;
    it.subscribe("shop").await;
    let mut clients = JoinSet::new();
    for nth in 0..50 {
        let to = it.to;
        clients.spawn(async move {
            let mut client = Client::connect(to).await?;
            for of in 0..20 {
                let text = event(&format!("{nth}-{of}"), "7");
                let sent = client.ask(&text).await?;
                assert_eq!(sent.status, 202, "{sent:?}");
            }
            io::Result::Ok(())
        });
    }
    for ended in clients.join_all().await {
        ended?;
    }
    assert_eq!(it.open().await, 1000);
    assert_eq!(it.metric("courier_requests"), 0.0);
    Ok(())
}

#[tokio::test]
async fn silence_of_the_store_is_not_ready() -> Tested {
    let it = running().await;
    assert_eq!(get(it.to, "/ready").await?.status, 200);
    // Probes don't load the store.
    for _ in 0..20 {
        get(it.to, "/ready").await?;
    }
    assert!(it.store.calls("ping") <= 2);
    for fault in [Fault::Silent, Fault::Fails] {
        it.store.set("ping", fault);
        within(LONG, async {
            while get(it.to, "/ready").await?.status == 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            io::Result::Ok(())
        })
        .await?;
        // A restart wouldn't help.
        assert_eq!(get(it.to, "/live").await?.status, 200);
    }
    it.store.heal();
    within(LONG, async {
        while get(it.to, "/ready").await?.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        io::Result::Ok(())
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn clock_a_dispatcher_that_hangs_is_not_live() -> Tested {
    use tower::ServiceExt;
    let (store, metrics) = (Faulty::new(9), Metrics::new());
    let settings = watch::Sender::new(Arc::default());
    let stop = CancellationToken::new();
    let router = api(&store, &settings, &metrics, None, &stop);
    let live = async || {
        let get = hyper::Request::get("/live").body(String::new());
        let get = get.expect("a request");
        let Ok(answer) = router.clone().oneshot(get).await;
        answer.status().as_u16()
    };
    assert_eq!(live().await, 200);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(live().await, 200);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(live().await, 503);
    metrics.beat();
    assert_eq!(live().await, 200);
    // Draining takes its time.
    stop.cancel();
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(live().await, 200);
    Ok(())
}

/// A secret that a client sets is the one that signs.
#[tokio::test]
async fn edges_of_secrets() -> Tested {
    let it = running().await;
    let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body =
        format!(r#"{{"url":"http://r.test/","secret":"{text}"}}"#);
    assert_eq!(it.put("shop", &body).await.status, 200);
    let all = it.store.inner.subscriptions().await.expect("it works");
    let secret: Secret = text.parse().expect("a secret");
    assert_eq!(all[0].secret, secret);
    Ok(())
}
