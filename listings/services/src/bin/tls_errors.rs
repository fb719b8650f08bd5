//! What the client and the server report when TLS fails.

use std::{error::Error, io, sync::Arc, time::Duration};

use axum::Router;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        },
        server::WebPkiClientVerifier,
        time_provider::TimeProvider,
    },
};

type Failed = Box<dyn Error>;

/// The private CA of a shop, and what it signs.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    fn new(name: &str) -> Result<Self, Failed> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key)?.into();
        let issuer = Issuer::new(params, key);
        Ok(Self { root, issuer })
    }

    fn sign(&self, name: &str, until: i32) -> Result<Identity, Failed> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.into()])?;
        params.not_after = date_time_ymd(until, 1, 1);
        let signed = params.signed_by(&key, &self.issuer)?;
        Ok((signed.into(), key.into()))
    }
}

/// A certificate that signs itself, as a CA's does.
fn self_signed(name: &str) -> Result<Identity, Failed> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([name.into()])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok((params.self_signed(&key)?.into(), key.into()))
}

/// A clock that stands still on January 1st, 2026.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        const NOW: u64 = 1_767_225_600;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(NOW)))
    }
}

fn client(root: CertificateDer<'static>) -> Result<Client, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_details(provider, Arc::new(Clock))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(config)
}

type Client = ClientConfig;
type Server = ServerConfig;

fn server((chain, key): Identity) -> Result<Server, Failed> {
    let config = ServerConfig::builder().with_no_client_auth();
    Ok(config.with_single_cert(vec![chain], key)?)
}

/// A connection over the loopback interface.
async fn sockets() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

async fn connect(
    config: Client,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, (io::Error, TcpStream)> {
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("shop.test").expect("a DNS name");
    connector.connect(name, socket).into_fallible().await
}

// ANCHOR: attempt
/// Connects to "shop.test", and prints what each side reports.
async fn attempt(
    case: &str,
    client: Client,
    server: Server,
) -> Result<(), Failed> {
    let (near, far) = sockets().await?;
    let asks = async {
        let mut stream = connect(client, near).await?;
        // TLS 1.3: the server's refusal arrives with the first read.
        match stream.read_u8().await {
            Ok(_) => Ok(()),
            Err(error) => Err((error, stream.into_inner().0)),
        }
    };
    let answers = async {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let mut stream = acceptor.accept(far).into_fallible().await?;
        let sent = stream.write_all(b"!").await;
        sent.map_err(|error| (error, stream.into_inner().0))
    };
    // Neither side closes its socket before the other one has failed.
    let (asked, answered) = tokio::join!(asks, answers);
    println!("{case}\n  client: {}", text(&asked));
    println!("  server: {}", text(&answered));
    Ok(())
}
// ANCHOR_END: attempt

fn text<S>(outcome: &Result<(), (io::Error, S)>) -> String {
    match outcome {
        Ok(()) => "fine".into(),
        Err((error, _)) => error.to_string(),
    }
}

/// Requires a certificate from its clients.
fn mutual(
    root: CertificateDer<'static>,
    (chain, key): Identity,
) -> Result<Server, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let verifier =
        WebPkiClientVerifier::builder(roots.into()).build()?;
    let config = Server::builder().with_client_cert_verifier(verifier);
    Ok(config.with_single_cert(vec![chain], key)?)
}

// ANCHOR: certificates
async fn certificates() -> Result<(), Failed> {
    let ours = Authority::new("The shop's CA")?;
    let again = Authority::new("The shop's CA")?;
    let other = Authority::new("Another CA")?;
    let knows = |it: &Authority| client(it.root.clone());
    let shop = || ours.sign("shop.test", 2030);

    let case = "a CA that the client knows";
    attempt(case, knows(&ours)?, server(shop()?)?).await?;
    let case = "a CA that the client doesn't know";
    attempt(case, knows(&other)?, server(shop()?)?).await?;
    let case = "a CA that was created again, with the same name";
    attempt(case, knows(&again)?, server(shop()?)?).await?;
    let case = "the CA's own certificate, from `openssl req -x509`";
    let (root, key) = self_signed("shop.test")?;
    let server_is_ca = server((root.clone(), key))?;
    attempt(case, client(root)?, server_is_ca).await?;
    let blog = server(ours.sign("blog.test", 2030)?)?;
    attempt("another name", knows(&ours)?, blog).await?;
    let old = server(ours.sign("shop.test", 2025)?)?;
    attempt("expired", knows(&ours)?, old).await?;
    let case = "mTLS: the client has no certificate";
    let mutual = mutual(ours.root.clone(), shop()?)?;
    attempt(case, knows(&ours)?, mutual).await?;
    let mixed = server((shop()?.0, shop()?.1)).err();
    println!("a key of another certificate");
    println!("  server: {}", mixed.ok_or("it fits")?);
    Ok(())
}
// ANCHOR_END: certificates

// ANCHOR: protocols
/// One side speaks TLS, and the other one HTTP without TLS, or nothing.
async fn protocols(
    client: Client,
    server: Server,
) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let http = axum::serve(listener, Router::new()).into_future();
    let asks = async {
        let socket = TcpStream::connect(address).await?;
        let asked = connect(client, socket).await.map(drop);
        println!("https, but the server speaks http");
        println!("  client: {}", text(&asked));
        io::Result::Ok(())
    };
    tokio::select! {
        asked = asks => asked?,
        served = http => served?,
    }

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let answers = async {
        let (socket, _) = listener.accept().await?;
        let accepted = acceptor.accept(socket).into_fallible();
        io::Result::Ok(accepted.await.map(drop))
    };
    let (asked, answered) = tokio::join!(reqwest::get(url), answers);
    println!("http, but the server speaks https");
    println!("  client: {}", root_cause(&asked.err().ok_or("fine")?));
    println!("  server: {}", text(&answered?));

    let (near, far) = sockets().await?;
    drop(near);
    let accepted = acceptor.accept(far).into_fallible().await;
    println!("a health check only connects");
    println!("  server: {}", text(&accepted.map(drop)));
    Ok(())
}
// ANCHOR_END: protocols

fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

// ANCHOR: close
/// The server sends its answer, and ends TLS or only the socket.
async fn closed(
    client: Client,
    server: Server,
    ends_tls: bool,
) -> Result<(), Failed> {
    let (near, far) = sockets().await?;
    let answers = async {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let mut stream = acceptor.accept(far).await?;
        stream.write_all(b"12 euros").await?;
        stream.flush().await?;
        if ends_tls {
            stream.shutdown().await?;
        }
        io::Result::Ok(())
    };
    let asks = async {
        let mut seen = Vec::new();
        let stream = connect(client, near).await;
        let mut stream = stream.map_err(|(error, _)| error)?;
        let read = stream.read_to_end(&mut seen).await;
        io::Result::Ok((
            String::from_utf8_lossy(&seen).into_owned(),
            read,
        ))
    };
    let (answered, asked) = tokio::join!(answers, asks);
    answered?;
    let (seen, read) = asked?;
    println!("the server shuts TLS down: {ends_tls}");
    match read {
        Ok(_) => println!("  client: {seen}, and all of it"),
        Err(error) => println!("  client: {seen}, {error}"),
    }
    Ok(())
}
// ANCHOR_END: close

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    // Before the first connection: which cryptography rustls uses.
    let installed = ring::default_provider().install_default();
    installed.map_err(|_| "a provider has already been installed")?;

    certificates().await?;
    let ours = Authority::new("The shop's CA")?;
    let client = client(ours.root.clone())?;
    let server = server(ours.sign("shop.test", 2030)?)?;
    protocols(client.clone(), server.clone()).await?;
    closed(client.clone(), server.clone(), false).await?;
    closed(client, server, true).await
}
// ANCHOR_END: main
