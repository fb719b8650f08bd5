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
    let state = if ready { "Ready." } else { "Not ready." };
    let queue = backlog.iter().map(|of| {
        let oldest = of.oldest_seconds.map(|it| format!("{it} s"));
        [
            of.subscription.to_string(),
            of.open.to_string(),
            of.leased.to_string(),
            of.dead.to_string(),
            oldest.unwrap_or_default(),
        ]
    });
    let subscriptions = subscriptions.iter().map(|it| {
        let topics: Vec<_> =
            it.topics.iter().map(|it| it.as_str()).collect();
        let all = topics.is_empty();
        let topics = if all { "all".into() } else { topics.join(", ") };
        [it.name.to_string(), it.url.to_string(), topics]
    });
    let dead = dead.iter().map(|it| {
        [
            it.delivery.to_string(),
            it.subscription.to_string(),
            it.event.clone(),
            it.topic.clone(),
            it.attempts.to_string(),
            it.error.clone(),
        ]
    });
    let columns = ["Name", "Open", "Leased", "Dead", "Oldest"];
    let queue = table("Queue", columns, queue);
    let columns = ["Name", "URL", "Topics"];
    let subscriptions = table("Subscriptions", columns, subscriptions);
    let columns = [
        "Number",
        "Subscription",
        "Event",
        "Topic",
        "Attempts",
        "Error",
    ];
    let dead = table("Dead deliveries", columns, dead);
    format!(
        "{HEAD}<p>{state}</p>\n{queue}{subscriptions}{dead}\
        <p>Deliver a dead one again: <code>courier ctl redeliver \
        NUMBER</code></p></main></body></html>\n"
    )
}

fn table<const N: usize>(
    title: &str,
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let heads =
        columns.map(|it| format!("<th scope=\"col\">{it}</th>"));
    let rows: String = rows
        .map(|row| {
            let cells =
                row.map(|it| format!("<td>{}</td>", Escaped(it)));
            format!("<tr>{}</tr>\n", cells.concat())
        })
        .collect();
    if rows.is_empty() {
        return format!("<h2>{title}</h2>\n<p>None.</p>\n");
    }
    format!(
        "<h2>{title}</h2>\n<div class=\"table\" role=\"region\" \
        tabindex=\"0\" aria-label=\"{title}\"><table><thead><tr>{}\
        </tr></thead><tbody>\n{rows}</tbody></table></div>\n",
        heads.concat()
    )
}
