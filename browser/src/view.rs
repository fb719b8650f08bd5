//! The screens and color schemes in which pages are checked.

use serde_json::{Value, json};
use std::fmt;

/// A screen and a color scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    screen: Screen,
    scheme: Scheme,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Screen {
    Desktop,
    Phone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    Light,
    Dark,
}

impl View {
    /// A wide screen in light.
    pub const DESKTOP: View = View::new(Screen::Desktop, Scheme::Light);

    /// A narrow screen in light.
    pub const PHONE: View = View::new(Screen::Phone, Scheme::Light);

    /// All of them, in light and in dark.
    pub const ALL: [View; 4] = [
        View::DESKTOP,
        View::new(Screen::Desktop, Scheme::Dark),
        View::PHONE,
        View::new(Screen::Phone, Scheme::Dark),
    ];

    const fn new(screen: Screen, scheme: Scheme) -> Self {
        Self { screen, scheme }
    }

    /// The parameters of `Emulation.setDeviceMetricsOverride`.
    pub(crate) fn device_metrics(self) -> Value {
        let (width, height, mobile) = match self.screen {
            Screen::Desktop => (1280, 900, false),
            Screen::Phone => (390, 844, true),
        };
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile })
    }

    /// The parameters of `Emulation.setEmulatedMedia`.
    pub(crate) fn media(self) -> Value {
        let scheme = match self.scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            // An animation would be measured halfway.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] })
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let screen = match self.screen {
            Screen::Desktop => "desktop",
            Screen::Phone => "phone",
        };
        let scheme = match self.scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        write!(f, "{screen} {scheme}")
    }
}
