//! The run in words, for readers who don't see the picture, and for those who step through it.

use super::layout::{Column, Layout, Poll};
use super::scale::Scale;
use super::{Run, escape, names};
use crate::format::{Awaited, Millis, Outcome, ResourceKind, Span, Task, TransferKind, WokenBy};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The most groups of printed lines below a picture.
const MAX_GROUPS: usize = 12;

/// The most steps that are looked for as a repeated sequence.
const LONGEST_REPEAT: usize = 6;

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

/// Something that happens in a lane.
struct Step {
    at: Millis,
    /// Its place in the picture, in percent.
    x: (f64, f64),
    lane: usize,
    /// Lines of the program on the page.
    lines: String,
    /// What happens.
    text: String,
}

impl Step {
    /// Whether the same happens in both, apart from the text that is printed.
    fn is_like(&self, other: &Self) -> bool {
        let without_print = |text: &str| {
            let (before, after) = text.split_once("prints ")?;
            let after = after.split_once("</samp>").map_or("", |(_, after)| after);
            Some(format!("{before}{after}"))
        };
        let same = match (without_print(&self.text), without_print(&other.text)) {
            (None, None) => self.text == other.text,
            (one, another) => one == another,
        };
        same && self.lane == other.lane
    }

    fn item(&self) -> String {
        format!(
            "<li data-x=\"{:.1} {:.1}\" data-t=\"{}\" data-l=\"{}\">{}: {}.</li>",
            self.x.0,
            self.x.1,
            self.lane,
            self.lines,
            names::of_time(self.at),
            self.text
        )
    }
}

/// The run, step by step.
pub fn steps(run: &Run<'_>, layout: &Layout, scale: &Scale) -> Vec<String> {
    let mut steps = Vec::new();
    let mut add = |at: Millis, x: (f64, f64), lane: usize, lines: Vec<u32>, text: String| {
        let shown = |line: &u32| (run.shown_line)(*line).to_string();
        let lines = lines.iter().map(shown).collect::<Vec<_>>().join(" ");
        steps.push(Step {
            at,
            x,
            lane,
            lines,
            text,
        });
    };
    for (index, column) in layout.columns.iter().enumerate() {
        let x = (scale.start(column), until(run, layout, scale, index));
        let text = column_in_words(run, layout, column);
        add(column.at, x, column.lane, lines(run, column), text);
    }
    for (index, task) in run.timeline.tasks.iter().enumerate() {
        if task.outcome == Outcome::Cancelled {
            let on = wait(task, task.spans.len().wrapping_sub(1));
            let place = match (names::of_wait(on), task.spans.is_empty()) {
                (_, true) => " before its first poll".to_owned(),
                (what, _) if what.is_empty() => String::new(),
                (what, _) => format!(": it's dropped while it waits for {}", escape(&what)),
            };
            let x = scale.after(task.ends);
            let text = format!("{} is canceled{place}", name(&layout.names[index]));
            let lane = layout.lane_of[index];
            add(task.ends, (x, x), lane, names::lines(on), text);
        }
    }
    // The sort is stable: steps at the same place stay in order.
    steps.sort_by(|a, b| a.x.0.total_cmp(&b.x.0));
    folded(&steps)
}

/// The steps as list items, where steps that repeat are one item.
fn folded(steps: &[Step]) -> Vec<String> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < steps.len() {
        let rest = &steps[at..];
        let repeats = (1..=LONGEST_REPEAT).map(|length| (length, repeats(rest, length)));
        let longest = repeats.max_by_key(|(length, times)| (length * times, Reverse(*length)));
        let Some((length, times)) = longest.filter(|(length, times)| length * times > 1) else {
            items.push(rest[0].item());
            at += 1;
            continue;
        };
        items.extend(rest[..length].iter().map(Step::item));
        items.push(repeated(&rest[..length * (times + 1)], length, times));
        at += length * (times + 1);
    }
    items
}

/// How often the first steps are repeated immediately after them.
fn repeats(steps: &[Step], length: usize) -> usize {
    let Some((first, rest)) = steps.split_at_checked(length) else {
        return 0;
    };
    let is_like = |block: &&[Step]| {
        block
            .iter()
            .zip(first)
            .all(|(one, other)| one.is_like(other))
    };
    rest.chunks_exact(length).take_while(is_like).count()
}

/// The list item for repeated steps: the first `length`, and the same so many times more.
fn repeated(steps: &[Step], length: usize, times: usize) -> String {
    let starts: Vec<_> = steps.iter().step_by(length).map(|step| step.at).collect();
    let micros = |at: &Millis| at.micros();
    let pauses: BTreeSet<_> = starts
        .windows(2)
        .map(|pair| micros(&pair[1]) - micros(&pair[0]))
        .collect();
    let every = match pauses.first() {
        Some(pause) if pauses.len() == 1 && *pause > 0 => {
            format!(", every {}", names::of_time(Millis::from_micros(*pause)))
        }
        _ => String::new(),
    };
    let (which, repeat) = match length {
        1 => ("the last step".to_owned(), "repeats"),
        _ => (format!("the last {length} steps"), "repeat"),
    };
    let times = match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        times => format!("{times} more times"),
    };
    let (again, last) = (&steps[length], &steps[steps.len() - 1]);
    let to = steps[length..]
        .iter()
        .fold(last.x.1, |to, step| to.max(step.x.1));
    let step = Step {
        at: again.at,
        x: (again.x.0, to),
        lane: again.lane,
        lines: again.lines.clone(),
        text: format!("{which} {repeat} {times}{every}"),
    };
    step.item()
}

/// The run in a sentence, for readers who have no picture.
pub fn summary(run: &Run<'_>, layout: &Layout) -> String {
    let tasks = &run.timeline.tasks;
    let count = match tasks.len() {
        1 => "One task runs".to_owned(),
        count => format!("{count} tasks run"),
    };
    let time = names::of_time(run.timeline.ends);
    let mut clauses = vec![match run.timeline.ends.micros() {
        0 => format!("{count} without waiting for the clock"),
        _ => format!("{count}, in {time} of virtual time"),
    }];
    let outcomes = [
        (Outcome::Cancelled, "is canceled", "are canceled"),
        (Outcome::Panicked, "panics", "panic"),
        (Outcome::Unfinished, "is unfinished", "are unfinished"),
    ];
    for (outcome, one, several) in outcomes {
        let of = tasks
            .iter()
            .zip(&layout.names)
            .filter(|(task, _)| task.outcome == outcome);
        let named: Vec<_> = of.map(|(task, of)| (name(of), task.ends)).collect();
        let Some((_, first)) = named.first() else {
            continue;
        };
        let same = named.iter().all(|(_, ends)| ends == first);
        let at = match same && outcome != Outcome::Unfinished {
            true => format!(" at {}", names::of_time(*first)),
            false => String::new(),
        };
        let verb = if named.len() == 1 { one } else { several };
        let names: Vec<_> = named.into_iter().map(|(name, _)| name).collect();
        clauses.push(format!("{} {verb}{at}", names_in_words(&names)));
    }
    format!("{}.", clauses.join("; "))
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
        (0, 1) => "starts".to_owned(),
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
            (_, true, _) => "finishes",
            (0, ..) => "starts",
            _ => "resumes",
        };
        *what.entry(verb).or_default() += 1;
    }
    let counted: Vec<_> = what
        .iter()
        .map(|(verb, count)| match count {
            1 => format!("a task {verb}"),
            count => format!("a task {verb} {count} times"),
        })
        .collect();
    let mut clauses = vec![enumeration(&counted)];
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
        Some(WokenBy::Task(_)) => "resumes".to_owned(),
        Some(WokenBy::Unknown) | None => "is woken".to_owned(),
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
            let what = match run.timeline.resources[item.resource].kind {
                ResourceKind::Mutex | ResourceKind::RwLock => "a lock",
                ResourceKind::Channel => "a slot in a channel",
                _ => "a permit",
            };
            let action = match (item.kind, item.from, item.task) {
                (TransferKind::Send, ..) => "sends a value".to_owned(),
                (TransferKind::Receive, ..) => "receives a value".to_owned(),
                (TransferKind::Release, ..) => format!("releases {what}"),
                (TransferKind::Acquire, Some(_), Some(to)) => {
                    format!("hands {what} to {}", name(&layout.names[to]))
                }
                (TransferKind::Acquire, ..) => format!("acquires {what}"),
            };
            *transfers.entry(action).or_default() += item.count;
        }
    }
    actions.extend(transfers.into_iter().map(|(action, count)| match count {
        1 => action,
        _ if action.contains("a permit") => {
            action.replacen("a permit", &format!("{count} permits"), 1)
        }
        2 => format!("{action} (twice)"),
        _ => format!("{action} ({count} times)"),
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
                true if from == to => Some("yields".to_owned()),
                true => Some(format!("waits{line}")),
                false => Some(format!("waits for {}{line}", escape(&what))),
            }
        }
        _ => match task.outcome {
            Outcome::Finished | Outcome::Cancelled => Some("finishes".to_owned()),
            Outcome::Panicked => Some("panics".to_owned()),
            Outcome::Unfinished => None,
        },
    }
}

/// Clauses as in a sentence: `starts, spawns ship, and waits`.
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
