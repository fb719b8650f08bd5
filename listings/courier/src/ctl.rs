//! `courier ctl`: a client of the HTTP interface.

use std::{io::Write, path::Path, path::PathBuf, time::Duration};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::{Args, Subcommand};
use courier::event::Name;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, time::timeout};

/// Asks a running courier, and changes its queue.
#[derive(Args)]
pub struct Ctl {
    /// Where courier listens.
    #[arg(
        long,
        value_name = "URL",
        env = "COURIER_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// The file with courier's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// How much there is to do for each subscription.
    Status,
    /// The newest deliveries that were given up, and why.
    Dead,
    /// Deliver dead deliveries again.
    Redeliver {
        /// Their numbers; see `dead`.
        #[arg(required = true)]
        numbers: Vec<i64>,
    },
    /// Add a subscription, or change it. Prints the secret that signs
    /// its requests.
    Subscribe {
        /// Its name.
        name: Name,
        /// Where its events are sent to.
        url: String,
        /// A topic that it wants, several times if need be; without, it
        /// gets all.
        #[arg(long = "topic", value_name = "TOPIC")]
        topics: Vec<Name>,
    },
    /// Remove a subscription and its deliveries.
    Unsubscribe {
        /// Its name.
        name: Name,
    },
    /// All subscriptions.
    Subscriptions,
    /// Send an event. Its body is read from the standard input.
    Send {
        /// Its topic.
        topic: Name,
        /// Events with the same key are delivered in order.
        #[arg(long)]
        key: Option<String>,
        /// Its idempotency key: sent again, it's accepted once.
        #[arg(long)]
        id: Option<Name>,
    },
}

/// How long an answer may take, and how large it may be.
const LIMITS: (Duration, usize) = (Duration::from_secs(60), 16 << 20);

/// Does what the arguments say, and prints the result.
pub async fn run(ctl: Ctl) -> anyhow::Result<()> {
    let api = Api::new(&ctl.url, ctl.token_file.as_deref()).await?;
    match ctl.what {
        What::Status => {
            let columns =
                "subscription open leased dead oldest_seconds";
            print(&api.get("/backlog").await?, columns)
        }
        What::Dead => {
            let columns =
                "delivery subscription event topic attempts error";
            print(&api.get("/dead").await?, columns)
        }
        What::Redeliver { numbers } => {
            for number in numbers {
                let path = format!("/dead/{number}/redeliver");
                let done = api.ask(Method::POST, &path, &[], "").await;
                done.with_context(|| format!("delivery {number}"))?;
            }
            Ok(())
        }
        What::Subscribe { name, url, topics } => {
            let path = format!("/subscriptions/{name}");
            let body = json!({ "url": url, "topics": topics });
            let body = body.to_string();
            let new = api.ask(Method::PUT, &path, &[], body).await?;
            print(&[new], "name url topics secret")
        }
        What::Unsubscribe { name } => {
            let path = format!("/subscriptions/{name}");
            api.ask(Method::DELETE, &path, &[], "").await.map(drop)
        }
        What::Subscriptions => {
            let all = api.get("/subscriptions").await?;
            print(&all, "name url topics")
        }
        What::Send { topic, key, id } => {
            let id = match id {
                Some(id) => id.to_string(),
                None => uuid::Uuid::now_v7().to_string(),
            };
            let mut body = Vec::new();
            tokio::io::stdin().read_to_end(&mut body).await?;
            let mut headers = vec![("idempotency-key", id.as_str())];
            headers
                .extend(key.as_deref().map(|it| ("ordering-key", it)));
            let path = format!("/events/{topic}");
            let sent = api.ask(Method::POST, &path, &headers, body);
            let sent = sent.await.with_context(|| {
                format!("to be safe, send it again with --id {id}")
            })?;
            print(&[sent], "id deliveries")
        }
    }
}

/// Reads a token from a file, and trims it.
pub async fn read_token(path: &Path) -> anyhow::Result<String> {
    let text = tokio::fs::read_to_string(path).await;
    let place = || format!("can't read the token {}", path.display());
    let token = text.with_context(place)?.trim().to_owned();
    ensure!(
        token.len() >= 16
            && token.bytes().all(|it| it.is_ascii_graphic()),
        "the token in {} must have at least 16 characters, without \
        spaces; for example: openssl rand -hex 32",
        path.display()
    );
    Ok(token)
}

struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    token: Option<String>,
}

impl Api {
    async fn new(
        url: &str,
        token: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let token = match token {
            Some(path) => Some(read_token(path).await?),
            None => None,
        };
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new());
        let client = client.build(connector);
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { client, url, token })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        match self.ask(Method::GET, path, &[], "").await? {
            Value::Array(all) => Ok(all),
            _ => bail!("the answer isn't courier's; check --url"),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Value> {
        let (longest, most) = LIMITS;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        if let Some(token) = &self.token {
            let token = format!("Bearer {token}");
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body.into()));
        let request = request.context("a wrong --url or argument")?;
        let asking = async {
            let answer = self.client.request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), most).collect();
            let body = body.await.map_err(anyhow::Error::from_boxed)?;
            anyhow::Ok((status, body.to_bytes()))
        };
        let answer = timeout(longest, asking).await;
        let answer = answer.context("no answer in time").flatten();
        let (status, body) = answer.with_context(|| {
            format!(
                "can't reach courier at {}; is it running?",
                self.url
            )
        })?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let answer: Value =
            serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() {
            let error = answer["error"].as_str().unwrap_or_default();
            bail!("{status}: {}", printable(error));
        }
        Ok(answer)
    }
}

/// Prints lines with the columns, which are separated by tabs.
fn print(rows: &[Value], columns: &str) -> anyhow::Result<()> {
    let mut text = columns.replace(' ', "\t") + "\n";
    for row in rows {
        let cells =
            columns.split(' ').map(|column| match &row[column] {
                Value::Null => "-".to_owned(),
                Value::String(text) => printable(text),
                Value::Array(all) if all.is_empty() => "all".to_owned(),
                Value::Array(all) => {
                    let all = all.iter().filter_map(Value::as_str);
                    printable(&all.collect::<Vec<_>>().join(","))
                }
                other => other.to_string(),
            });
        text += &(cells.collect::<Vec<_>>().join("\t") + "\n");
    }
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// A receiver's error text must not control the terminal.
fn printable(text: &str) -> String {
    let visible =
        |it: char| if it.is_control() { '\u{fffd}' } else { it };
    text.chars().map(visible).collect()
}
