//! Receivers of each bad kind, together with a good one.

use std::{
    collections::BTreeMap,
    future::pending,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer},
};

use crate::{
    clients::{Load, Plan},
    place::Place,
    process::{CONFIG, Courier},
    receiver::{Mood, Receiver},
    until,
};

/// What a bad receiver does with a connection.
#[derive(Clone)]
enum Bad {
    /// It neither reads nor writes.
    Silent,
    /// It sends the head of an answer, one byte every half second.
    Slow,
    /// It closes its side, and reads on.
    HalfClosed,
    /// It resets the connection.
    Resets,
    /// It closes the connection in the middle of an answer's head.
    Torn,
    /// It sends this, and closes the connection.
    Answers(String),
    /// Its head doesn't end.
    EndlessHead,
    /// Its body doesn't end.
    EndlessBody,
    /// Nobody has signed its certificate.
    Tls(TlsAcceptor),
}

impl Bad {
    async fn treat(&self, mut client: TcpStream) -> io::Result<()> {
        if !matches!(self, Self::Silent | Self::Tls(_)) {
            let request = &mut [0; 64 * 1024];
            if client.read(request).await? == 0 {
                return Ok(());
            }
        }
        match self {
            Self::Silent => pending().await,
            Self::Slow => {
                client.write_all(b"HTTP/1.1 200 OK\r\nx: ").await?;
                loop {
                    client.write_u8(b'y').await?;
                    sleep(Duration::from_millis(500)).await;
                }
            }
            Self::HalfClosed => {
                client.shutdown().await?;
                let mut rest = tokio::io::sink();
                tokio::io::copy(&mut client, &mut rest).await?;
                pending().await
            }
            Self::Resets => client.set_zero_linger(),
            Self::Torn => client.write_all(b"HTTP/1.1 20").await,
            Self::Answers(text) => {
                client.write_all(text.as_bytes()).await
            }
            Self::EndlessHead => {
                client.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                loop {
                    client.write_all(b"x-endless: head\r\n").await?;
                }
            }
            Self::EndlessBody => {
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    client.write_all(&[b'x'; 4096]).await?;
                }
            }
            Self::Tls(acceptor) => {
                acceptor.accept(client).await.map(drop)
            }
        }
    }
}

/// Serves in this way, and says where.
async fn serve(bad: Bad, servers: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let scheme = match bad {
        Bad::Tls(_) => "https",
        _ => "http",
    };
    servers.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (client, _) =
                listener.accept().await.expect("a client");
            let bad = bad.clone();
            connections.spawn(async move { bad.treat(client).await });
        }
    });
    format!("{scheme}://localhost:{port}/")
}

fn untrusted() -> TlsAcceptor {
    let names = vec!["localhost".to_owned()];
    let own = rcgen::generate_simple_self_signed(names);
    let own = own.expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into());
    TlsAcceptor::from(Arc::new(config.expect("a certificate")))
}

#[tokio::test]
async fn slow_silent_and_broken_receivers_delay_nobody_else() {
    let good = Receiver::start(Mood::Fine).await;
    let answer = |status: &str, header: &str| {
        let end = "content-length: 0\r\nconnection: close\r\n\r\n";
        Bad::Answers(format!("HTTP/1.1 {status}\r\n{header}{end}"))
    };
    let elsewhere = format!("location: {}\r\n", good.url("redirected"));
    // ANCHOR: kinds
    let kinds = [
        // The name, what it does, and what its dead letter must contain.
        ("silent", Bad::Silent, "within"),
        ("slow", Bad::Slow, "within"),
        ("half-closed", Bad::HalfClosed, "closed"),
        ("resets", Bad::Resets, "reset"),
        ("torn", Bad::Torn, "closed"),
        ("errors", answer("500 Oh no", ""), "500"),
        ("redirects", answer("302 Found", &elsewhere), "302"),
        ("moved", answer("308 Moved", &elsewhere), "308"),
        ("gone", answer("410 Gone", ""), "410"),
        ("endless-head", Bad::EndlessHead, "head"),
        ("untrusted", Bad::Tls(untrusted()), "certificate"),
        ("no-http", Bad::Answers("SSH-2.0-x\r\n".into()), "HTTP"),
        // The status was 200, so there's no dead letter.
        ("endless-body", Bad::EndlessBody, ""),
    ];
    // ANCHOR_END: kinds
    // At first, attempts don't time out: anything that waits for a silent receiver waits until the test fails.
    let config = CONFIG
        .replace("total = 16", "total = 200")
        .replace("attempt_timeout = \"20s", "attempt_timeout = \"9h")
        .replace("lease = \"3s", "lease = \"20s")
        .replace("attempts = 1000", "attempts = 2");
    let place = Place::sqlite();
    let mut courier = Courier::new(&place, &config);
    courier.ready().await;
    let mut servers = JoinSet::new();
    for (name, bad, _) in &kinds {
        let url = serve(bad.clone(), &mut servers).await;
        courier.subscribe(name, &url).await;
    }
    let closed = "http://127.0.0.1:1/";
    courier.subscribe("closed", closed).await;
    courier.subscribe("good", &good.url("good")).await;
    let memory = courier.memory();

    let start = Instant::now();
    let plan = Plan { most: 6, ..Plan::SMALL };
    let load = Load::start(vec![courier.url.clone()], plan);
    let sent = load.complete().await;
    let count = sent.acknowledged.len();
    let minute = Duration::from_secs(60);
    until("delivered and settled", minute, async || {
        let backlog = courier.get("/backlog").await;
        let mut all = backlog.as_array().expect("a list").iter();
        let good = all.find(|it| it["subscription"] == "good");
        good.expect("it's there")["open"] == 0
    })
    .await;
    let took = start.elapsed();
    let grown = courier.memory().saturating_sub(memory);
    assert!(grown < 50_000, "{grown} KiB");

    courier.kill().await;
    let config = config.replace("9h", "2s");
    // One more, because the last one may have been cut off.
    courier.configure(&config.replace("attempts = 2", "attempts = 3"));
    courier.ready().await;
    let mut errors = BTreeMap::new();
    until("all kinds have failed", minute, async || {
        let dead = courier.get("/dead").await;
        for letter in dead.as_array().expect("a list") {
            let text =
                |name: &str| letter[name].as_str().map(String::from);
            errors.insert(text("subscription"), text("error"));
        }
        errors.len() == kinds.len()
    })
    .await;
    for (name, _, part) in &kinds {
        let error = errors.get(&Some((*name).to_owned()));
        let text = error.cloned().flatten().unwrap_or_default();
        eprintln!("{name}: {text}");
        assert_eq!(*name == "endless-body", error.is_none(), "{name}");
        assert!(text.contains(part), "{name}: {text}");
    }
    // Nothing followed a redirect, and nothing came twice.
    assert_eq!(good.verify(&["good"], &sent.acknowledged), 0);
    eprintln!(
        "{} bad receivers and a good one: it got its {count} events \
         within {took:.1?}; {grown} KiB more",
        kinds.len() + 1,
    );
}
