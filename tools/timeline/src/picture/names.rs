//! What tasks, waits and times are called.

use crate::Timeline;
use crate::format::{Awaited, Millis, ResourceKind};

/// A name for each task: its own, with a number where several have the same.
pub fn of_tasks(timeline: &Timeline) -> Vec<String> {
    let mut names = Vec::new();
    for (index, task) in timeline.tasks.iter().enumerate() {
        let alike = |other: &&crate::format::Task| other.name == task.name;
        let number = timeline.tasks[..=index].iter().filter(alike).count();
        names.push(match timeline.tasks.iter().filter(alike).count() {
            1 => task.name.clone(),
            _ => format!("{} {number}", task.name),
        });
    }
    names
}

/// What is waited for: the call, or else what it waits for.
fn of_one(on: &Awaited) -> String {
    let name = match on.kind {
        _ if !on.call.is_empty() => on.call.as_str(),
        ResourceKind::Sleep => "sleep",
        ResourceKind::Interval => "tick",
        ResourceKind::Semaphore => "permit",
        ResourceKind::Mutex | ResourceKind::RwLock => "lock",
        ResourceKind::Barrier => "barrier",
        ResourceKind::Oneshot | ResourceKind::Watch => "value",
        ResourceKind::Channel => "channel",
        ResourceKind::Notify => "notify",
        ResourceKind::Cancellation => "cancellation",
        ResourceKind::Join => "join",
        ResourceKind::JoinNext => "join_next",
        ResourceKind::Yield => "its next poll",
        ResourceKind::Future => "future",
    };
    match on.count {
        1 => name.to_owned(),
        count => format!("{name} ×{count}"),
    }
}

/// What a wait is for, in a few words; empty if that isn't known.
pub fn of_wait(on: &[Awaited]) -> String {
    let names: Vec<_> = on.iter().map(of_one).collect();
    match names.len() {
        0..=3 => names.join(" + "),
        more => format!("{} + {} more", names[0], more - 1),
    }
}

/// The lines of a wait, the innermost first, each once.
pub fn lines(on: &[Awaited]) -> Vec<u32> {
    let innermost = on.iter().filter_map(|on| on.line);
    let around = on.iter().flat_map(|on| on.through.iter().rev().copied());
    let mut lines = Vec::new();
    for line in innermost.chain(around) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// A time in the largest unit that says it without a fraction, or in milliseconds.
pub fn of_time(time: Millis) -> String {
    let micros = time.micros();
    let whole = |unit: u64| micros >= unit && micros.is_multiple_of(unit);
    match micros {
        0 => "0".to_owned(),
        _ if whole(3_600_000_000) => format!("{} h", micros / 3_600_000_000),
        _ if whole(60_000_000) => format!("{} min", micros / 60_000_000),
        _ if micros >= 10_000_000 => format!("{} s", micros as f64 / 1e6),
        _ => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_unit_that_people_use() {
        let times = [0, 1_500, 300_000, 9_999_000, 12_500_000, 120_000_000];
        let times = times.map(|micros| of_time(Millis::from_micros(micros)));
        assert_eq!(
            times,
            ["0", "1.5 ms", "300 ms", "9999 ms", "12.5 s", "2 min"]
        );
        assert_eq!(of_time(Millis::from_micros(3_600_000_000)), "1 h");
    }

    fn on(call: &str, line: u32, through: &[u32], count: usize) -> Awaited {
        Awaited {
            kind: ResourceKind::Sleep,
            call: call.to_owned(),
            line: Some(line),
            through: through.to_vec(),
            resource: None,
            count,
        }
    }

    #[test]
    fn a_wait_names_its_calls_and_their_lines_from_the_inside() {
        let waits = [on("timeout", 34, &[87], 1), on("", 71, &[87, 34, 22], 3)];
        assert_eq!(of_wait(&waits), "timeout + sleep ×3");
        assert_eq!(lines(&waits), [34, 71, 87, 22]);
        let many: Vec<_> = (0..5).map(|line| on("recv", line, &[], 1)).collect();
        assert_eq!(of_wait(&many), "recv + 4 more");
    }
}
