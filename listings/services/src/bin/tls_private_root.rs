//! An HTTPS client that trusts a private CA.

// ANCHOR: client
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::{Body, to_bytes};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

type Https = Client<HttpsConnector<HttpConnector>, Body>;

/// A client that trusts the certificates in `pem`, and no others.
fn client(pem: &[u8]) -> anyhow::Result<Https> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        roots.add(root?)?;
    }
    ensure!(!roots.is_empty(), "the file has no certificates");
    let tls = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .build();
    let mut client = Client::builder(TokioExecutor::new());
    Ok(client.pool_timer(TokioTimer::new()).build(https))
}
// ANCHOR_END: client

// ANCHOR: get
/// Gets a short text. Neither the handshake nor the body has a time
/// limit of its own, so one limit includes them all.
async fn get(client: &Https, url: Uri) -> anyhow::Result<String> {
    let answer = async {
        let answer = client.get(url).await?;
        let status = answer.status();
        ensure!(status.is_success(), "the server answered {status}");
        let body = Body::new(answer.into_body());
        let text = to_bytes(body, LARGEST).await?;
        Ok(String::from_utf8(text.into())?)
    };
    let answer = timeout(LIMIT, answer).await;
    answer.context("no answer within the limit")?
}
// ANCHOR_END: get

const LIMIT: Duration = Duration::from_secs(10);

const LARGEST: usize = 1000;

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, routing};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// A private CA: its certificate as PEM, and a server that it signed a
/// certificate for.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { pem, issuer })
    }

    /// A certificate for an IP address or a name.
    fn server(&self, name: &str) -> anyhow::Result<TlsAcceptor> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new([name.into()])?;
        let chain = params.signed_by(&key, &self.issuer)?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![chain.into()], key.into())?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// What the tests change of the server.
#[derive(Clone, Copy, PartialEq)]
enum Server {
    Serves,
    /// Accepts, and says nothing.
    Silent,
}

/// A server that stops when its task set is dropped.
async fn start(
    acceptor: TlsAcceptor,
    shop: Router,
    server: Server,
) -> anyhow::Result<(SocketAddr, JoinSet<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serve_one = async move |socket: TcpStream| {
        if server == Server::Silent {
            std::future::pending::<()>().await;
        }
        let Ok(stream) = acceptor.accept(socket).await else { return };
        let shop = TowerToHyperService::new(shop.clone());
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), shop)
            .await;
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = futures::stream::FuturesUnordered::new();
        loop {
            tokio::select! {
                Ok((socket, _)) = listener.accept() => {
                    open.push(serve_one(socket));
                }
                Some(()) = futures::StreamExt::next(&mut open) => {}
            }
        }
    });
    Ok((address, tasks))
}

fn shop() -> Router {
    let price = async || "12 euros";
    let long = async || "x".repeat(LARGEST + 1);
    let slow = async || std::future::pending::<()>().await;
    Router::new()
        .route("/price", routing::get(price))
        .route("/long", routing::get(long))
        .route("/slow", routing::get(slow))
}

fn url(address: SocketAddr, path: &str) -> anyhow::Result<Uri> {
    Ok(format!("https://{address}{path}").parse()?)
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let ours = Authority::new("The shop's CA")?;
    let other = Authority::new("Another CA")?;
    let acceptor = ours.server("127.0.0.1")?;
    let (address, _server) =
        start(acceptor, shop(), Server::Serves).await?;
    let price = url(address, "/price")?;

    let trusting = client(ours.pem.as_bytes())?;
    println!("our root: {}", get(&trusting, price.clone()).await?);
    let other = client(other.pem.as_bytes())?;
    let error = get(&other, price).await.unwrap_err();
    println!("another root: {error:#}");
    let error = client(b"").map(drop).unwrap_err();
    println!("no root: {error:#}");
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair(
        server: Server,
    ) -> anyhow::Result<(Https, SocketAddr, JoinSet<()>)> {
        let ours = Authority::new("The shop's CA")?;
        let acceptor = ours.server("127.0.0.1")?;
        let (address, tasks) = start(acceptor, shop(), server).await?;
        Ok((client(ours.pem.as_bytes())?, address, tasks))
    }

    /// Nothing runs after the client is dropped.
    #[tokio::test]
    async fn cancel_at_every_poll_leaves_nothing() -> anyhow::Result<()>
    {
        let (client, address, tasks) = pair(Server::Serves).await?;
        for polls in 0..12 {
            let url = url(address, "/price")?;
            let mut answer = Box::pin(get(&client, url));
            for _ in 0..polls {
                let once = futures::poll!(answer.as_mut());
                if once.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(answer);
            let again = get(&client, self::url(address, "/price")?);
            assert_eq!(again.await?, "12 euros");
        }
        drop((client, tasks));
        hazards::no_task_left().await;
        Ok(())
    }

    /// The handshake has no other limit.
    #[tokio::test]
    async fn silence_in_the_handshake_is_an_error() -> anyhow::Result<()>
    {
        let (client, address, tasks) = pair(Server::Silent).await?;
        let (held, _) = (TcpStream::connect(address).await?, ());
        tokio::time::pause();
        let answer = get(&client, url(address, "/price")?);
        let answer = timeout(5 * LIMIT, answer).await?;
        let error = format!("{:#}", answer.unwrap_err());
        assert!(error.contains("within the limit"), "{error}");
        drop((client, tasks, held));
        hazards::no_task_left().await;
        Ok(())
    }

    #[tokio::test]
    async fn slow_answers_are_an_error() -> anyhow::Result<()> {
        let (client, address, _tasks) = pair(Server::Serves).await?;
        get(&client, url(address, "/price")?).await?;
        tokio::time::pause();
        let answer = get(&client, url(address, "/slow")?);
        let answer = timeout(5 * LIMIT, answer).await?;
        assert!(answer.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn overload_of_callers_is_answered() -> anyhow::Result<()> {
        let (client, address, _tasks) = pair(Server::Serves).await?;
        let url = url(address, "/price")?;
        let all = (0..20).map(|_| get(&client, url.clone()));
        for answer in futures::future::join_all(all).await {
            assert_eq!(answer?, "12 euros");
        }
        Ok(())
    }

    /// The whole chain of causes arrives.
    #[tokio::test]
    async fn failure_of_each_check_has_its_cause() -> anyhow::Result<()>
    {
        let ours = Authority::new("The shop's CA")?;
        let other = Authority::new("Another CA")?;
        for (root, name, cause) in [
            (&other, "127.0.0.1", "UnknownIssuer"),
            (&ours, "shop.test", "not valid for name \"127.0.0.1\""),
        ] {
            let (address, _tasks) =
                start(ours.server(name)?, shop(), Server::Serves)
                    .await?;
            let client = client(root.pem.as_bytes())?;
            let answer = get(&client, url(address, "/price")?).await;
            let error = format!("{:#}", answer.unwrap_err());
            assert!(error.contains(cause), "{error}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn failure_status_is_an_error() -> anyhow::Result<()> {
        let (client, address, _tasks) = pair(Server::Serves).await?;
        let answer = get(&client, url(address, "/nothing")?).await;
        let error = format!("{:#}", answer.unwrap_err());
        assert!(error.contains("404"), "{error}");
        Ok(())
    }

    /// A server that has ended its connections is connected to again.
    #[tokio::test]
    async fn again_after_the_server_restarted() -> anyhow::Result<()> {
        let (client, address, tasks) = pair(Server::Serves).await?;
        let price = url(address, "/price")?;
        assert_eq!(get(&client, price.clone()).await?, "12 euros");
        assert_eq!(get(&client, price.clone()).await?, "12 euros");
        drop(tasks);
        assert!(get(&client, price).await.is_err());
        Ok(())
    }

    #[test]
    fn edges_no_certificate_and_a_broken_one() -> anyhow::Result<()> {
        assert!(client(b"").is_err());
        assert!(client(b"no PEM").is_err());
        let ours = Authority::new("The shop's CA")?;
        let torn = &ours.pem.as_bytes()[..ours.pem.len() / 2];
        assert!(client(torn).is_err());
        let two = ours.pem.clone() + &Authority::new("Another CA")?.pem;
        assert!(client(two.as_bytes()).is_ok());
        Ok(())
    }

    #[tokio::test]
    async fn edges_a_long_body_and_plain_http() -> anyhow::Result<()> {
        let (client, address, _tasks) = pair(Server::Serves).await?;
        assert!(get(&client, url(address, "/long")?).await.is_err());
        let plain = format!("http://{address}/price").parse()?;
        assert!(get(&client, plain).await.is_err());
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_share_the_client() -> anyhow::Result<()> {
        let (client, address, _tasks) = pair(Server::Serves).await?;
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let client = client.clone();
            let url = url(address, "/price")?;
            callers.spawn(async move { get(&client, url).await });
        }
        for answer in callers.join_all().await {
            assert_eq!(answer?, "12 euros");
        }
        Ok(())
    }
}
