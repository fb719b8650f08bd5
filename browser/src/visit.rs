//! One page in the hands of a reader: what the mouse and the keyboard do there.

use crate::log;
use crate::look::{self, Violation};
use crate::session::Session;
use anyhow::{Context, Result};
use fantoccini::Locator;
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// A page that is open.
pub struct Visit<'a> {
    session: &'a Session,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// Waits until a page of the book is as it stays: its scripts run after the first paint.
    pub(crate) async fn settle(&self) -> Result<()> {
        let settled = "new Promise((done) => { const look = () => {
            const isOfTheBook = document.getElementById('colors');
            if (!isOfTheBook || 'ready' in document.documentElement.dataset) done(true);
            else setTimeout(look, 10); }; look(); })";
        self.ask::<bool>(settled).await.map(drop)
    }

    /// The value of a JavaScript expression in the page, or what its promise becomes.
    ///
    /// # Errors
    ///
    /// It throws, or its value is another one.
    pub async fn ask<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        let script = format!(
            "const done = arguments[arguments.length - 1];\
             Promise.resolve({expression}).then(done, (error) => done(`it throws ${{error}}`))"
        );
        let answer: Value = self.session.ask(&script, Vec::new()).await?;
        serde_json::from_value(answer.clone())
            .with_context(|| format!("the page answers {answer} to {expression}"))
    }

    /// Lets the pages of this site read and write the clipboard, as a reader does by pressing a key.
    ///
    /// # Errors
    ///
    /// Chromium refuses.
    pub async fn grant_clipboard(&self) -> Result<()> {
        let permissions =
            json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        self.session
            .devtools("Browser.grantPermissions", permissions)
            .await
    }

    /// From the next page on, no page runs a script of its own, or all do again.
    ///
    /// # Errors
    ///
    /// Chromium refuses.
    pub async fn run_scripts(&self, run: bool) -> Result<()> {
        let parameters = json!({ "value": !run });
        self.session
            .devtools("Emulation.setScriptExecutionDisabled", parameters)
            .await
    }

    /// Opens another address.
    ///
    /// # Errors
    ///
    /// It does not load.
    pub async fn open(&self, address: &str) -> Result<()> {
        self.session.open(address).await
    }

    /// What the pages' scripts complained of since this was asked last.
    ///
    /// # Errors
    ///
    /// Chromium's log cannot be read.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let errors = log::errors(self.session).await?;
        Ok(errors.into_iter().map(|error| error.message).collect())
    }

    /// What axe-core holds against the page as it is now: each element with the rule that it breaks.
    ///
    /// # Errors
    ///
    /// axe-core fails on this page.
    pub async fn violations(&self) -> Result<Vec<String>> {
        let seen = look::look(self.session).await?;
        let told = seen.violations.iter().map(|violation| {
            let Violation { rule, detail, .. } = violation;
            format!("{}: {rule}: {detail}", violation.element.shown())
        });
        Ok(told.collect())
    }

    /// Presses keys while an element has the focus. Keys without a letter are those of WebDriver
    /// (`fantoccini::key::Key`).
    ///
    /// # Errors
    ///
    /// There is no such element, or it takes no keys.
    pub async fn press(&self, css: &str, keys: &str) -> Result<()> {
        let element = self.session.client().find(Locator::Css(css)).await;
        let element = element.with_context(|| format!("the page has no `{css}`"))?;
        element
            .send_keys(keys)
            .await
            .with_context(|| format!("`{css}` takes no keys"))
    }

    /// Clicks an element.
    ///
    /// # Errors
    ///
    /// There is no such element, or something lies over it.
    pub async fn click(&self, css: &str) -> Result<()> {
        let element = self.session.client().find(Locator::Css(css)).await;
        let element = element.with_context(|| format!("the page has no `{css}`"))?;
        element
            .click()
            .await
            .with_context(|| format!("`{css}` cannot be clicked"))
    }

    /// Moves the mouse to a point of the window, in pixels from its top left corner.
    ///
    /// # Errors
    ///
    /// The point lies outside of the window.
    pub async fn point(&self, x: f64, y: f64) -> Result<()> {
        let actions = MouseActions::new("mouse".to_owned()).then(PointerAction::MoveTo {
            duration: Some(Duration::ZERO),
            x,
            y,
        });
        self.session
            .client()
            .perform_actions(actions)
            .await
            .with_context(|| format!("the mouse cannot go to {x}, {y}"))
    }
}
