//! The course in words, for those who do not see the picture, and for whoever steps through it.

use super::lanes::{Column, Course, Poll};
use super::scale::Scale;
use super::svg::groups;
use super::{Run, escape, names};
use crate::format::{Awaited, Outcome, ResourceKind, Span, Task, TransferKind, WokenBy};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most groups of printed lines below a picture.
const GROUPS: usize = 12;

/// The most names in a row.
const NAMES: usize = 5;

/// What is printed, by the numbers that the picture has.
pub fn printed(run: &Run<'_>, course: &Course) -> Vec<String> {
    let groups = groups(run, course);
    let mut items = Vec::new();
    for group in groups.iter().take(GROUPS) {
        let line = &run.timeline.printed[group.first];
        let who = line
            .task
            .map_or(String::new(), |task| format!(", {}", course.names[task]));
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
    if let more @ 1.. = groups.len().saturating_sub(GROUPS) {
        items.push(format!("and at {more} more places"));
    }
    items
}

/// A step in words, and where it lies.
struct Step {
    at: String,
    /// From and to, in percent.
    x: (f64, f64),
    lane: usize,
    lines: Vec<u32>,
    text: String,
}

/// The course, step by step.
pub fn steps(run: &Run<'_>, course: &Course, scale: &Scale) -> Vec<String> {
    let mut steps = Vec::new();
    for (index, column) in course.columns.iter().enumerate() {
        steps.push(Step {
            at: names::of_time(column.at),
            x: (scale.start(column), until(run, course, scale, index)),
            lane: column.lane,
            lines: lines(run, column),
            text: column_in_words(run, course, column),
        });
    }
    for (index, task) in run.timeline.tasks.iter().enumerate() {
        if task.outcome == Outcome::Cancelled {
            let on = last_wait(task);
            let place = match (names::of_wait(on), task.spans.is_empty()) {
                (_, true) => " before its first run".to_owned(),
                (what, _) if what.is_empty() => String::new(),
                (what, _) => format!(", dropped while it waits for {}", escape(&what)),
            };
            steps.push(Step {
                at: names::of_time(task.ends),
                x: (scale.after(task.ends), scale.after(task.ends)),
                lane: course.lane_of[index],
                lines: names::lines(on),
                text: format!("{} is cancelled{place}", name(&course.names[index])),
            });
        }
    }
    // Stable: what is at one place stays in order.
    steps.sort_by(|a, b| a.x.0.total_cmp(&b.x.0));
    let in_order = steps.iter().map(|step| {
        let shown: Vec<String> = step
            .lines
            .iter()
            .map(|line| (run.shown_line)(*line).to_string())
            .collect();
        format!(
            "<li data-x=\"{:.1} {:.1}\" data-t=\"{}\" data-l=\"{}\">{}: {}.</li>",
            step.x.0,
            step.x.1,
            step.lane,
            shown.join(" "),
            step.at,
            step.text
        )
    });
    in_order.collect()
}

/// Where the stretch ends that begins with a column: with the lane's next column, or with its last task.
fn until(run: &Run<'_>, course: &Course, scale: &Scale, index: usize) -> f64 {
    let column = &course.columns[index];
    let mut later = course.columns[index + 1..].iter();
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

/// The lines where a task is during a column and the wait after it, the innermost first.
fn lines(run: &Run<'_>, column: &Column) -> Vec<u32> {
    let Some(poll) = column.polls.last() else {
        return Vec::new();
    };
    let task = &run.timeline.tasks[poll.task];
    let wait = |span: usize| match task.spans.get(span) {
        Some(Span::Wait { on, .. }) => names::lines(on),
        _ => Vec::new(),
    };
    let mut lines = wait(poll.span + 1);
    let printed = run.timeline.printed.iter();
    let printed = printed.filter(|line| line.step == poll.step && line.task == Some(poll.task));
    lines.extend(printed.map(|line| line.line));
    if lines.is_empty() {
        // It goes on behind the await where it was, or begins.
        lines = poll.span.checked_sub(1).map(wait).unwrap_or_default();
    }
    if lines.is_empty() {
        lines.extend(task.line);
    }
    lines.dedup();
    lines
}

fn last_wait(task: &Task) -> &[Awaited] {
    match task.spans.last() {
        Some(Span::Wait { on, .. }) => on,
        _ => &[],
    }
}

fn name(name: &str) -> String {
    format!("<i>{}</i>", escape(name))
}

fn column_in_words(run: &Run<'_>, course: &Course, column: &Column) -> String {
    let several = {
        let first = column.polls[0].task;
        column.polls.iter().any(|poll| poll.task != first)
    };
    if several {
        return several_in_words(run, course, column);
    }
    let poll = column.polls[0];
    let last = column.polls[column.polls.len() - 1];
    let task = &run.timeline.tasks[poll.task];
    let mut clauses = vec![match (poll.span, column.polls.len()) {
        (0, 1) => "begins".to_owned(),
        (_, 1) => woken(run, course, poll),
        (_, times) => format!("runs {times} times"),
    }];
    clauses.extend(deeds(run, course, column));
    clauses.extend(then(task, last));
    format!("{} {}", name(&course.names[poll.task]), row(&clauses))
}

/// Tasks that share a lane.
fn several_in_words(run: &Run<'_>, course: &Course, column: &Column) -> String {
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
    let mut clauses = vec![format!("a task {}", row(&counted))];
    clauses.extend(deeds(run, course, column));
    let lane = course.lanes[column.lane].name.trim_start_matches("… ");
    format!("{}: {}", escape(lane), row(&clauses))
}

fn woken(run: &Run<'_>, course: &Course, poll: Poll) -> String {
    let before = run.timeline.wakes.iter().rev();
    let wake = before
        .filter(|wake| wake.task == poll.task && wake.step < poll.step)
        .max_by_key(|wake| wake.step);
    match wake.map(|wake| wake.by) {
        Some(WokenBy::Task(by)) if by != poll.task => {
            format!("is woken by {}", name(&course.names[by]))
        }
        Some(WokenBy::Clock) => "is woken by the clock".to_owned(),
        Some(WokenBy::Task(_) | WokenBy::Unknown) | None => "goes on".to_owned(),
    }
}

/// What is done during a column: spawned, passed, printed.
fn deeds(run: &Run<'_>, course: &Course, column: &Column) -> Vec<String> {
    let during = |step: usize| column.polls.iter().any(|poll| poll.step == step);
    let is_of = |task: usize| column.polls.iter().any(|poll| poll.task == task);
    let mut deeds = Vec::new();
    let spawned: Vec<_> = run
        .timeline
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| during(task.step) && task.by.is_some_and(is_of))
        .map(|(index, _)| name(&course.names[index]))
        .collect();
    if !spawned.is_empty() {
        deeds.push(format!("spawns {}", few(&spawned)));
    }
    let mut passed: BTreeMap<String, u64> = BTreeMap::new();
    for item in &run.timeline.transfers {
        if item.at == column.at && during(item.step) {
            let what = run.timeline.resources[item.resource].kind;
            let from = item
                .from
                .map_or(String::new(), |_| " for one that waits for it".to_owned());
            let deed = match (item.kind, what) {
                (TransferKind::Acquire, ResourceKind::Mutex | ResourceKind::RwLock) => {
                    format!("takes a lock{from}")
                }
                (TransferKind::Release, ResourceKind::Mutex | ResourceKind::RwLock) => {
                    "gives a lock back".to_owned()
                }
                (TransferKind::Acquire, ResourceKind::Channel) => {
                    format!("takes a place in a channel{from}")
                }
                (TransferKind::Release, ResourceKind::Channel) => {
                    "frees a place in a channel".to_owned()
                }
                (TransferKind::Acquire, _) => format!("takes a permit{from}"),
                (TransferKind::Release, _) => "gives a permit back".to_owned(),
                (TransferKind::Send, _) => "sends a value".to_owned(),
                (TransferKind::Receive, _) => "receives a value".to_owned(),
            };
            *passed.entry(deed).or_default() += item.count;
        }
    }
    deeds.extend(passed.into_iter().map(|(deed, count)| match count {
        1 => deed,
        _ => format!("{deed} ({count})"),
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
        [(index, line)] => deeds.push(format!(
            "prints {}: <samp>{}</samp>",
            index + 1,
            escape(line.text.trim())
        )),
        [(first, _), .., (last, _)] => {
            deeds.push(format!("prints {} to {}", first + 1, last + 1));
        }
    }
    deeds
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

/// Clauses as a sentence has them: `begins, spawns ship, and waits`.
fn row(clauses: &[String]) -> String {
    match clauses {
        [one, other] => format!("{one} and {other}"),
        [others @ .., last] if !others.is_empty() => format!("{}, and {last}", others.join(", ")),
        _ => clauses.concat(),
    }
}

fn few(names: &[String]) -> String {
    let mut text = String::new();
    match names.len() {
        0..=NAMES => text.push_str(&row(names)),
        many => {
            let _ = write!(
                text,
                "{}, and {} more",
                names[..NAMES - 1].join(", "),
                many + 1 - NAMES
            );
        }
    }
    text
}
