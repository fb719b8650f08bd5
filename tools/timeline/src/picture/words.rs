//! The run in words, for readers who don't see the picture, and for those who step through it.

use super::layout::{Column, Layout, Poll};
use super::scale::Scale;
use super::{Run, escape, names};
use crate::format::{Awaited, Millis, Outcome, ResourceKind, Span, Task, TransferKind, WokenBy};
use std::collections::BTreeMap;

/// The most groups of printed lines below a picture.
const MAX_GROUPS: usize = 12;

/// The most names in an enumeration.
const MAX_NAMES: usize = 5;

/// What is printed, by the numbers in the picture.
pub fn printed(run: &Run<'_>, layout: &Layout) -> Vec<String> {
    let groups = layout.printed(run.timeline);
    let mut items = Vec::new();
    for group in groups.iter().take(MAX_GROUPS) {
        let line = &run.timeline.printed[group.first];
        let who = line
            .task
            .map_or(String::new(), |task| format!(", {}", layout.names[task]));
        let more = match group.last - group.first {
            0 => String::new(),
            1 => " and one more line".to_owned(),
            more => format!(" and {more} more lines"),
        };
        items.push(format!(
            "<b>{}</b> at {}{}: <samp>{}</samp>{more}",
            group.numbers(),
            names::of_time(line.at),
            escape(&who),
            escape(line.text.trim()),
        ));
    }
    if let more @ 1.. = groups.len().saturating_sub(MAX_GROUPS) {
        items.push(format!("and at {more} more places"));
    }
    items
}

/// The run, step by step.
pub fn steps(run: &Run<'_>, layout: &Layout, scale: &Scale) -> Vec<String> {
    let mut steps = Vec::new();
    let mut add = |at: Millis, (from, to): (f64, f64), lane: usize, lines: Vec<u32>, text: &str| {
        let shown = |line: &u32| (run.shown_line)(*line).to_string();
        let lines = lines.iter().map(shown).collect::<Vec<_>>().join(" ");
        let at = names::of_time(at);
        let item = format!(
            "<li data-x=\"{from:.1} {to:.1}\" data-t=\"{lane}\" data-l=\"{lines}\">{at}: {text}.</li>"
        );
        steps.push((from, item));
    };
    for (index, column) in layout.columns.iter().enumerate() {
        let x = (scale.start(column), until(run, layout, scale, index));
        let text = column_in_words(run, layout, column);
        add(column.at, x, column.lane, lines(run, column), &text);
    }
    for (index, task) in run.timeline.tasks.iter().enumerate() {
        if task.outcome == Outcome::Cancelled {
            let on = wait(task, task.spans.len().wrapping_sub(1));
            let place = match (names::of_wait(on), task.spans.is_empty()) {
                (_, true) => " before its first run".to_owned(),
                (what, _) if what.is_empty() => String::new(),
                (what, _) => format!(", dropped while it waits for {}", escape(&what)),
            };
            let x = scale.after(task.ends);
            let text = format!("{} is cancelled{place}", name(&layout.names[index]));
            let lane = layout.lane_of[index];
            add(task.ends, (x, x), lane, names::lines(on), &text);
        }
    }
    // The sort is stable: steps at the same place stay in order.
    steps.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    steps.into_iter().map(|(_, item)| item).collect()
}

/// Where the step that starts with a column ends: at the lane's next column, or at the end of its last task.
fn until(run: &Run<'_>, layout: &Layout, scale: &Scale, index: usize) -> f64 {
    let column = &layout.columns[index];
    let mut later = layout.columns[index + 1..].iter();
    if let Some(next) = later.find(|next| next.lane == column.lane) {
        return scale.start(next);
    }
    let waits = |poll: &Poll| {
        let task = &run.timeline.tasks[poll.task];
        (poll.span + 1 < task.spans.len()).then(|| scale.after(task.ends))
    };
    let ends = column.polls.iter().filter_map(waits);
    ends.fold(scale.end(column), f64::max)
}

/// The lines at which a task is during a column and the wait after it, the innermost first.
fn lines(run: &Run<'_>, column: &Column) -> Vec<u32> {
    let Some(poll) = column.polls.last() else {
        return Vec::new();
    };
    let task = &run.timeline.tasks[poll.task];
    let mut lines = names::lines(wait(task, poll.span + 1));
    let printed = run.timeline.printed.iter();
    let printed = printed.filter(|line| line.step == poll.step && line.task == Some(poll.task));
    lines.extend(printed.map(|line| line.line));
    if lines.is_empty() {
        // It continues after the await at which it was, or starts.
        lines = names::lines(wait(task, poll.span.wrapping_sub(1)));
    }
    if lines.is_empty() {
        lines.extend(task.line);
    }
    lines.dedup();
    lines
}

/// What a task waits for in a span; nothing if that isn't a wait.
fn wait(task: &Task, span: usize) -> &[Awaited] {
    match task.spans.get(span) {
        Some(Span::Wait { on, .. }) => on,
        _ => &[],
    }
}

fn name(name: &str) -> String {
    format!("<i>{}</i>", escape(name))
}

fn column_in_words(run: &Run<'_>, layout: &Layout, column: &Column) -> String {
    let first = column.polls[0].task;
    if column.polls.iter().any(|poll| poll.task != first) {
        return several_in_words(run, layout, column);
    }
    let poll = column.polls[0];
    let last = column.polls[column.polls.len() - 1];
    let task = &run.timeline.tasks[poll.task];
    let mut clauses = vec![match (poll.span, column.polls.len()) {
        (0, 1) => "begins".to_owned(),
        (_, 1) => woken(run, layout, poll),
        (_, times) => format!("runs {times} times"),
    }];
    clauses.extend(actions(run, layout, column));
    clauses.extend(then(task, last));
    format!(
        "{} {}",
        name(&layout.names[poll.task]),
        enumeration(&clauses)
    )
}

/// Tasks that share a lane.
fn several_in_words(run: &Run<'_>, layout: &Layout, column: &Column) -> String {
    let mut what: BTreeMap<&str, usize> = BTreeMap::new();
    for poll in &column.polls {
        let task = &run.timeline.tasks[poll.task];
        let ends = poll.span + 1 == task.spans.len();
        let verb = match (poll.span, ends, task.outcome) {
            (_, true, Outcome::Panicked) => "panics",
            (_, true, _) => "ends",
            (0, ..) => "begins",
            _ => "goes on",
        };
        *what.entry(verb).or_default() += 1;
    }
    let counted: Vec<_> = what
        .iter()
        .map(|(verb, count)| format!("{verb} {count} times"))
        .collect();
    let mut clauses = vec![format!("a task {}", enumeration(&counted))];
    clauses.extend(actions(run, layout, column));
    let lane = layout.lanes[column.lane].name.trim_start_matches("… ");
    format!("{}: {}", escape(lane), enumeration(&clauses))
}

fn woken(run: &Run<'_>, layout: &Layout, poll: Poll) -> String {
    let before = run.timeline.wakes.iter().rev();
    let wake = before
        .filter(|wake| wake.task == poll.task && wake.step < poll.step)
        .max_by_key(|wake| wake.step);
    match wake.map(|wake| wake.by) {
        Some(WokenBy::Task(by)) if by != poll.task => {
            format!("is woken by {}", name(&layout.names[by]))
        }
        Some(WokenBy::Clock) => "is woken by the clock".to_owned(),
        Some(WokenBy::Task(_) | WokenBy::Unknown) | None => "goes on".to_owned(),
    }
}

/// What tasks do during a column: spawn, acquire and release, send and receive, print.
fn actions(run: &Run<'_>, layout: &Layout, column: &Column) -> Vec<String> {
    let during = |step: usize| column.polls.iter().any(|poll| poll.step == step);
    let is_of = |task: usize| column.polls.iter().any(|poll| poll.task == task);
    let mut actions = Vec::new();
    let spawned: Vec<_> = run
        .timeline
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| during(task.step) && task.by.is_some_and(is_of))
        .map(|(index, _)| name(&layout.names[index]))
        .collect();
    if !spawned.is_empty() {
        actions.push(format!("spawns {}", names_in_words(&spawned)));
    }
    let mut transfers: BTreeMap<String, u64> = BTreeMap::new();
    for item in &run.timeline.transfers {
        if item.at == column.at && during(item.step) {
            let from = item.from.map_or("", |_| " for one that waits for it");
            let acquire = item.kind == TransferKind::Acquire;
            let action = match run.timeline.resources[item.resource].kind {
                _ if item.kind == TransferKind::Send => "sends a value".to_owned(),
                _ if item.kind == TransferKind::Receive => "receives a value".to_owned(),
                ResourceKind::Mutex | ResourceKind::RwLock if acquire => {
                    format!("takes a lock{from}")
                }
                ResourceKind::Mutex | ResourceKind::RwLock => "gives a lock back".to_owned(),
                ResourceKind::Channel if acquire => format!("takes a place in a channel{from}"),
                ResourceKind::Channel => "frees a place in a channel".to_owned(),
                _ if acquire => format!("takes a permit{from}"),
                _ => "gives a permit back".to_owned(),
            };
            *transfers.entry(action).or_default() += item.count;
        }
    }
    actions.extend(transfers.into_iter().map(|(action, count)| match count {
        1 => action,
        _ => format!("{action} ({count})"),
    }));
    let printed: Vec<_> = run
        .timeline
        .printed
        .iter()
        .enumerate()
        .filter(|(_, line)| line.at == column.at && during(line.step))
        .collect();
    match printed.as_slice() {
        [] => {}
        [(index, line)] => actions.push(format!(
            "prints {}: <samp>{}</samp>",
            index + 1,
            escape(line.text.trim())
        )),
        [(first, _), .., (last, _)] => {
            actions.push(format!("prints {} to {}", first + 1, last + 1));
        }
    }
    actions
}

/// What comes after a poll.
fn then(task: &Task, poll: Poll) -> Option<String> {
    match task.spans.get(poll.span + 1) {
        Some(Span::Wait { on, from, to }) => {
            let what = names::of_wait(on);
            let line = match on.iter().find_map(|on| on.line) {
                Some(line) => format!(" (line {line})"),
                None => String::new(),
            };
            match what.is_empty() {
                true if from == to => Some("lets others run".to_owned()),
                true => Some(format!("waits{line}")),
                false => Some(format!("waits for {}{line}", escape(&what))),
            }
        }
        _ => match task.outcome {
            Outcome::Finished | Outcome::Cancelled => Some("ends".to_owned()),
            Outcome::Panicked => Some("panics".to_owned()),
            Outcome::Unfinished => None,
        },
    }
}

/// Clauses as in a sentence: `begins, spawns ship, and waits`.
fn enumeration(clauses: &[String]) -> String {
    match clauses {
        [one, other] => format!("{one} and {other}"),
        [others @ .., last] if !others.is_empty() => format!("{}, and {last}", others.join(", ")),
        _ => clauses.concat(),
    }
}

fn names_in_words(names: &[String]) -> String {
    match names.len() {
        0..=MAX_NAMES => enumeration(names),
        many => {
            let first = names[..MAX_NAMES - 1].join(", ");
            format!("{first}, and {} more", many + 1 - MAX_NAMES)
        }
    }
}
