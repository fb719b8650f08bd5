//! The screens and color schemes in which pages are checked.

use serde_json::{Value, json};
use std::fmt;

/// A screen and a color scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    is_phone: bool,
    is_dark: bool,
}

impl View {
    /// A wide screen in light.
    pub const DESKTOP: View = View::new(false, false);

    /// A narrow screen in light.
    pub const PHONE: View = View::new(true, false);

    /// All of them, in light and in dark.
    pub const ALL: [View; 4] = [
        View::DESKTOP,
        View::new(false, true),
        View::PHONE,
        View::new(true, true),
    ];

    const fn new(is_phone: bool, is_dark: bool) -> Self {
        Self { is_phone, is_dark }
    }

    fn screen(self) -> &'static str {
        if self.is_phone { "phone" } else { "desktop" }
    }

    fn scheme(self) -> &'static str {
        if self.is_dark { "dark" } else { "light" }
    }

    /// The parameters of `Emulation.setDeviceMetricsOverride`.
    pub(crate) fn device_metrics(self) -> Value {
        let (width, height) = if self.is_phone {
            (390, 844)
        } else {
            (1280, 900)
        };
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": self.is_phone })
    }

    /// The parameters of `Emulation.setEmulatedMedia`.
    pub(crate) fn media(self) -> Value {
        json!({ "features": [
            { "name": "prefers-color-scheme", "value": self.scheme() },
            // An animation would be measured halfway.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] })
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.screen(), self.scheme())
    }
}
