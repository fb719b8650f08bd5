//! `cargo book serve`: the book in the browser, new at every save.

use crate::build;
use crate::files::{Site, router};
use crate::watch::{Changes, Watch};
use anyhow::{Context, Result, bail};
use pages::{ListingName, Project};
use runs::run::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;
use tokio::net::TcpListener;
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
    };
    println!("Building the book...");
    let is_whole = workshop.rebuild();
    let app = router(site).layer(live);
    println!("\n  The book is at http://{address}/  (Ctrl-C ends)\n");
    if !is_whole {
        println!(
            "It has problems (above); what was last built without any is served. Mend them and save.\n"
        );
    }
    if open && let Err(error) = open::that(format!("http://{address}/")) {
        eprintln!("warning: cannot open a browser: {error}");
    }
    std::thread::spawn(move || workshop.work(watch));
    runtime.block_on(async {
        let server = axum::serve(listener, app).with_graceful_shutdown(interrupted());
        tokio::select! {
            ended = server => ended.context("the server failed"),
            // An open page keeps a connection for the reload; it must not keep the program.
            () = interrupted() => Ok(()),
        }
    })?;
    runtime.shutdown_background();
    Ok(())
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
}

impl Workshop {
    fn work(mut self, mut watch: Watch) {
        self.warm_up();
        while let Some(changes) = watch.next() {
            let started = Instant::now();
            println!("{}", told(&changes));
            if self.run_again(&changes.listings) && self.rebuild() {
                println!("  shown after {:.1} s", started.elapsed().as_secs_f32());
            }
        }
    }

    /// Compiles what the listings stand on, so that saving one shows its output at once.
    fn warm_up(&self) {
        let listings = self.project.listings().unwrap_or_default();
        // What goes wrong here is told when that listing is saved.
        let _ = runs::build::build(&self.project, &listings);
    }

    /// Builds the site and puts it in place; where that fails, says why and leaves the last good one.
    fn rebuild(&mut self) -> bool {
        let project = self.project.clone().with_fresh_outputs(self.fresh.clone());
        let built = build::render(&project)
            .and_then(|next| self.site.replace(|| build::publish(&self.project, &next)));
        match built {
            Ok(()) => {
                self.reloader.reload();
                true
            }
            Err(error) => {
                eprintln!(
                    "error: {}\n  the last good book stays up",
                    crate::told(&error)
                );
                false
            }
        }
    }

    /// Runs the listings that were saved; false where one is broken.
    fn run_again(&mut self, listings: &BTreeSet<ListingName>) -> bool {
        if listings.is_empty() {
            return true;
        }
        let names: Vec<_> = listings.iter().cloned().collect();
        let built = match runs::build::build(&self.project, &names) {
            Ok(built) => built,
            Err(error) => {
                eprintln!("error: {error:#}");
                return false;
            }
        };
        if !built.errors.is_empty() {
            eprintln!("{}\n  the last good book stays up", built.errors.trim_end());
            return false;
        }
        for (name, executable) in &built.executables {
            match runs::run::run(executable, self.project.root(), Limits::default()) {
                Ok(Ok(ran)) => {
                    self.fresh.insert(name.clone(), ran.transcript);
                }
                Ok(Err(misbehaved)) => {
                    eprintln!(
                        "error: {}: the listing {misbehaved}\n  the last good book stays up",
                        name.source()
                    );
                    return false;
                }
                Err(error) => {
                    eprintln!("error: {error:#}");
                    return false;
                }
            }
        }
        true
    }
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
