//! One page in the hands of a reader: what the mouse and the keyboard do there.

use crate::session::Session;
use anyhow::{Context, Result};
use fantoccini::Locator;
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// A page that is open.
pub struct Visit<'a> {
    session: &'a Session,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        Self { session }
    }

    /// The value of a JavaScript expression in the page.
    ///
    /// # Errors
    ///
    /// It throws, or its value is another one.
    pub async fn ask<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        let script = format!("arguments[arguments.length - 1]({expression})");
        let answer: Value = self.session.ask(&script, Vec::new()).await?;
        serde_json::from_value(answer.clone())
            .with_context(|| format!("the page answers {answer} to {expression}"))
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
