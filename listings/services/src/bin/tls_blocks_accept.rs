//! Wrong: the handshake runs in the accept loop, so one silent client blocks all others.

// ANCHOR: wrong
use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor, rustls::ServerConfig, server::TlsStream,
};

async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(tls);
    let mut open = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        // The next client isn't accepted before this one has sent all
        // of its handshake.
        let Ok(stream) = acceptor.accept(socket).await else {
            continue;
        };
        open.spawn(answer(stream));
        while open.try_join_next().is_some() {}
    }
}
// ANCHOR_END: wrong

async fn answer(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    stream.write_all(b"12 euros").await?;
    stream.shutdown().await
}

use std::{error::Error, net::SocketAddr, time::Duration};

use rcgen::{CertificateParams, IsCa, KeyPair};
use tokio::{task::JoinHandle, time::timeout};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName},
    },
};

type Failed = Box<dyn Error>;

struct Shop {
    address: SocketAddr,
    root: CertificateDer<'static>,
    server: JoinHandle<io::Result<()>>,
}

async fn start() -> Result<Shop, Failed> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["shop.test".to_owned()])?;
    params.is_ca = IsCa::ExplicitNoCa;
    let root = CertificateDer::from(params.self_signed(&key)?);
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![root.clone()], key.into())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener, Arc::new(config)));
    Ok(Shop { address, root, server })
}

async fn ask(shop: &Shop) -> Result<String, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(shop.root.clone())?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let socket = TcpStream::connect(shop.address).await?;
    let name = ServerName::try_from("shop.test")?;
    let mut stream = connector.connect(name, socket).await?;
    let mut price = String::new();
    stream.read_to_string(&mut price).await?;
    Ok(price)
}

const LIMIT: Duration = Duration::from_millis(100);

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let shop = start().await?;
    let silent = TcpStream::connect(shop.address).await?;
    let mut asked = Box::pin(ask(&shop));
    match timeout(LIMIT, &mut asked).await {
        Ok(price) => println!("the second client: {}", price?),
        Err(_) => println!("the second client: no handshake"),
    }
    drop(silent);
    println!("after the first one has left: {}", asked.await?);
    shop.server.abort();
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_of_one_client_blocks_nobody() -> Result<(), Failed>
    {
        let shop = start().await?;
        let silent = TcpStream::connect(shop.address).await?;
        let mut asked = Box::pin(ask(&shop));
        // It blocks everybody.
        assert!(timeout(LIMIT, &mut asked).await.is_err());
        drop(silent);
        assert_eq!(asked.await?, "12 euros");
        Ok(())
    }
}
