//! Opens every page of the built site in Chromium, as readers do, and reports what doesn't work.
//!
//! A [`Browser`] is Chromium without a window, driven through chromedriver. [`Browser::check`] serves a site on
//! 127.0.0.1, opens its pages on a wide and a narrow screen, in light and in dark, and finds console errors, failed and
//! external requests, pages that scroll sideways, and accessibility violations (by axe-core, in `vendor/`). Each
//! [`Problem`](model::Problem) names the source of the page, or the file that causes it.

mod browser;
mod check;
mod driver;
mod log;
mod look;
mod server;
mod session;
mod sources;
mod view;
mod visit;
mod weight;

pub use browser::Browser;
pub use view::View;
pub use visit::Visit;
