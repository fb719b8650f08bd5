//! The whole service: it starts the parts, watches them, adopts changed
//! settings, and stops everything in order.

use std::{any::Any, path::PathBuf, sync::Arc};

use anyhow::{Context, anyhow};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinError,
    time::{Duration, Instant, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::JoinMap};

use crate::{
    config::Settings,
    deliver::HttpDeliver,
    dispatch::dispatch,
    http::{self, Api, Token},
    listener::{self, Listen},
    metrics::Metrics,
    store::SharedStore,
};

/// How a service runs. What can change while it does is in
/// [`Settings`].
#[derive(Default)]
pub struct Options {
    /// The file with the settings. Without one, they are the defaults.
    pub config: Option<PathBuf>,
    /// Notified when the file should be read again, as on SIGHUP.
    pub reload: Arc<Notify>,
    /// What clients must send. Without one, only clients on this
    /// machine are served.
    pub token: Option<Token>,
    /// How long stopping may take.
    pub grace: Duration,
    /// How much of this new connections are accepted for, so that a
    /// load balancer can notice that courier isn't ready anymore.
    pub notice: Duration,
    /// Where `/live` and `/ready` are served, too, and nothing else: its
    /// connections have a limit of their own (but the same metrics).
    pub probes: Option<TcpListener>,
}

/// How often the configuration file is read.
const POLL: Duration = Duration::from_secs(1);

/// A probe is a small request, and its answer comes soon.
const PROBES: (usize, Duration) = (100, Duration::from_secs(1));

const LISTENER: &str = "the listener";
const PROBER: &str = "the listener for probes";
type Parts = JoinMap<&'static str, ()>;

/// Serves until `stop`, or until a part of the service ends by itself,
/// which is an error.
///
/// Then it stops in this order, within `grace`: it's not ready; after
/// `notice`, it accepts no connections, answers the requests that have
/// begun, and finishes the attempts that are running; it closes the
/// store. The probes are answered until then. What takes longer is cut
/// off shortly before the end of `grace`, or when `hurry` is canceled; what wasn't delivered then is
/// attempted again later. If this is dropped, everything is cut off.
///
/// # Errors
///
/// The configuration can't be read, or a part of the service ended,
/// panicked, or didn't stop in time.
pub async fn serve(
    listener: impl Listen,
    store: SharedStore,
    options: Options,
    stop: CancellationToken,
    hurry: CancellationToken,
) -> anyhow::Result<()> {
    let read = async {
        match &options.config {
            Some(path) => Settings::read(path).await,
            None => Ok(Settings::default()),
        }
    };
    let Some(settings) = stop.run_until_cancelled(read).await else {
        return Ok(());
    };
    let settings = settings?;
    let (current, settings) = watch::channel(Arc::new(settings));
    let metrics = Metrics::new();
    let (stopping, closing) =
        (stop.child_token(), CancellationToken::new());
    let hurried = hurry.child_token();
    let api = Arc::new(Api {
        store: store.clone(),
        settings: settings.clone(),
        metrics: metrics.clone(),
        token: options.token,
        stop: stopping.clone(),
        pinged: Default::default(),
        subscribing: Default::default(),
    });
    let deliver = Arc::new(HttpDeliver::new(settings.clone()));
    let mut parts = Parts::new();
    let reloading = reload(
        options.config,
        options.reload,
        current,
        closing.clone(),
    );
    parts.spawn("the reader of the configuration", reloading);
    if let Some(listener) = options.probes {
        let (most, timeout) = PROBES;
        let mut limits = Settings::default();
        limits.accept.connections = most;
        limits.accept.connections_per_address = most;
        limits.accept.head_timeout = timeout;
        limits.accept.request_timeout = timeout;
        let probing = listener::serve(
            listener,
            http::probes(api.clone()),
            watch::channel(Arc::new(limits)).1,
            metrics.clone(),
            CancellationToken::new(), // It's aborted at the very end.
        );
        parts.spawn(PROBER, probing);
    }
    let listening = listener::serve(
        listener,
        http::router(api),
        settings.clone(),
        metrics.clone(),
        closing.clone(),
    );
    parts.spawn(LISTENER, listening);
    let dispatching = dispatch(
        store.clone(),
        deliver,
        settings,
        metrics,
        closing.clone(),
        hurried.clone(),
    );
    parts.spawn("the dispatcher", dispatching);

    // ANCHOR: watch
    let mut failed = None;
    tokio::select! {
        biased;
        () = stop.cancelled() => tracing::info!("stopping"),
        Some((name, ended)) = parts.join_next() => {
            let why = match ended {
                Ok(()) => "ended by itself".to_owned(),
                Err(error) => text(error),
            };
            tracing::error!("{name} {why}: stopping");
            failed = Some(anyhow!("{name} {why}"));
        }
    }
    // ANCHOR_END: watch
    // ANCHOR: stop
    stopping.cancel();
    let start = Instant::now();
    let last = (options.grace / 4).min(Duration::from_secs(3));
    if failed.is_none() {
        let notice = options.notice.min(options.grace / 2);
        hurry.run_until_cancelled(sleep(notice)).await;
    }
    closing.cancel();
    tokio::select! {
        () = join(&mut parts, &mut failed) => {}
        () = hurry.cancelled() => {}
        () = sleep_until(start + (options.grace - 2 * last)) => {}
    }
    let late = left(&parts);
    if !late.is_empty() {
        tracing::warn!(?late, "not everything is finished: cut off");
        hurried.cancel();
        parts.abort(LISTENER);
        let _ = timeout(last, join(&mut parts, &mut failed)).await;
    }
    for name in left(&parts) {
        failed.get_or_insert(anyhow!("{name} didn't stop in time"));
        parts.abort(name);
    }
    if timeout(last, store.close()).await.is_err() {
        tracing::warn!("the store didn't close in time");
    }
    parts.abort_all(); // Probes are answered until here.
    // ANCHOR_END: stop
    failed.map_or(Ok(()), Err)
}

/// The parts that have something to finish, unlike the probes.
fn left(parts: &Parts) -> Vec<&'static str> {
    parts.keys().copied().filter(|it| *it != PROBER).collect()
}

/// Waits for these parts, and keeps the first error.
async fn join(parts: &mut Parts, failed: &mut Option<anyhow::Error>) {
    while !left(parts).is_empty()
        && let Some((name, ended)) = parts.join_next().await
    {
        if let Err(error) = ended
            && error.is_panic()
        {
            let why = text(error);
            tracing::error!("{name} {why}");
            failed.get_or_insert(anyhow!("{name} {why}"));
        }
    }
}

fn text(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("panicked: {}", panic_text(panic)),
        Err(error) => error.to_string(),
    }
}

/// The message of a panic.
pub fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| it.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Adopts the configuration when its file has changed and is the same
/// twice in a row (a file that's being written may be valid in the
/// middle), and immediately when `asked` is notified. A file with
/// errors changes nothing.
async fn reload(
    path: Option<PathBuf>,
    asked: Arc<Notify>,
    current: watch::Sender<Arc<Settings>>,
    stop: CancellationToken,
) {
    let Some(path) = path else {
        let ignore = async {
            loop {
                asked.notified().await;
                tracing::warn!("SIGHUP: there's no --config to read");
            }
        };
        stop.run_until_cancelled(ignore).await;
        return;
    };
    let read = async || {
        let text = Settings::text(&path).await;
        text.map_err(|error| error.to_string())
    };
    let mut adopted = Err("nothing".to_owned());
    let mut before = read().await;
    loop {
        // ANCHOR: reload
        let now = tokio::select! {
            () = stop.cancelled() => return,
            () = asked.notified() => true,
            () = sleep(POLL) => false,
        };
        let Some(text) = stop.run_until_cancelled(read()).await else {
            return;
        };
        let settled = text != adopted && text == before;
        before.clone_from(&text);
        if !now && !settled {
            continue;
        }
        adopted.clone_from(&text);
        let new = text.map_err(anyhow::Error::msg).and_then(|text| {
            Settings::parse(&text).map_err(anyhow::Error::from)
        });
        match new.with_context(|| path.display().to_string()) {
            Ok(new) => {
                let changed = current.send_if_modified(|old| {
                    let changed = **old != new;
                    *old = Arc::new(new);
                    changed
                });
                tracing::info!(changed, "the configuration was read");
            }
            Err(error) => {
                tracing::error!("the old settings stay: {error:#}");
            }
        }
        // ANCHOR_END: reload
    }
}
