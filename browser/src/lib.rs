//! Opens every page of the built site in Chromium, as readers do, and tells what they would stumble over.
//!
//! A [`Browser`] is Chromium without a window, driven through chromedriver. [`Browser::check`] serves a
//! site on 127.0.0.1, opens each of its pages on a wide and a narrow screen, in light and in dark, and
//! finds script errors, requests that leave the site or fail, pages that scroll sideways, and elements
//! that not everyone can use (by axe-core, in `vendor/`). Each [`Problem`](model::Problem) names the
//! source of the page, or the file that the page got it from.

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
