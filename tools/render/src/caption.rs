//! The captions of figures.

use model::html::{escape, inline_code};
use model::source::WRONG;

/// The place where theme/site.js puts its buttons.
pub const TOOLS: &str = "<span class=\"tools\"></span>";

/// A program's caption as HTML.
pub fn caption(caption: &str) -> String {
    let caption = inline_code(caption);
    match caption.strip_prefix(WRONG) {
        Some(rest) => format!("<strong class=\"verdict\">{WRONG}</strong>{rest}"),
        None => caption,
    }
}

/// The caption (HTML) of a figure, as a link to the figure itself, with the file that it shows (a link if the address
/// of the repository is known), what follows the file, and the place for buttons.
pub fn figcaption(
    id: &str,
    caption: &str,
    (file, repository): (&str, Option<&str>),
    last: &str,
    tools: &str,
) -> String {
    let path = match repository {
        // Several files have no address.
        Some(url) if !file.contains('*') => format!(
            "<a href=\"{}/blob/HEAD/{file}\"><code>{file}</code></a>",
            escape(url)
        ),
        _ => format!("<code>{file}</code>"),
    };
    format!(
        "<figcaption><a class=\"caption\" href=\"#{id}\">{caption}</a> \
         <span class=\"where\">{path} {last}</span>{tools}</figcaption>"
    )
}
