//! Chromium, its driver and the runtime that talks to them.

use crate::check::check;
use crate::driver::{Driver, chrome};
use crate::look;
use crate::server::Server;
use crate::session::Session;
use crate::view::View;
use crate::visit::Visit;
use anyhow::{Context, Result};
use render::site::Page;
use model::{Problem, Project};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Chromium without a window. It ends when this is dropped.
pub struct Browser {
    session: Session,
    runtime: Runtime,
    /// Ends after the session, which it carries.
    _driver: Driver,
}

impl Browser {
    /// Starts chromedriver and Chromium.
    ///
    /// # Errors
    ///
    /// One of them is missing (the error says what to install), or they do not start.
    pub fn start() -> Result<Self> {
        let chrome = chrome()?;
        let driver = Driver::start()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let session = runtime.block_on(Session::start(&driver.address(), &chrome))?;
        // Whole from here on: what fails now ends Chromium, too.
        let browser = Self {
            session,
            runtime,
            _driver: driver,
        };
        browser
            .runtime
            .block_on(browser.session.equip(look::EQUIPMENT))?;
        Ok(browser)
    }

    /// Opens these pages of a project, built into a folder, in these views, and tells what is wrong with
    /// them.
    ///
    /// # Errors
    ///
    /// The browser fails, or a page never finishes loading.
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
}

impl Browser {
    /// Serves a built site, opens one of its pages, and does there what `acts` says.
    ///
    /// # Errors
    ///
    /// The page does not load, or what `acts` returns.
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
            session.open("about:blank").await?;
            session.look_as(view).await?;
            session.open(&format!("{}{page}", server.origin())).await?;
            let visit = Visit::new(session);
            visit.settle().await?;
            acts(&visit).await
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed =
            async { tokio::time::timeout(Duration::from_secs(10), self.session.close()).await };
        // Where Chromium does not end when asked, chromedriver's end is all that is left to try.
        let _ = self.runtime.block_on(closed);
    }
}
