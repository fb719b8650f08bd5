//! Renew a certificate without a restart: a bad file changes nothing.

// ANCHOR: renew
use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    fs,
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_util::sync::CancellationToken as Stop;

/// Reads both files. A key of another certificate is an error.
async fn read(files: &Files) -> anyhow::Result<ServerConfig> {
    let both = async {
        let chain = fs::read(&files.chain);
        tokio::try_join!(chain, fs::read(&files.key))
    };
    let (chain, key) = timeout(LONGEST, both).await??;
    let chain = CertificateDer::pem_slice_iter(&chain);
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&key)?;
    let config = ServerConfig::builder().with_no_client_auth();
    Ok(config.with_single_cert(chain, key)?)
}

/// Publishes the certificate on disk for the next handshakes. After an
/// error, and if dropped, the server keeps the old one.
async fn reload(
    files: &Files,
    current: &Current,
) -> anyhow::Result<()> {
    let new = read(files).await;
    let new = new.with_context(|| files.chain.display().to_string())?;
    current.send_replace(Arc::new(new));
    Ok(())
}
// ANCHOR_END: renew

// ANCHOR: every
/// Reloads in intervals until the stop.
async fn reload_every(
    pause: Duration,
    files: &Files,
    current: &Current,
    stop: &Stop,
) {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = reload(files, current).await {
            tracing::error!("keeps its certificate: {error:#}");
        }
    }
}
// ANCHOR_END: every

type Current = watch::Sender<Arc<ServerConfig>>;

/// PEM files: the server's certificate with those that signed it, and
/// its key.
struct Files {
    chain: PathBuf,
    key: PathBuf,
}

/// The time limit for reading both files.
const LONGEST: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_secs(3600);

use std::path::Path;

use rcgen::{CertificateParams, IsCa, KeyPair};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

/// A certificate that signs itself, and its key, as PEM.
struct Pair {
    chain: String,
    key: String,
}

impl Pair {
    fn new() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let name = "shop.test".to_owned();
        let mut params = CertificateParams::new([name])?;
        params.is_ca = IsCa::ExplicitNoCa;
        let chain = params.self_signed(&key)?.pem();
        Ok(Self { chain, key: key.serialize_pem() })
    }
}

impl Files {
    fn new(folder: &Path) -> Self {
        let (chain, key) = ("chain.pem", "key.pem");
        Self { chain: folder.join(chain), key: folder.join(key) }
    }
}

/// Which of the certificates the server has, seen by a client that
/// trusts them all.
async fn presented(
    current: &Current,
    pairs: &[&Pair],
) -> anyhow::Result<usize> {
    let mut roots = RootCertStore::empty();
    let mut known = Vec::new();
    for pair in pairs {
        let pem = pair.chain.as_bytes();
        let root = CertificateDer::from_pem_slice(pem)?;
        roots.add(root.clone())?;
        known.push(root);
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answers = async {
        let (socket, _) = listener.accept().await?;
        let acceptor = TlsAcceptor::from(current.borrow().clone());
        let mut stream = acceptor.accept(socket).await?;
        // Until the client leaves.
        let _ = stream.read_u8().await;
        anyhow::Ok(())
    };
    let asks = async {
        let socket = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("shop.test")?;
        let stream = connector.connect(name, socket).await?;
        let session = stream.get_ref().1;
        let presented = session.peer_certificates().map(<[_]>::to_vec);
        anyhow::Ok(presented.context("no certificate")?)
    };
    let ((), presented) = tokio::try_join!(answers, asks)?;
    let place = known.iter().position(|it| *it == presented[0]);
    Ok(place.context("another certificate")? + 1)
}

// ANCHOR: main
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let files = Files::new(folder.path());
    let (first, second) = (Pair::new()?, Pair::new()?);
    fs::write(&files.chain, &first.chain).await?;
    fs::write(&files.key, &first.key).await?;
    // At the start, a bad file is an error.
    let current = Current::new(read(&files).await?.into());
    let both = [&first, &second];
    println!("certificate {}", presented(&current, &both).await?);

    // The new chain is there before its key.
    fs::write(&files.chain, &second.chain).await?;
    if let Err(error) = reload(&files, &current).await {
        println!("not reloaded: {}", error.root_cause());
    }
    println!("certificate {}", presented(&current, &both).await?);

    fs::write(&files.key, &second.key).await?;
    let (stop, mut seen) = (Stop::new(), current.subscribe());
    let published = async {
        let changed = seen.changed().await;
        stop.cancel();
        changed
    };
    let reloads = reload_every(HOUR, &files, &current, &stop);
    let ((), changed) = tokio::join!(reloads, published);
    changed?;
    println!("certificate {}", presented(&current, &both).await?);
    Ok(())
}
// ANCHOR_END: main

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        files: Files,
        current: Current,
        first: Pair,
        second: Pair,
        _folder: tempfile::TempDir,
    }

    impl Case {
        /// The server has the first certificate, and the second one is on
        /// disk.
        async fn new() -> anyhow::Result<Self> {
            let folder = tempfile::tempdir()?;
            let files = Files::new(folder.path());
            let (first, second) = (Pair::new()?, Pair::new()?);
            fs::write(&files.chain, &first.chain).await?;
            fs::write(&files.key, &first.key).await?;
            let current = Current::new(read(&files).await?.into());
            fs::write(&files.chain, &second.chain).await?;
            fs::write(&files.key, &second.key).await?;
            Ok(Self { files, current, first, second, _folder: folder })
        }

        async fn presented(&self) -> anyhow::Result<usize> {
            presented(&self.current, &[&self.first, &self.second]).await
        }
    }

    /// A canceled reload has published all or nothing.
    #[tokio::test]
    async fn cancel_at_every_poll_keeps_a_certificate()
    -> anyhow::Result<()> {
        let case = Case::new().await?;
        for polls in 0..6 {
            let mut reloading =
                Box::pin(reload(&case.files, &case.current));
            for _ in 0..polls {
                if futures::poll!(reloading.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(reloading);
            assert!([1, 2].contains(&case.presented().await?));
        }
        reload(&case.files, &case.current).await?;
        assert_eq!(case.presented().await?, 2);
        Ok(())
    }

    /// Every kind of broken file.
    #[tokio::test]
    async fn failure_keeps_the_old_certificate() -> anyhow::Result<()> {
        let case = Case::new().await?;
        let (chain, key) = (&case.second.chain, &case.second.key);
        let half = |pem: &str| pem[..pem.len() / 2].to_owned();
        for (chain, key) in [
            (half(chain), key.clone()),
            (chain.clone(), half(key)),
            (chain.clone(), case.first.key.clone()),
            (key.clone(), chain.clone()),
        ] {
            fs::write(&case.files.chain, &chain).await?;
            fs::write(&case.files.key, &key).await?;
            assert!(reload(&case.files, &case.current).await.is_err());
            assert_eq!(case.presented().await?, 1);
        }
        fs::remove_file(&case.files.key).await?;
        assert!(reload(&case.files, &case.current).await.is_err());
        assert_eq!(case.presented().await?, 1);
        Ok(())
    }

    #[tokio::test]
    async fn edges_empty_files() -> anyhow::Result<()> {
        let case = Case::new().await?;
        fs::write(&case.files.chain, "").await?;
        assert!(reload(&case.files, &case.current).await.is_err());
        fs::write(&case.files.chain, &case.second.chain).await?;
        fs::write(&case.files.key, "").await?;
        assert!(reload(&case.files, &case.current).await.is_err());
        assert_eq!(case.presented().await?, 1);
        Ok(())
    }

    /// The process that writes the chain is killed between two
    /// certificates. As the page says, the server can't notice that.
    #[tokio::test]
    async fn crash_between_two_certificates_is_not_noticed()
    -> anyhow::Result<()> {
        let case = Case::new().await?;
        let whole = case.second.chain.clone() + &case.first.chain;
        for chain in [&whole[..case.second.chain.len()], &whole] {
            fs::write(&case.files.chain, chain).await?;
            reload(&case.files, &case.current).await?;
            assert_eq!(case.presented().await?, 2);
        }
        Ok(())
    }

    /// The process that writes the files is killed between both.
    #[tokio::test]
    async fn crash_between_the_files_is_no_mixture()
    -> anyhow::Result<()> {
        let case = Case::new().await?;
        fs::write(&case.files.key, &case.first.key).await?;
        assert!(reload(&case.files, &case.current).await.is_err());
        assert_eq!(case.presented().await?, 1);
        fs::write(&case.files.key, &case.second.key).await?;
        reload(&case.files, &case.current).await?;
        assert_eq!(case.presented().await?, 2);
        Ok(())
    }

    #[tokio::test]
    async fn again_publishes_the_same_certificate() -> anyhow::Result<()>
    {
        let case = Case::new().await?;
        for _ in 0..2 {
            reload(&case.files, &case.current).await?;
            assert_eq!(case.presented().await?, 2);
        }
        Ok(())
    }

    /// After an error, the loop tries again, until the stop.
    #[tokio::test(start_paused = true)]
    async fn stop_ends_the_loop() -> anyhow::Result<()> {
        let case = Case::new().await?;
        let stop = Stop::new();
        fs::write(&case.files.key, "").await?;
        let mut seen = case.current.subscribe();
        let reloads =
            reload_every(HOUR, &case.files, &case.current, &stop);
        let writes = async {
            tokio::time::sleep(HOUR / 2).await;
            assert!(!seen.has_changed()?);
            fs::write(&case.files.key, &case.second.key).await?;
            seen.changed().await?;
            stop.cancel();
            anyhow::Ok(())
        };
        let ((), written) = tokio::join!(reloads, writes);
        written?;
        assert_eq!(case.presented().await?, 2);
        Ok(())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn threads_reload_and_connect() -> anyhow::Result<()> {
        let case = Arc::new(Case::new().await?);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let case = Arc::clone(&case);
            tasks.spawn(async move {
                reload(&case.files, &case.current).await?;
                case.presented().await
            });
        }
        for presented in tasks.join_all().await {
            assert_eq!(presented?, 2);
        }
        Ok(())
    }

    /// A missed hour isn't made up for.
    #[tokio::test(start_paused = true)]
    async fn clock_jumps_reload_once() -> anyhow::Result<()> {
        let case = Case::new().await?;
        let (stop, second) = (Stop::new(), Duration::from_secs(1));
        let seen = case.current.subscribe();
        let mut reloads = Box::pin(reload_every(
            second,
            &case.files,
            &case.current,
            &stop,
        ));
        let mut counted = seen.clone();
        // The first tick is due immediately.
        tokio::select! {
            () = &mut reloads => {}
            changed = counted.changed() => changed?,
        }
        tokio::time::advance(HOUR).await;
        tokio::select! {
            () = &mut reloads => {}
            changed = counted.changed() => changed?,
        }
        counted.mark_unchanged();
        let more = timeout(second / 2, async {
            tokio::select! {
                () = &mut reloads => Ok(()),
                changed = counted.changed() => changed,
            }
        });
        assert!(more.await.is_err());
        Ok(())
    }
}
