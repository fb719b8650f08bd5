//! Receivers that misbehave, at real sockets.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use courier::{
    config::Settings,
    deliver::{Answer, Deliver, HttpDeliver},
    event::{DeliveryId, Event, Lease, Secret, Subscription},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Accepts connections, and does the same with each one.
pub struct Receiver {
    pub port: u16,
    pub connections: Arc<Mutex<usize>>,
    /// The requests that were read with [`read_request`].
    pub requests: Arc<Mutex<Vec<String>>>,
    _accepts: JoinSet<()>,
}

pub type Requests = Arc<Mutex<Vec<String>>>;

impl Receiver {
    pub async fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream, Requests) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("bound");
        let port = listener.local_addr().expect("bound").port();
        let (connections, requests) =
            (Arc::new(Mutex::new(0)), Requests::default());
        let (count, all) = (connections.clone(), requests.clone());
        let mut accepts = JoinSet::new();
        accepts.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                served.spawn(serve(stream, all.clone()));
            }
        });
        Self { port, connections, requests, _accepts: accepts }
    }

    /// Reads requests, and answers each one with a text.
    pub async fn answers(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |mut stream, requests| {
            let text = text.clone();
            async move {
                while read_request(&mut stream, &requests).await {
                    let answer = stream.write_all(text.as_bytes());
                    if answer.await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?x=y", self.port)
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads a request to the end of its body; `false`: there is none.
pub async fn read_request(
    stream: &mut (impl AsyncReadExt + Unpin),
    requests: &Requests,
) -> bool {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok(n @ 1..) = stream.read(&mut buffer).await else {
            return false;
        };
        text += &String::from_utf8_lossy(&buffer[..n]);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length");
            let length: usize = length.parse().expect("a length");
            if body.len() >= length {
                requests.lock().unwrap().push(text);
                return true;
            }
        }
    }
}

pub fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|it| it.split_once(": "));
    let mut values = lines
        .filter(|(it, _)| it.eq_ignore_ascii_case(name))
        .map(|(_, value)| value);
    values.next().unwrap_or_default()
}

/// Settings for receivers at private addresses, with short timeouts.
pub fn settings() -> watch::Sender<Arc<Settings>> {
    let mut settings = Settings::default();
    settings.deliver.private_addresses = true;
    settings.deliver.attempt_timeout = Duration::from_secs(2);
    settings.deliver.connect_timeout = Duration::from_secs(1);
    watch::Sender::new(Arc::new(settings))
}

pub fn lease(url: &str) -> Lease {
    let name = |it: &str| it.parse().expect("a name");
    Lease {
        delivery: DeliveryId(1),
        token: 1,
        attempt: 1,
        age: Duration::ZERO,
        expires: tokio::time::Instant::now() + Duration::from_secs(60),
        event: Event {
            id: name("e-1"),
            topic: name("order.shipped"),
            key: None,
            body: Bytes::from_static("{\"name\": \"Zoë\"}".as_bytes()),
        },
        subscription: Subscription {
            name: name("a"),
            url: url.parse().expect("a URL"),
            topics: Vec::new(),
            secret: Secret(Bytes::from_static(&[7; 32])),
        },
    }
}

/// One attempt, with its own client.
pub async fn attempt(url: &str) -> Answer {
    attempt_for(url).await.0
}

/// ... and how long it took.
pub async fn attempt_for(url: &str) -> (Answer, Duration) {
    let settings = settings();
    let deliver = HttpDeliver::new(settings.subscribe());
    let start = Instant::now();
    let answer = deliver.attempt(&lease(url)).await;
    (answer, start.elapsed())
}

/// One failed attempt: its error.
pub async fn error(url: &str) -> String {
    match attempt(url).await {
        Answer::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}
