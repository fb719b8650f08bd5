//! Compares what a run found with its row.

use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Deserialize)]
struct Row {
    verdict: Spanned<String>,
    lost: Spanned<String>,
    shown_by: Option<String>,
}

const FILE: &str = "listings/concepts/cancel_safety.toml";

/// What a run found; its row must say the same.
pub fn agrees(run: &str, verdict: &str, lost: &str) {
    let text = include_str!("../../cancel_safety.toml");
    let groups: BTreeMap<String, Vec<Row>> =
        toml::from_str(text).expect("the rows are TOML");
    let mut rows = groups.into_values().flatten();
    let row = rows
        .find(|row| row.shown_by.as_deref() == Some(run))
        .unwrap_or_else(|| {
            panic!("{FILE}: no row is `shown_by` {run:?}")
        });
    for (told, found) in [(row.verdict, verdict), (row.lost, lost)] {
        let line = 1 + text[..told.span().start].matches('\n').count();
        assert!(
            told.get_ref() == found,
            "{FILE}:{line}: the row says {:?}, and the run `{run}` finds {found:?}",
            told.get_ref()
        );
    }
}

/// Polls a future once, which must have to wait, and drops it.
macro_rules! drop_pending {
    ($future:expr) => {{
        let mut future = std::pin::pin!($future);
        assert!(futures::poll!(future.as_mut()).is_pending());
    }};
}
pub(crate) use drop_pending;
