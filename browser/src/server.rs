//! Serves a built site to the browser.

use anyhow::{Context, Result};
use axum::Router;
use std::net::Ipv4Addr;
use std::path::Path;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::services::ServeDir;

/// Serves a folder on a free port of 127.0.0.1 until it is dropped.
pub(crate) struct Server {
    origin: String,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen on 127.0.0.1")?;
        let address = listener
            .local_addr()
            .context("cannot find out the server's address")?;
        let app = Router::new().fallback_service(ServeDir::new(folder));
        Ok(Self {
            origin: format!("http://{address}/"),
            serving: tokio::spawn(async { axum::serve(listener, app).await }),
        })
    }

    /// The address of the site, with a slash at its end.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
