//! `cargo book serve`: the book in the browser, rebuilt at every save.

use crate::build;
use crate::files::{Site, router};
use crate::watch::{Changes, Event, Watch};
use anyhow::{Context, Result, anyhow, bail};
use export::Book;
use model::{ProgramId, Project};
use runs::run::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_livereload::{LiveReloadLayer, Reloader};

/// After how much time without a save the EPUB and the Markdown are made: nobody who saves a page waits for
/// them.
const IDLE: Duration = Duration::from_secs(2);

/// Serves the book on 127.0.0.1 until the process is interrupted.
///
/// The site that was built last is served immediately, and rebuilt in the background if it is out of date.
///
/// # Errors
///
/// The port is taken, or files cannot be watched. A mistake in the book isn't an error: it is printed, and
/// the last good book stays up.
pub fn serve(project: &Project, port: u16, open: bool) -> Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the server's runtime")?;
    // Before the first build, so that a port in use is reported immediately.
    let listener = runtime.block_on(bind(port))?;
    let address = listener
        .local_addr()
        .context("cannot find out the server's address")?;

    let watch = Watch::start(project)?;
    let site = Site::new(build::site_folder(project));
    let live = LiveReloadLayer::new();
    let has_site = build::site_folder(project).join("index.html").is_file();
    let is_current = build::is_current(project, &watch.seen);
    let (working, stopped) = oneshot::channel::<Infallible>();
    let (built, first_build) = mpsc::channel();
    let mut rebuilder = Rebuilder {
        project: project.clone(),
        site: site.clone(),
        reloader: live.reloader(),
        outputs: BTreeMap::new(),
        due: BTreeSet::new(),
        unfinished: None,
    };
    thread::spawn(move || {
        // Dropped when the work stops, even in a panic.
        let _working = working;
        // Nobody waits for it if there is a site already.
        let _ = built.send(is_current || rebuilder.rebuild());
        warm_up(rebuilder.project.clone());
        rebuilder.work(watch);
    });
    if !has_site {
        println!("Building the book...");
    }
    let is_whole = has_site || first_build.recv().unwrap_or(false);
    println!(
        "\n  The book is at http://{address}/  (after {:.1} s; Ctrl-C stops it)\n",
        started.elapsed().as_secs_f32()
    );
    if !is_whole {
        println!("It has problems (above), so there is nothing to serve yet. Fix them and save.\n");
    } else if has_site && !is_current {
        println!("Files have changed since it was built; it is being rebuilt in the background.\n");
    }
    if open && let Err(error) = open::that(format!("http://{address}/")) {
        eprintln!("warning: cannot open a browser: {error}");
    }
    let app = router(site.clone()).layer(live);
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = axum::serve(listener, app) => ended.context("the server failed"),
            _ = stopped => Err(anyhow!("changes are no longer watched; restart the command")),
            // An open page keeps a connection for the reload; it must not keep the program running.
            () = interrupted() => Ok(()),
        }
    });
    // If a site is being put in place, wait until it is.
    site.replace(|| ());
    runtime.shutdown_background();
    ended
}

/// Compiles the listings' dependencies in the background, so that saving a listing shows its output soon.
/// One listing for each part is enough for that. (Cargo builds one thing at a time: a listing that is saved
/// meanwhile waits.)
fn warm_up(project: Project) {
    thread::spawn(move || {
        let mut listings = project.listings().unwrap_or_default();
        listings.dedup_by(|a, b| a.part == b.part);
        // If this fails, saving that listing reports it.
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
             stop that one, or use another port: cargo book serve --port {}",
            port.saturating_add(1)
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

/// Rebuilds what changed.
struct Rebuilder {
    project: Project,
    site: Site,
    reloader: Reloader,
    /// What the listings that were saved since the start printed.
    outputs: BTreeMap<ProgramId, String>,
    /// The listings that were saved and haven't run well since: no page shows one of them before it does.
    due: BTreeSet<ProgramId>,
    /// The book that is served, as long as the site lacks its EPUB and its Markdown.
    unfinished: Option<Book>,
}

impl Rebuilder {
    fn work(mut self, mut watch: Watch) {
        loop {
            match watch.next(self.unfinished.is_some().then_some(IDLE)) {
                Event::Changed(changes) => self.apply(changes),
                Event::Idle => self.finish(&watch),
                Event::Closed => return,
            }
        }
    }

    fn apply(&mut self, changes: Changes) {
        let started = Instant::now();
        println!("{}", summary(&changes));
        self.due.extend(changes.listings);
        self.due.retain(|name| self.project.has(&name.source()));
        if self.run_due() && self.rebuild() {
            println!("  shown after {:.1} s", started.elapsed().as_secs_f32());
        }
    }

    /// Builds the pages and puts them in place. If that fails, it says why and leaves the last good book.
    fn rebuild(&mut self) -> bool {
        let project = self
            .project
            .clone()
            .with_fresh_outputs(self.outputs.clone());
        report(self.build_pages(project))
    }

    fn build_pages(&mut self, project: Project) -> Result<()> {
        let next = build::next_folder(&project)?;
        let mut book = Book::build(&project, &next)?;
        self.site.replace(|| build::publish(&project, &next))?;
        self.reloader.reload();
        book.site = build::site_folder(&project);
        self.unfinished = Some(book);
        Ok(())
    }

    /// Adds the EPUB and the Markdown to the site that is served.
    fn finish(&mut self, watch: &Watch) {
        let finished = self
            .unfinished
            .take()
            .map_or(Ok(()), |book| export::site::export(&self.project, &book));
        // With outputs that nobody has accepted, the site isn't what the files say.
        if report(finished) && self.outputs.is_empty() {
            report(build::mark_current(&self.project, &watch.seen));
        }
    }

    /// Runs the listings that are due; false if one of them is broken.
    fn run_due(&mut self) -> bool {
        let names: Vec<_> = self.due.iter().cloned().collect();
        let ran = report(self.run(&names));
        if ran {
            self.due.clear();
        }
        ran
    }

    fn run(&mut self, names: &[ProgramId]) -> Result<()> {
        let built = runs::build::build(&self.project, names)?;
        if !built.errors.is_empty() {
            bail!("a listing does not compile:\n{}", built.errors.trim_end());
        }
        for (name, program) in &built.programs {
            match runs::run::run(program, self.project.root(), Limits::default())? {
                Ok(ran) => self.outputs.insert(name.clone(), ran.transcript),
                Err(misbehaved) => bail!("{}: the listing {misbehaved}", name.source()),
            };
        }
        Ok(())
    }
}

/// Prints an error, if it is one; whether it is none.
fn report(result: Result<()>) -> bool {
    if let Err(error) = &result {
        eprintln!(
            "error: {}\n  the last good book stays up",
            crate::format_error(error)
        );
    }
    result.is_ok()
}

fn summary(changes: &Changes) -> String {
    let mut names = changes.files.iter().map(|file| file.display());
    match (names.next(), names.count()) {
        (Some(one), 0) => format!("{one} changed"),
        (Some(one), more) => format!("{one} and {more} more changed"),
        (None, _) => String::new(),
    }
}
