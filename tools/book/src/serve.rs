//! `cargo book serve`: the book in the browser, new at every save.

use crate::build;
use crate::files::{Site, router};
use crate::watch::{Changes, Watch};
use anyhow::{Context, Result, anyhow, bail};
use model::{ListingName, Project};
use runs::run::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_livereload::{LiveReloadLayer, Reloader};

/// Serves the book on 127.0.0.1 until the process is interrupted.
///
/// # Errors
///
/// The port is taken, or files cannot be watched. A mistake in the book is no error: it is printed,
/// and the last good book stays up.
pub fn serve(project: &Project, port: u16, open: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the server's runtime")?;
    // First of all, so that a taken port is told at once and not after the first build.
    let listener = runtime.block_on(bind(port))?;
    let address = listener
        .local_addr()
        .context("cannot tell the server's address")?;

    let watch = Watch::start(project)?;
    let site = Site::new(build::site_folder(project));
    let live = LiveReloadLayer::new();
    let mut workshop = Workshop {
        project: project.clone(),
        site: site.clone(),
        reloader: live.reloader(),
        fresh: BTreeMap::new(),
        due: BTreeSet::new(),
    };
    println!("Building the book...");
    let is_whole = workshop.rebuild();
    let app = router(site.clone()).layer(live);
    println!("\n  The book is at http://{address}/  (Ctrl-C ends)\n");
    if !is_whole {
        println!(
            "It has problems (above); what was last built without any is served. Mend them and save.\n"
        );
    }
    if open && let Err(error) = open::that(format!("http://{address}/")) {
        eprintln!("warning: cannot open a browser: {error}");
    }
    warm_up(project.clone());
    let (working, stopped) = oneshot::channel::<Infallible>();
    std::thread::spawn(move || {
        // Dropped when the work ends, be it in a panic.
        let _working = working;
        workshop.work(watch);
    });
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = axum::serve(listener, app) => ended.context("the server failed"),
            _ = stopped => Err(anyhow!("nothing watches for changes any more; start again")),
            // An open page keeps a connection for the reload; it must not keep the program.
            () = interrupted() => Ok(()),
        }
    });
    // A site that is being put in place gets there.
    site.replace(|| ());
    runtime.shutdown_background();
    ended
}

/// Compiles, beside everything else, what the listings stand on, so that saving one shows its output
/// soon. (Cargo builds one after the other: a listing that is saved meanwhile waits.)
fn warm_up(project: Project) {
    std::thread::spawn(move || {
        let listings = project.listings().unwrap_or_default();
        // What goes wrong here is told when that listing is saved.
        let _ = runs::build::build(&project, &listings);
    });
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a signal handler Ctrl-C ends the process by itself.
        std::future::pending::<()>().await;
    }
}

async fn bind(port: u16) -> Result<TcpListener> {
    // Loopback only: the book is for the reader at this machine.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "port {port} is in use, perhaps by another `cargo book serve`; \
             end that one, or take another port: cargo book serve --port {}",
            port.saturating_add(1)
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

/// Rebuilds what changed.
struct Workshop {
    project: Project,
    site: Site,
    reloader: Reloader,
    /// What the listings that were saved since the start printed.
    fresh: BTreeMap<ListingName, String>,
    /// The listings that were saved and did not run well since: no page shows one before it does.
    due: BTreeSet<ListingName>,
}

impl Workshop {
    fn work(mut self, mut watch: Watch) {
        while let Some(changes) = watch.next() {
            let started = Instant::now();
            println!("{}", told(&changes));
            self.due.extend(changes.listings);
            self.due.retain(|name| self.project.has(&name.source()));
            if self.run_due() && self.rebuild() {
                println!("  shown after {:.1} s", started.elapsed().as_secs_f32());
            }
        }
    }

    /// Builds the site and puts it in place; where that fails, says why and leaves the last good one.
    fn rebuild(&mut self) -> bool {
        let project = self.project.clone().with_fresh_outputs(self.fresh.clone());
        let built = build::render(&project).and_then(|book| {
            self.site
                .replace(|| build::publish(&self.project, &book.site))
        });
        match built {
            Ok(()) => {
                self.reloader.reload();
                true
            }
            Err(error) => {
                complain(&error);
                false
            }
        }
    }

    /// Runs the listings that are due; false where one is broken.
    fn run_due(&mut self) -> bool {
        let names: Vec<_> = self.due.iter().cloned().collect();
        match self.run(&names) {
            Ok(()) => {
                self.due.clear();
                true
            }
            Err(error) => {
                complain(&error);
                false
            }
        }
    }

    fn run(&mut self, names: &[ListingName]) -> Result<()> {
        let built = runs::build::build(&self.project, names)?;
        if !built.errors.is_empty() {
            bail!("a listing does not compile:\n{}", built.errors.trim_end());
        }
        for (name, executable) in &built.executables {
            match runs::run::run(executable, self.project.root(), Limits::default())? {
                Ok(ran) => self.fresh.insert(name.clone(), ran.transcript),
                Err(misbehaved) => bail!("{}: the listing {misbehaved}", name.source()),
            };
        }
        Ok(())
    }
}

fn complain(error: &anyhow::Error) {
    eprintln!(
        "error: {}\n  the last good book stays up",
        crate::told(error)
    );
}

fn told(changes: &Changes) -> String {
    let names: Vec<_> = changes
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    match names.as_slice() {
        [one] => format!("{one} changed"),
        [one, rest @ ..] => format!("{one} and {} more changed", rest.len()),
        [] => String::new(),
    }
}
