//! One tab of Chromium, through WebDriver.

use crate::view::View;
use anyhow::{Context, Result, bail};
use fantoccini::wd::{Capabilities, TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use url::{ParseError, Url};

/// The timeout for a page to load, and for a script in it. A sound page takes a second.
const TIMEOUT: Duration = Duration::from_secs(60);

/// No request leaves this machine, whatever its network and proxy.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

pub(crate) struct Session {
    client: Client,
}

impl Session {
    /// Starts Chromium. The address is chromedriver's.
    pub(crate) async fn start(driver: &str, chromium: &Path) -> Result<Self> {
        let capabilities: Capabilities = serde_json::from_value(json!({
            "goog:chromeOptions": {
                "binary": chromium,
                "args": FLAGS,
                "perfLoggingPrefs": { "enableNetwork": true, "enablePage": false },
            },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }))
        .context("the capabilities are not a JSON object")?;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(driver)
            .await
            .with_context(|| {
                format!(
                    "cannot start {} through chromedriver; are they of the same version?",
                    chromium.display()
                )
            })?;
        let timeouts = TimeoutConfiguration::new(Some(TIMEOUT), Some(TIMEOUT), None);
        client.update_timeouts(timeouts).await?;
        Ok(Self { client })
    }

    /// Adds a script to every page that is opened from now on. It runs before those of the page.
    pub(crate) async fn add_script(&self, script: &str) -> Result<()> {
        let parameters = json!({ "source": script });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", parameters)
            .await
    }

    /// Sets the screen and the color scheme.
    pub(crate) async fn look_as(&self, view: View) -> Result<()> {
        self.devtools("Emulation.setDeviceMetricsOverride", view.device_metrics())
            .await?;
        self.devtools("Emulation.setEmulatedMedia", view.media())
            .await
    }

    /// Opens a page, and waits for its load event.
    pub(crate) async fn open(&self, address: &str) -> Result<()> {
        self.client.goto(address).await?;
        let state = self
            .client
            .execute("return document.readyState", Vec::new())
            .await?;
        if state != "complete" {
            bail!("{address} does not finish loading: its state is {state}");
        }
        Ok(())
    }

    /// Runs a script in the page, which calls its last argument with the result.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        script: &str,
        arguments: Vec<Value>,
    ) -> Result<T> {
        let answer = self.client.execute_async(script, arguments).await?;
        serde_json::from_value(answer).context("the script's result has another type than expected")
    }

    /// The entries of a log (`browser` or `performance`) since it was read last.
    pub(crate) async fn log<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let entries = self.vendor("se/log", json!({ "type": kind })).await?;
        serde_json::from_value(entries)
            .with_context(|| format!("the {kind} log has another format than expected"))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Closes Chromium.
    pub(crate) async fn close(&self) -> Result<()> {
        self.client.clone().close().await?;
        Ok(())
    }

    pub(crate) async fn devtools(&self, command: &'static str, parameters: Value) -> Result<()> {
        let body = json!({ "cmd": command, "params": parameters });
        self.vendor("goog/cdp/execute", body)
            .await
            .with_context(|| format!("{command} failed"))?;
        Ok(())
    }

    async fn vendor(&self, path: &'static str, body: Value) -> Result<Value> {
        Ok(self.client.issue_cmd(Vendor { path, body }).await?)
    }
}

/// A command of chromedriver that isn't part of WebDriver.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
