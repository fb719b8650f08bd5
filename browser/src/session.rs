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

/// How long a page may take to load, or a script in it to answer. A sound one takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing that a page does leaves this machine, whatever network and proxy there is.
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
    pub(crate) async fn start(driver: &str, chrome: &Path) -> Result<Self> {
        let capabilities: Capabilities = serde_json::from_value(json!({
            "goog:chromeOptions": {
                "binary": chrome,
                "args": FLAGS,
                "perfLoggingPrefs": { "enableNetwork": true, "enablePage": false },
            },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }))
        .context("the capabilities are no JSON object")?;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(driver)
            .await
            .with_context(|| {
                format!(
                    "cannot start {} through chromedriver; are they of the same version?",
                    chrome.display()
                )
            })?;
        let timeouts = TimeoutConfiguration::new(Some(PATIENCE), Some(PATIENCE), None);
        client.update_timeouts(timeouts).await?;
        Ok(Self { client })
    }

    /// From now on, this script is in every page that is opened, before those of the page.
    pub(crate) async fn equip(&self, script: &str) -> Result<()> {
        let parameters = json!({ "source": script });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", parameters)
            .await
    }

    /// From now on, pages are shown on this screen and in this color scheme.
    pub(crate) async fn look_as(&self, view: View) -> Result<()> {
        self.devtools("Emulation.setDeviceMetricsOverride", view.device_metrics())
            .await?;
        self.devtools("Emulation.setEmulatedMedia", view.media())
            .await
    }

    /// Opens a page, and returns when it is loaded: its scripts have run, its images are there.
    pub(crate) async fn open(&self, address: &str) -> Result<()> {
        // WebDriver waits for the load event.
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

    /// Runs a script in the page that calls its last argument with the result.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        script: &str,
        arguments: Vec<Value>,
    ) -> Result<T> {
        let answer = self.client.execute_async(script, arguments).await?;
        serde_json::from_value(answer).context("the script's answer is not what was expected")
    }

    /// What a log (`browser` or `performance`) got since it was read last.
    pub(crate) async fn log<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let entries = self.vendor("se/log", json!({ "type": kind })).await?;
        serde_json::from_value(entries)
            .with_context(|| format!("the {kind} log is not what was expected"))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends Chromium.
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

/// A command that WebDriver does not know and chromedriver does.
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
