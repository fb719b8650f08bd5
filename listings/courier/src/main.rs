//! courier as a program: `courier --help` says what it does.

mod ctl;

use std::{
    io::Write, net::SocketAddr, path::PathBuf, process::ExitCode,
    sync::Arc, thread, time::Duration,
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use courier::{
    config::Settings,
    http::Token,
    service::{self, Options},
    store::{SharedStore, SqlOptions, SqlStore, StoreError},
};
use tokio::{net::TcpListener, runtime::Builder, sync::Notify};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Accepts events over HTTP, and delivers each one to webhooks at least
/// once, in order for each key.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Try it:\n  courier &\n  \
        courier ctl subscribe shop https://example.com/hook\n  \
        echo '{\"order\": 7}' | courier ctl send order.shipped\n  \
        courier ctl status\n\n\
        Exit codes: 0 it was stopped, and everything was finished or \
        is kept; 1 an error; 2 wrong arguments; 130 a second signal \
        ended it.\nSignals: SIGTERM or SIGINT stops it; a second one \
        ends it immediately; SIGHUP reads the configuration again."
)]
struct Cli {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Ask a running courier something, or change its queue.
    Ctl(ctl::Ctl),
}

#[derive(Args)]
struct Serve {
    /// Where to listen; with port 0, a free port is chosen. Other
    /// machines can connect only if it isn't 127.0.0.1 or [::1], and
    /// there must be a token then.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    bind: SocketAddr,
    /// The database: sqlite:FILE, or
    /// postgres://USER:PASSWORD@HOST/NAME (or nats://HOST, or several
    /// of them with commas, if it was built with the feature
    /// jetstream). A file is created if it's missing. PostgreSQL's
    /// certificate is checked only with ?sslmode=verify-full.
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:courier.db"
    )]
    database: String,
    /// A TOML file with the settings. When it changes, they're adopted;
    /// if it's wrong then, the old ones stay.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with the token that clients must send, of at least 16
    /// characters.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How long stopping may take.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    grace: Duration,
    /// How long to accept connections after /ready has become false,
    /// until the load balancer has noticed.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    notice: Duration,
    /// Where to serve /live and /ready, too, for the probes of an
    /// orchestrator: other clients can't use up these connections.
    /// There's no token here, and nothing else is served, so let only
    /// the orchestrator connect.
    #[arg(long, value_name = "ADDRESS")]
    probes: Option<SocketAddr>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>();
    let parsed = parsed.map_err(|error| error.to_string())?;
    match Duration::try_from(parsed) {
        Ok(it) if it.as_secs() <= 24 * 3600 => Ok(it),
        _ => Err("must be 0s to 24h".to_owned()),
    }
}

fn main() -> ExitCode {
    let (stop, hurry) =
        (CancellationToken::new(), CancellationToken::new());
    let reload = Arc::new(Notify::new());
    // Install the handlers first, because without them, signals kill
    // the process. (That's fine for a client.)
    let is_client = std::env::args_os().nth(1) == Some("ctl".into());
    let listening = match is_client {
        true => Ok(()),
        false => listen_for_signals(
            stop.clone(),
            hurry.clone(),
            reload.clone(),
        ),
    };
    let cli = Cli::parse();
    let done = listening.context("can't handle signals");
    let done = done.and_then(|()| match cli.command {
        Some(Command::Ctl(ctl)) => run(ctl::run(ctl)),
        None => run(serve(cli.serve, reload, stop, hurry.clone())),
    });
    match done {
        Ok(()) if hurry.is_cancelled() => SECOND_SIGNAL.into(),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "courier: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a future. Blocking calls that it has left behind, such as a
/// file that never answers, don't keep the process alive.
fn run(
    future: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}

async fn serve(
    options: Serve,
    reload: Arc<Notify>,
    stop: CancellationToken,
    hurry: CancellationToken,
) -> anyhow::Result<()> {
    let wanted = std::env::var_os("RUST_LOG").unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    // An empty variable would filter out even errors.
    let directives = if wanted.is_empty() { "info" } else { &*wanted };
    let (filter, wrong) = match EnvFilter::try_new(directives) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    // If nobody reads the log, lines are lost, and nothing waits.
    let (log, _until_the_end) =
        tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(log)
        .init();
    if let Some(error) = wrong {
        tracing::warn!(%wanted, %error, "RUST_LOG isn't used");
    }
    // Files and databases can hang while opening: SIGTERM cancels this.
    let opening = open_all(options, reload);
    let Some(opened) = stop.run_until_cancelled(opening).await else {
        return Ok(());
    };
    let (listener, store, options) = opened?;
    service::serve(listener, store, options, stop, hurry).await
}

/// Opens everything the service needs, and prints its addresses.
async fn open_all(
    options: Serve,
    reload: Arc<Notify>,
) -> anyhow::Result<(TcpListener, SharedStore, Options)> {
    let token = match &options.token_file {
        Some(path) => Some(ctl::read_token(path).await?),
        None => None,
    };
    let bind = options.bind;
    if !bind.ip().to_canonical().is_loopback() && token.is_none() {
        bail!(
            "other machines could connect to {bind}, and anyone could \
            read and change the queue: set --token-file, or listen on \
            127.0.0.1"
        );
    }
    if let Some(path) = &options.config {
        Settings::read(path).await?;
    }
    let listener = listen(bind, "--bind").await?;
    let probes = match options.probes {
        Some(probes) => Some(listen(probes, "--probes").await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let probed = probes.as_ref().map(TcpListener::local_addr);
    let probed = probed.transpose()?;
    let store = connect(&options.database).await?;
    // Nobody may be there to read it.
    let _ = writeln!(
        std::io::stdout(),
        "courier listens on http://{address}: open it in a browser, or \
        try `courier ctl --url http://{address} status`; Ctrl-C stops it"
    );
    if let Some(probed) = probed {
        let text = "courier answers probes on http://";
        let _ = writeln!(std::io::stdout(), "{text}{probed}");
    }
    let options = Options {
        config: options.config,
        reload,
        token: token.as_deref().map(Token::new),
        grace: options.grace,
        notice: options.notice,
        probes,
    };
    Ok((listener, store, options))
}

async fn listen(
    address: SocketAddr,
    option: &str,
) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "can't listen on {address}; if the port is in use, stop \
            the program that uses it, or choose another one with \
            {option}"
        )
    })
}

async fn connect(url: &str) -> anyhow::Result<SharedStore> {
    let store = open(url).await;
    store.with_context(|| {
        // There's a password in the others.
        let place = match url.strip_prefix("sqlite:") {
            Some(file) => file,
            None => url.split("//").next().unwrap_or_default(),
        };
        format!(
            "can't open the database {place:?}; check --database or \
            DATABASE_URL"
        )
    })
}

// ANCHOR: open
async fn open(url: &str) -> Result<SharedStore, StoreError> {
    #[cfg(feature = "jetstream")]
    if url.starts_with("nats:") {
        use courier::store::{JetStreamOptions, JetStreamStore};
        // Several servers form a cluster.
        let replicas = if url.contains(',') { 3 } else { 1 };
        let options =
            JetStreamOptions { replicas, ..Default::default() };
        let store = JetStreamStore::connect(url, options).await?;
        return Ok(Arc::new(store));
    }
    let store = SqlStore::connect(url, SqlOptions::default()).await?;
    Ok(Arc::new(store))
}
// ANCHOR_END: open

const SECOND_SIGNAL: u8 = 130;

// ANCHOR: signals
/// The first signal cancels `stop`. The second one cancels `hurry` and,
/// a second later, ends the process, whatever it's doing. (SIGHUP
/// doesn't count: it only notifies `reload`.)
///
/// Signals have their own thread, so this works even if the rest of the
/// program is stuck.
fn listen_for_signals(
    stop: CancellationToken,
    hurry: CancellationToken,
    reload: Arc<Notify>,
) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _in_runtime = runtime.enter();
        Signals::listen()?
    };
    let listen = async move {
        signals.next(&reload).await;
        stop.cancel();
        signals.next(&reload).await;
        hurry.cancel();
        tokio::time::sleep(Duration::from_secs(1)).await;
        std::process::exit(SECOND_SIGNAL.into())
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))?;
    Ok(())
}
// ANCHOR_END: signals

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let hangup = signal(SignalKind::hangup())?;
        Ok(Self([interrupt, terminate, hangup]))
    }

    /// Waits for a signal that stops the service.
    async fn next(&mut self, reload: &Notify) {
        let [interrupt, terminate, hangup] = &mut self.0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = hangup.recv() => reload.notify_one(),
            }
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self, _: &Notify) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
