//! Chromium, its driver and the runtime that talks to them.

use crate::check::check;
use crate::driver::Driver;
use crate::log;
use crate::look;
use crate::server::Server;
use crate::session::Session;
use crate::view::View;
use crate::visit::Visit;
use anyhow::{Context, Result};
use export::chromium;
use model::{Problem, Project};
use render::site::Page;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Chromium without a window. It exits when this is dropped.
pub struct Browser {
    session: Session,
    runtime: Runtime,
    /// Dropped last, because the session needs it.
    _driver: Driver,
}

impl Browser {
    /// Starts chromedriver and Chromium.
    ///
    /// Fails if one of them is missing (the error says how to install it), or doesn't start.
    pub fn start() -> Result<Self> {
        let chromium = chromium::find()?;
        let driver = Driver::start()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let session = runtime.block_on(Session::start(&driver.address(), &chromium))?;
        // From here on, an error closes Chromium as well.
        let browser = Self {
            session,
            runtime,
            _driver: driver,
        };
        browser
            .runtime
            .block_on(browser.session.add_script(look::AXE))?;
        Ok(browser)
    }

    /// Opens pages of a project, built into a folder, in these views, and returns their problems.
    ///
    /// Fails if the browser fails, or a page never finishes loading.
    pub fn check(
        &mut self,
        project: &Project,
        folder: &Path,
        pages: &[Page],
        views: &[View],
    ) -> Result<Vec<Problem>> {
        let checked = check(&self.session, project, folder, pages, views);
        self.runtime.block_on(checked)
    }

    /// Serves a built site, opens one of its pages, and calls `acts`. Nothing remains of earlier visits: each has a
    /// server of its own, and so its own storage and cache.
    ///
    /// Fails if the page does not load, or `acts` fails.
    pub fn visit<T>(
        &mut self,
        folder: &Path,
        page: &str,
        view: View,
        acts: impl AsyncFnOnce(&Visit<'_>) -> Result<T>,
    ) -> Result<T> {
        let session = &self.session;
        self.runtime.block_on(async {
            let server = Server::start(folder).await?;
            let visit = Visit::new(session);
            session.open("about:blank").await?;
            session.look_as(view).await?;
            visit.point(0.0, 0.0).await?;
            visit.run_scripts(true).await?;
            log::forget(session).await?;
            session.open(&format!("{}{page}", server.origin())).await?;
            visit.settle().await?;
            acts(&visit).await
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed =
            async { tokio::time::timeout(Duration::from_secs(10), self.session.close()).await };
        // If Chromium doesn't close, only killing chromedriver is left.
        let _ = self.runtime.block_on(closed);
    }
}
