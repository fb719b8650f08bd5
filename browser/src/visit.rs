//! A page that is used like a reader does, by mouse and keyboard.

use crate::log;
use crate::look::{self, Violation};
use crate::session::Session;
use anyhow::{Context, Result};
use fantoccini::Locator;
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::elements::Element;
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

    /// Waits for the scripts of a page of the book, which run after the first paint.
    pub(crate) async fn settle(&self) -> Result<()> {
        let settled = "new Promise((done) => { const look = () => {
            const isOfTheBook = document.getElementById('colors');
            if (!isOfTheBook || 'ready' in document.documentElement.dataset) done(true);
            else setTimeout(look, 10); }; look(); })";
        self.ask::<bool>(settled).await.map(drop)
    }

    /// The value of a JavaScript expression in the page, or of its promise.
    ///
    /// Fails if it throws, or its value is of another type.
    pub async fn ask<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        let script = format!(
            "const done = arguments[arguments.length - 1];\
             Promise.resolve({expression}).then(done, (error) => done(`it throws ${{error}}`))"
        );
        let answer: Value = self.session.ask(&script, Vec::new()).await?;
        serde_json::from_value(answer.clone())
            .with_context(|| format!("the page answers {answer} to {expression}"))
    }

    /// Allows pages to read and write the clipboard.
    ///
    /// Fails if Chromium refuses.
    pub async fn grant_clipboard(&self) -> Result<()> {
        let permissions =
            json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        self.session
            .devtools("Browser.grantPermissions", permissions)
            .await
    }

    /// Disables or enables the scripts of the pages that are opened from now on.
    ///
    /// Fails if Chromium refuses.
    pub async fn run_scripts(&self, run: bool) -> Result<()> {
        let parameters = json!({ "value": !run });
        self.session
            .devtools("Emulation.setScriptExecutionDisabled", parameters)
            .await
    }

    /// Opens another address.
    ///
    /// Fails if it does not load.
    pub async fn open(&self, address: &str) -> Result<()> {
        self.session.open(address).await
    }

    /// The errors in the console since the last call, or since the visit started.
    ///
    /// Fails if Chromium's log cannot be read.
    pub async fn console_errors(&self) -> Result<Vec<String>> {
        let errors = log::errors(self.session).await?;
        Ok(errors.into_iter().map(|error| error.message).collect())
    }

    /// The accessibility violations that axe-core finds in the page as it is now.
    ///
    /// Fails if axe-core fails on this page.
    pub async fn violations(&self) -> Result<Vec<String>> {
        let seen = look::look(self.session).await?;
        let violations = seen.violations.iter().map(|violation| {
            let Violation { rule, detail, .. } = violation;
            format!("{}: {rule}: {detail}", violation.element.tag())
        });
        Ok(violations.collect())
    }

    /// Presses keys while an element has the focus. Keys without a letter are those of WebDriver
    /// (`fantoccini::key::Key`).
    ///
    /// Fails if there is no such element, or it cannot receive keys.
    pub async fn press(&self, css: &str, keys: &str) -> Result<()> {
        let element = self.find(css).await?;
        element
            .send_keys(keys)
            .await
            .with_context(|| format!("`{css}` cannot receive keys"))
    }

    /// Clicks an element.
    ///
    /// Fails if there is no such element, or another one covers it.
    pub async fn click(&self, css: &str) -> Result<()> {
        let element = self.find(css).await?;
        element
            .click()
            .await
            .with_context(|| format!("`{css}` cannot be clicked"))
    }

    async fn find(&self, css: &str) -> Result<Element> {
        let element = self.session.client().find(Locator::Css(css)).await;
        element.with_context(|| format!("the page has no `{css}`"))
    }

    /// Moves the mouse to a point of the window, in pixels from its top left corner.
    ///
    /// Fails if the point is outside the window.
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
            .with_context(|| format!("the mouse cannot move to {x}, {y}"))
    }
}
