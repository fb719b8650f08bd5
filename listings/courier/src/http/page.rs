//! The status page: it has no script, and fits a phone.

use std::fmt::{self, Display, Write};

use crate::{
    event::Subscription,
    store::{Backlog, DeadLetter},
};

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>courier</title><style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 60rem; padding: 1rem }
.table { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
caption { text-align: left }
th, td { border-bottom: 1px solid GrayText; padding: .25rem .5rem;
  text-align: left; vertical-align: top; overflow-wrap: anywhere }
.number { text-align: right; font-variant-numeric: tabular-nums }
</style></head><body><main><h1>courier</h1>
"#;

// ANCHOR: escaped
/// Displays text with its HTML special characters escaped.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                it => f.write_char(it)?,
            }
        }
        Ok(())
    }
}
// ANCHOR_END: escaped

/// The whole page.
pub fn page(
    ready: bool,
    backlog: &[Backlog],
    subscriptions: &[Subscription],
    dead: &[DeadLetter],
) -> String {
    let mut html = HEAD.to_owned();
    // Writing to a string doesn't fail.
    let _ = write_page(&mut html, ready, backlog, subscriptions, dead);
    html
}

fn write_page(
    html: &mut String,
    ready: bool,
    backlog: &[Backlog],
    subscriptions: &[Subscription],
    dead: &[DeadLetter],
) -> fmt::Result {
    let state = if ready { "Ready." } else { "Not ready." };
    writeln!(html, "<p>{state}</p>")?;
    let columns = ["Name", "Open", "Leased", "Dead", "Oldest"];
    table(html, "Queue", &columns, backlog, |html, of| {
        let oldest = of.oldest_seconds.map(|it| format!("{it} s"));
        cell(html, "", &of.subscription)?;
        cell(html, "number", of.open)?;
        cell(html, "number", of.leased)?;
        cell(html, "number", of.dead)?;
        cell(html, "number", oldest.unwrap_or_default())
    })?;
    let columns = ["Name", "URL", "Topics"];
    table(
        html,
        "Subscriptions",
        &columns,
        subscriptions,
        |html, it| {
            let topics: Vec<_> =
                it.topics.iter().map(|it| it.as_str()).collect();
            cell(html, "", &it.name)?;
            cell(html, "", &it.url)?;
            cell(
                html,
                "",
                if topics.is_empty() {
                    "all".to_owned()
                } else {
                    topics.join(", ")
                },
            )
        },
    )?;
    let columns = [
        "Number",
        "Subscription",
        "Event",
        "Topic",
        "Attempts",
        "Error",
    ];
    table(html, "Dead deliveries", &columns, dead, |html, it| {
        cell(html, "number", it.delivery)?;
        cell(html, "", &it.subscription)?;
        cell(html, "", &it.event)?;
        cell(html, "", &it.topic)?;
        cell(html, "number", it.attempts)?;
        cell(html, "", &it.error)
    })?;
    html.write_str(
        "<p>Deliver a dead one again: <code>courier ctl redeliver \
        NUMBER</code></p></main></body></html>\n",
    )
}

fn table<T>(
    html: &mut String,
    title: &str,
    columns: &[&str],
    rows: &[T],
    write: impl Fn(&mut String, &T) -> fmt::Result,
) -> fmt::Result {
    writeln!(html, "<h2>{title}</h2>")?;
    if rows.is_empty() {
        return writeln!(html, "<p>None.</p>");
    }
    write!(
        html,
        "<div class=\"table\" role=\"region\" tabindex=\"0\" \
        aria-label=\"{title}\"><table><thead><tr>"
    )?;
    for column in columns {
        write!(html, "<th scope=\"col\">{column}</th>")?;
    }
    writeln!(html, "</tr></thead><tbody>")?;
    for row in rows {
        html.write_str("<tr>")?;
        write(html, row)?;
        writeln!(html, "</tr>")?;
    }
    writeln!(html, "</tbody></table></div>")
}

fn cell(
    html: &mut String,
    class: &str,
    text: impl Display,
) -> fmt::Result {
    write!(html, "<td class=\"{class}\">{}</td>", Escaped(text))
}
