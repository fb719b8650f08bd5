//! Attempts against receivers that misbehave, over real sockets.

mod receiver;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use courier::{
    deliver::{Answer, Deliver, HttpDeliver, Lookups, tcp_within},
    event::Secret,
    sign::{BadSecret, BadSignature, sign, verify},
};
use hazards::{no_task_left, within};
use hyper::StatusCode;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name as Host},
    rt::TokioIo,
};
use receiver::{
    Receiver, attempt, attempt_for, error, header, lease, read_request,
    settings,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, rustls};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const OK_AND_CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\
    content-length: 2\r\n\r\nok";
const SECOND: Duration = Duration::from_secs(1);

fn status(code: u16, retry_after: Option<Duration>) -> Answer {
    let status = StatusCode::from_u16(code).expect("a status");
    Answer::Refused { status, retry_after }
}

#[tokio::test]
async fn edges_a_request_has_what_the_specification_says() {
    let receiver = Receiver::answers(OK).await;
    assert_eq!(attempt(&receiver.url()).await, Answer::Delivered);
    let request = &receiver.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("POST /hook?x=y HTTP/1.1\r\n"), "{head}");
    let lease = lease(&receiver.url());
    assert_eq!(body.as_bytes(), lease.event.body);
    assert_eq!(header(head, "content-type"), "application/json");
    assert_eq!(header(head, "courier-topic"), "order.shipped");
    let names =
        ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|it| header(head, it));
    assert_eq!(headers[0], "e-1");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970").as_secs();
    let secret = &lease.subscription.secret;
    let check = |headers, body: &[u8], now| {
        verify(secret, headers, body, now, 300 * SECOND)
    };
    assert_eq!(check(headers, body.as_bytes(), now), Ok(()));
    let forged = Err(BadSignature::Signature);
    assert_eq!(check(headers, b"{}", now), forged);
    let old = Err(BadSignature::Timestamp);
    assert_eq!(check(headers, body.as_bytes(), now + 400), old);
}

/// The example of the specification.
#[test]
fn edges_signatures_are_standard() {
    let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        .parse()
        .expect("a secret");
    let body = br#"{"test": 2432232314}"#;
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    let signature = sign(&secret, id, 1_614_265_330, body);
    let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert_eq!(signature, expected);
    // Several, while a secret is replaced; others are ignored.
    let now = 1_614_265_330;
    for (signatures, is_good) in [
        (format!("v1,AAAA v2,x {expected}"), true),
        (expected.replace("v1", "v2"), false),
        ("v1,".into(), false),
        (String::new(), false),
        ("v1,é".into(), false),
    ] {
        let headers = [id, "1614265330", &signatures];
        let checked = verify(&secret, headers, body, now, SECOND);
        assert_eq!(checked.is_ok(), is_good, "{signatures}");
    }
    for timestamp in ["", "x", "-1", "99999999999999999999"] {
        let headers = [id, timestamp, expected];
        let checked = verify(&secret, headers, body, now, SECOND);
        assert_eq!(checked, Err(BadSignature::Timestamp));
    }
    for bad in ["", "whsec_", "whsec_AAAA", "whsec_é", "x", "secret"] {
        assert_eq!(bad.parse::<Secret>().err(), Some(BadSecret));
    }
    let new = Secret::generate().expect("random bytes");
    assert_eq!(new.expose().parse(), Ok(new.clone()));
    assert_eq!(format!("{new:?}"), "Secret(..)");
    assert!(new != Secret::generate().expect("random bytes"));
}

#[tokio::test]
async fn silence_ends_with_the_timeout_and_closes_the_connection() {
    let closed = Arc::new(Mutex::new(0));
    let count = Arc::clone(&closed);
    let receiver = Receiver::new(move |mut stream, _| {
        let count = Arc::clone(&count);
        async move {
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all).await;
            *count.lock().unwrap() += 1;
        }
    })
    .await;
    let (answer, took) = attempt_for(&receiver.url()).await;
    assert_eq!(answer, Answer::failed("no answer within 2s"));
    assert!(took < 8 * SECOND, "{took:?}");
    let is_closed = async {
        while *closed.lock().unwrap() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    within(5 * SECOND, is_closed).await;
}

#[tokio::test]
async fn silence_of_a_handshake_ends_with_the_connect_timeout() {
    let receiver = Receiver::new(async |mut stream, _| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
    })
    .await;
    let url = receiver.url().replace("http", "https");
    let error = error(&url).await;
    assert!(error.contains("no connection within 1s"), "{error}");
}

/// An address that answers to no connection, because its queue is full.
#[cfg(target_os = "linux")]
async fn dead(
    at: SocketAddr,
) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(at)?;
    let (listener, mut queued) = (socket.listen(0)?, Vec::new());
    let wait = Duration::from_millis(300);
    while let Ok(stream) =
        tokio::time::timeout(wait, TcpStream::connect(at)).await
    {
        queued.push(stream?);
    }
    Ok((listener, queued))
}

/// A live address is found among dead ones, even if DNS is slow, and all
/// of them together take no longer than `connect_timeout`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn silence_of_addresses_is_bounded_for_all_of_a_name()
-> io::Result<()> {
    let receiver = Receiver::answers(OK).await;
    let port = receiver.port;
    let at = move |nth: u8| ([127, 0, 0, nth], port).into();
    let _dead = [dead(at(2)).await?, dead(at(3)).await?];
    let attempt = async |found: [u8; 3]| {
        let found = found.map(at);
        let resolve = tower::service_fn(move |_: Host| async move {
            sleep(SECOND * 45 / 100).await;
            io::Result::Ok(Vec::from(found).into_iter())
        });
        let settings = settings();
        let tcp = HttpConnector::new_with_resolver(resolve);
        let tcp = tcp_within(tcp, settings.subscribe());
        let client =
            HttpDeliver::with_connector(tcp, settings.subscribe());
        let url = format!("http://r.test:{port}/");
        client.attempt(&lease(&url)).await
    };
    assert_eq!(attempt([2, 3, 1]).await, Answer::Delivered);
    let start = std::time::Instant::now();
    let Answer::Failed(error) = attempt([2, 3, 2]).await else {
        panic!("nobody answers");
    };
    // Less than the two seconds of the whole attempt.
    assert!(start.elapsed() < SECOND * 19 / 10, "{error}");
    assert!(!error.contains("no answer"), "{error}");
    Ok(())
}

/// A name's DNS server is silent until the test lets the lookups end.
static SILENT: AtomicBool = AtomicBool::new(true);
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

/// Without this, a failing test would hang: its runtime waits for them.
struct EndLookups;

impl Drop for EndLookups {
    fn drop(&mut self) {
        SILENT.store(false, SeqCst);
    }
}

fn look_up(name: &str) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    if name.starts_with("silent") {
        LOOKUPS.fetch_add(1, SeqCst);
        while SILENT.load(SeqCst) {
            std::thread::sleep(SECOND / 20);
        }
        LOOKUPS.fetch_sub(1, SeqCst);
    }
    std::thread::sleep(SECOND / 20);
    Ok(vec![([127, 0, 0, 1], 0).into()].into_iter())
}

/// There are more abandoned lookups than Tokio has blocking threads. Even
/// so, a receiver whose name was found before gets its events, and files
/// can be read.
#[tokio::test(flavor = "multi_thread")]
async fn silence_of_dns_servers_delays_nobody_else() {
    let end_lookups = EndLookups;
    let receiver = Receiver::answers(OK_AND_CLOSE).await;
    let settings = settings();
    let lookups = Lookups::new(look_up);
    let resolve = move |name| lookups.clone().resolve(name, true);
    let resolve = tower::service_fn(resolve);
    let tcp = HttpConnector::new_with_resolver(resolve);
    let tcp = tcp_within(tcp, settings.subscribe());
    let deliver =
        HttpDeliver::with_connector(tcp, settings.subscribe());
    let deliver = Arc::new(deliver);
    let well = format!("http://well.test:{}/", receiver.port);
    for round in 0..3 {
        // All at the same time, each on a connection of its own.
        let (mut good, to_well) = (JoinSet::new(), lease(&well));
        for _ in 0..50 {
            let (deliver, to) = (deliver.clone(), to_well.clone());
            good.spawn(async move { deliver.attempt(&to).await });
        }
        for answer in good.join_all().await {
            assert_eq!(answer, Answer::Delivered, "round {round}");
        }
        let file = tokio::fs::read("Cargo.toml");
        within(5 * SECOND, file).await.expect("a file");
        let mut silent = JoinSet::new();
        for number in 0..300 {
            let deliver = deliver.clone();
            let url = format!("http://silent-{round}-{number}.test/");
            silent.spawn(
                async move { deliver.attempt(&lease(&url)).await },
            );
        }
        while let Some(answer) = silent.join_next().await {
            let Ok(Answer::Failed(error)) = answer else {
                panic!("{answer:?}");
            };
            assert!(error.contains("no connection"), "{error}");
        }
        assert!(LOOKUPS.load(SeqCst) <= 100);
    }
    drop(end_lookups);
    within(60 * SECOND, async {
        while LOOKUPS.load(SeqCst) > 0 {
            sleep(SECOND / 100).await;
        }
    })
    .await;
    // All lookup places are free again.
    let answer = deliver.attempt(&lease("http://silent.test:9/")).await;
    let Answer::Failed(error) = answer else { panic!("{answer:?}") };
    assert!(!error.contains("no connection"), "{error}");
}

#[tokio::test]
async fn slow_heads_end_with_the_timeout() {
    let receiver = Receiver::new(async |mut stream, _| {
        for byte in OK.bytes() {
            sleep(Duration::from_millis(200)).await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    })
    .await;
    let (answer, took) = attempt_for(&receiver.url()).await;
    assert!(matches!(answer, Answer::Failed(_)));
    assert!(took < 8 * SECOND, "{took:?}");
}

/// The status has decided.
#[tokio::test]
async fn slow_and_endless_bodies_are_left_and_not_reused() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for (chunk, wait) in [(chunk.as_str(), 0), ("1\r\nx\r\n", 50)] {
        let chunk = chunk.to_owned();
        let receiver = Receiver::new(move |mut stream, requests| {
            let chunk = chunk.clone();
            async move {
                read_request(&mut stream, &requests).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(chunk.as_bytes()).await.is_ok() {
                    sleep(Duration::from_millis(wait)).await;
                }
            }
        })
        .await;
        let settings = settings();
        let deliver = HttpDeliver::new(settings.subscribe());
        for _ in 0..2 {
            let lease = lease(&receiver.url());
            let attempt = deliver.attempt(&lease);
            let answer = within(10 * SECOND, attempt).await;
            assert_eq!(answer, Answer::Delivered);
        }
        assert_eq!(receiver.connections(), 2);
    }
}

#[tokio::test]
async fn overload_by_endless_heads_is_refused() {
    let line = format!("x: {}\r\n", "x".repeat(1_000));
    for line in [line, "x: y\r\n".into(), "x".repeat(1_000)] {
        let receiver = Receiver::new(move |mut stream, requests| {
            let line = line.clone();
            async move {
                read_request(&mut stream, &requests).await;
                let start = b"HTTP/1.1 200 OK\r\n";
                let _ = stream.write_all(start).await;
                while stream.write_all(line.as_bytes()).await.is_ok() {}
            }
        })
        .await;
        let error = error(&receiver.url()).await;
        assert!(error.contains("too large"), "{error}");
    }
}

#[tokio::test]
async fn overload_by_endless_interim_answers_is_bounded() {
    let receiver = Receiver::new(async |mut stream, requests| {
        read_request(&mut stream, &requests).await;
        let text = b"HTTP/1.1 100 Continue\r\n\r\n";
        while stream.write_all(text).await.is_ok() {}
    })
    .await;
    let (answer, took) = attempt_for(&receiver.url()).await;
    assert!(matches!(answer, Answer::Failed(_)));
    assert!(took < 8 * SECOND, "{took:?}");
}

#[tokio::test]
async fn failure_half_closed_reset_and_nonsense() {
    for (text, part) in [
        ("", "connection closed before message completed"),
        ("HTTP/1.1 200 O", "connection closed before message"),
        ("SSH-2.0-x\r\n\r\n", "invalid HTTP version"),
        ("HTTP/1.1 999999 x\r\n\r\n", "invalid HTTP status"),
    ] {
        let receiver =
            Receiver::new(async move |mut stream, requests| {
                read_request(&mut stream, &requests).await;
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
                let _ = stream.read_u8().await;
            })
            .await;
        let error = error(&receiver.url()).await;
        assert!(error.contains(part), "{error}");
    }
    let receiver = Receiver::new(async |stream: TcpStream, _| {
        // Unread bytes: closing resets the connection.
        let _ = stream.readable().await;
    })
    .await;
    let error = error(&receiver.url()).await;
    assert!(error.contains("onnection"), "{error}");
}

#[tokio::test]
async fn failure_to_connect_has_its_causes() {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let port = listener.and_then(|it| it.local_addr());
    let port = port.expect("bound").port();
    let refused = error(&format!("http://127.0.0.1:{port}/")).await;
    assert!(refused.contains("Connection refused"), "{refused}");
    let unknown = error("http://no-such-host.invalid/").await;
    assert!(unknown.contains("lookup"), "{unknown}");
    let scheme = error("ftp://127.0.0.1/").await;
    assert!(scheme.contains("scheme"), "{scheme}");
    let long = Answer::failed("ż".repeat(1_000));
    assert_eq!(long, Answer::Failed("ż".repeat(250)));
}

/// A receiver that speaks TLS, and its certificate.
async fn secure() -> (Receiver, rcgen::Certificate) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.expect("a certificate");
    let key = made.signing_key.serialize_der();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key);
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let receiver = Receiver::new(move |stream, requests| {
        let acceptor = acceptor.clone();
        async move {
            let accepted = acceptor.accept(stream).await;
            let Ok(mut stream) = accepted else { return };
            while read_request(&mut stream, &requests).await {
                let _ = stream.write_all(OK.as_bytes()).await;
                let _ = stream.flush().await;
            }
        }
    })
    .await;
    (receiver, made.cert)
}

#[tokio::test]
async fn failure_of_tls_has_its_cause() {
    let (receiver, certificate) = secure().await;
    let url = receiver.url().replace("http", "https");
    let error = error(&url).await;
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert!(receiver.requests().is_empty());
    // A client that trusts it delivers.
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("added");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let settings = settings();
    let deliver =
        HttpDeliver::with_connector(connector, settings.subscribe());
    let answer = deliver.attempt(&lease(&url)).await;
    assert_eq!(answer, Answer::Delivered);
}

#[tokio::test]
async fn failure_statuses_are_understood() {
    for code in [200, 201, 202, 204, 299] {
        let text =
            format!("HTTP/1.1 {code} x\r\ncontent-length: 0\r\n\r\n");
        let receiver = Receiver::answers(text).await;
        assert_eq!(attempt(&receiver.url()).await, Answer::Delivered);
    }
    let other = Receiver::answers(OK).await;
    for code in [301, 302, 307, 308, 400, 404, 429, 500, 503, 599] {
        let text = format!(
            "HTTP/1.1 {code} x\r\nlocation: {}\r\n\
             content-length: 0\r\n\r\n",
            other.url()
        );
        let receiver = Receiver::answers(text).await;
        let answer = attempt(&receiver.url()).await;
        assert_eq!(answer, status(code, None));
    }
    // No redirect was followed.
    assert_eq!(other.connections(), 0);
    let gone = "HTTP/1.1 410 x\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answers(gone).await;
    assert_eq!(attempt(&receiver.url()).await, status(410, None));
}

#[tokio::test]
async fn clock_retry_after_is_seconds_or_a_date() {
    let soon = SystemTime::now() + 100 * SECOND;
    let soon = jiff::Timestamp::try_from(soon).expect("a time");
    let soon = soon.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (text, least, most) in [
        ("0", 0, 0),
        ("120", 120, 120),
        ("99999999999999999999999999", u64::MAX, u64::MAX),
        (&soon, 90, 100),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
        ("Mon, 01 Jan 9990 00:00:00 GMT", 100_000_000, u64::MAX),
    ] {
        let text = format!(
            "HTTP/1.1 429 x\r\nretry-after: {text}\r\n\
             content-length: 0\r\n\r\n"
        );
        let receiver = Receiver::answers(text.clone()).await;
        let answer = attempt(&receiver.url()).await;
        let Answer::Refused { retry_after: Some(it), .. } = answer
        else {
            panic!("{text}: {answer:?}");
        };
        assert!(
            (least..=most).contains(&it.as_secs()),
            "{text}: {it:?}"
        );
    }
    for text in ["", "-1", "1.5", "soon", "é", "1e9"] {
        let text = format!(
            "HTTP/1.1 429 x\r\nretry-after: {text}\r\n\
             content-length: 0\r\n\r\n"
        );
        let receiver = Receiver::answers(text).await;
        let answer = attempt(&receiver.url()).await;
        assert_eq!(answer, status(429, None));
    }
}

#[tokio::test]
async fn edges_private_addresses_are_refused() {
    let receiver = Receiver::answers(OK).await;
    let settings = settings();
    let deliver = HttpDeliver::new(settings.subscribe());
    let answer = deliver.attempt(&lease(&receiver.url())).await;
    assert_eq!(answer, Answer::Delivered);
    // From now on, also on the connection that's open.
    settings.send_modify(|it| {
        Arc::make_mut(it).deliver.private_addresses = false;
    });
    let port = receiver.port;
    for host in [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[2001:db8::1]",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/");
        let answer = deliver.attempt(&lease(&url)).await;
        let Answer::Failed(error) = answer else {
            panic!("{host}: {answer:?}");
        };
        let error = error.to_string();
        assert!(error.contains("public address"), "{host}: {error}");
    }
    assert_eq!(receiver.connections(), 1);
    assert_eq!(receiver.requests().len(), 1);
}

/// Public ones aren't. The connector is a fake: nothing leaves this
/// machine.
#[tokio::test]
async fn edges_public_addresses_are_not_refused() {
    let settings = settings();
    settings.send_modify(|it| {
        Arc::make_mut(it).deliver.private_addresses = false;
    });
    let fake = tower::service_fn(async |_: hyper::Uri| {
        Err::<TokioIo<TcpStream>, _>(io::Error::other("a fake"))
    });
    let deliver =
        HttpDeliver::with_connector(fake, settings.subscribe());
    for (host, is_public) in [
        ("1.1.1.1", true),
        ("172.32.0.1", true),
        ("100.128.0.1", true),
        ("223.255.255.255", true),
        ("[2606:4700::1111]", true),
        ("[2a00::1]", true),
        ("172.31.0.1", false),
        ("[2001:1ff::1]", false),
        ("[4000::1]", false),
    ] {
        let url = format!("http://{host}:9/");
        let answer = deliver.attempt(&lease(&url)).await;
        let Answer::Failed(error) = answer else {
            panic!("{host}: {answer:?}");
        };
        let error = error.to_string();
        let tried = error.contains("a fake");
        assert_eq!(tried, is_public, "{host}: {error}");
    }
}

#[tokio::test]
async fn again_connections_are_reused() {
    let receiver = Receiver::answers(OK).await;
    let settings = settings();
    let deliver = HttpDeliver::new(settings.subscribe());
    for _ in 0..20 {
        let answer = deliver.attempt(&lease(&receiver.url())).await;
        assert_eq!(answer, Answer::Delivered);
    }
    assert_eq!(receiver.connections(), 1);
    assert_eq!(receiver.requests().len(), 20);
}

/// Closed after each answer, without a word, sooner or later, and with
/// the next request under way: nobody gets one twice from the client.
#[tokio::test]
async fn again_a_connection_closed_while_idle_doubles_nothing() {
    let receiver = Receiver::new(async |mut stream, requests| {
        if read_request(&mut stream, &requests).await {
            let _ = stream.write_all(OK.as_bytes()).await;
            let wait = fastrand::u64(0..1_000);
            sleep(Duration::from_micros(wait)).await;
        }
    })
    .await;
    let settings = settings();
    let deliver = HttpDeliver::new(settings.subscribe());
    let (mut failed, mut delivered) = (0, 0);
    for index in 0..300 {
        let mut lease = lease(&receiver.url());
        lease.event.id = format!("e-{index}").parse().expect("a name");
        match deliver.attempt(&lease).await {
            Answer::Delivered => delivered += 1,
            Answer::Failed(_) => failed += 1,
            other => panic!("{other:?}"),
        }
        let wait = fastrand::u64(0..1_000);
        sleep(Duration::from_micros(wait)).await;
    }
    eprintln!("{delivered} delivered, {failed} failed");
    assert!(delivered > 150);
    let all = receiver.requests();
    let ids: Vec<_> =
        all.iter().map(|it| header(it, "webhook-id")).collect();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(ids, once);
    assert!(ids.len() >= delivered);
}

/// At every moment of an attempt: the connection is closed, and no
/// task is left when the client is dropped.
#[tokio::test]
async fn cancel_closes_the_connection() {
    let receiver = Receiver::answers(OK).await;
    let url = receiver.url();
    let before = tokio::runtime::Handle::current();
    let idle = before.metrics().num_alive_tasks();
    hazards::at_every_poll(async |cancel| {
        let settings = settings();
        let deliver = HttpDeliver::new(settings.subscribe());
        cancel.run(deliver.attempt(&lease(&url))).await;
        drop(deliver);
        let ended = async {
            // The receiver's tasks end when connections do.
            while before.metrics().num_alive_tasks() > idle {
                sleep(Duration::from_millis(1)).await;
            }
        };
        within(5 * SECOND, ended).await;
    })
    .await;
    drop(receiver);
    no_task_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_share_a_client() {
    let receiver = Receiver::answers(OK).await;
    let settings = settings();
    let deliver = Arc::new(HttpDeliver::new(settings.subscribe()));
    settings.send_modify(|it| {
        Arc::make_mut(it).deliver.attempt_timeout = 20 * SECOND;
        Arc::make_mut(it).deliver.connect_timeout = 20 * SECOND;
    });
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (deliver, url) = (deliver.clone(), receiver.url());
        tasks.spawn(async move { deliver.attempt(&lease(&url)).await });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|it| *it == Answer::Delivered));
    assert_eq!(receiver.requests().len(), 200);
}
