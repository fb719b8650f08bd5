//! What differs between the timeline beside a listing and a new run of it: a diff of the two files, whose lines are
//! tasks, spans, wakes, and so on.

use crate::format::{Millis, Timeline};
use serde_json::Value;
use similar::{Algorithm, DiffTag, capture_diff_slices};
use std::collections::{BTreeMap, BTreeSet};

/// A part of the run that isn't as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The listing's line at which the run differs, as the listing is now.
    pub line: Option<u32>,
    /// When it differs. At the same time, a likely cause comes before its effects.
    order: (Millis, Rank),
    /// What was expected, and what came, as a unified diff shows it.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A wait for time alone: it ends by itself, so nothing else causes the difference.
    Timer,
    /// A task that is new, missing, another one, or has another outcome.
    Task,
    /// Some other wait.
    Wait,
    /// Polls, wakeups, transfers, printed lines: they follow from what the tasks wait for.
    Rest,
}

/// A line of the file.
struct Item {
    json: String,
    /// The same as a value, without lines of the listing: a new comment at the top moves all lines, but no task.
    value: Value,
    /// What it's about.
    subject: String,
    line: Option<u32>,
    begins: Millis,
    ends: Millis,
}

/// How a run differs from the expected one, apart from the lines on which things happen. In the order of the run,
/// because the first difference probably causes the others. `file` is the listing's file name.
pub fn differences(expected: &Timeline, run: &Timeline, file: &str) -> Vec<Difference> {
    let (old, new) = (items(expected, file), items(run, file));
    let lists: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for list in lists {
        let [old, new] = [&old, &new].map(|items| items.get(list).map_or(&[][..], Vec::as_slice));
        let values = |items: &[Item]| -> Vec<String> {
            let values = items.iter().map(|item| item.value.to_string());
            values.collect()
        };
        for change in capture_diff_slices(Algorithm::Myers, &values(old), &values(new)) {
            if change.tag() != DiffTag::Equal {
                let (old, new) = (&old[change.old_range()], &new[change.new_range()]);
                for index in 0..old.len().max(new.len()) {
                    found.extend(difference(old.get(index), new.get(index)));
                }
            }
        }
    }
    found.sort_by_key(|difference| difference.order);
    found
}

fn difference(old: Option<&Item>, new: Option<&Item>) -> Option<Difference> {
    let item = new.or(old)?;
    let other = old.unwrap_or(item);
    let at = match (item.begins == other.begins, item.ends == other.ends) {
        (true, false) => item.ends.min(other.ends),
        _ => item.begins.min(other.begins),
    };
    let is_one_of_two = old.is_none() || new.is_none();
    let is_same = |field: &&str| item.value[field] == other.value[field];
    let rank = if item.value["name"].is_string() {
        match is_one_of_two || !["name", "by", "outcome"].iter().all(is_same) {
            true => Rank::Task,
            false => Rank::Rest,
        }
    } else if item.is_timer() && other.is_timer() && !is_one_of_two && item.begins == other.begins {
        Rank::Timer
    } else if item.value["on"].is_array() {
        Rank::Wait
    } else {
        Rank::Rest
    };
    let mut text = format!("{}, at {at}:", item.subject);
    for (sign, item) in [('-', old), ('+', new)] {
        text.extend(item.map(|item| format!("\n    {sign} {}", item.json)));
    }
    Some(Difference {
        line: item.line,
        order: (at, rank),
        text,
    })
}

/// The first line of a run that isn't the line of the expected one, if the two do the same.
pub fn moved_line(expected: &Timeline, run: &Timeline) -> Option<u32> {
    let (old, new) = (items(expected, ""), items(run, ""));
    let mut pairs = old.values().flatten().zip(new.values().flatten());
    pairs.find(|(old, new)| old.json != new.json)?.1.line
}

impl Item {
    fn is_timer(&self) -> bool {
        let is_time = |on: &Value| on["what"] == "sleep" || on["what"] == "interval";
        let on = self.value["on"].as_array();
        on.is_some_and(|on| on.iter().all(is_time))
    }
}

/// The items of each list. Each task is a list of its own.
fn items(timeline: &Timeline, file: &str) -> BTreeMap<(usize, usize), Vec<Item>> {
    let mut lists = BTreeMap::<_, Vec<_>>::new();
    let (mut section, mut tasks) = (0, 0);
    for json in timeline.to_json().unwrap_or_default().lines() {
        let json = json.trim().trim_end_matches(',');
        let json = match json.strip_suffix(",\"spans\":[") {
            Some(task) => format!("{task}}}"),
            None => json.to_owned(),
        };
        section += usize::from(json.starts_with('"'));
        let mut value: Value = match serde_json::from_str(&json) {
            Ok(value) => value,
            Err(_) if json.starts_with("\"ends\"") => json.as_str().into(),
            // The line starts or ends a list.
            Err(_) => continue,
        };
        let is_task = value["name"].is_string();
        let is_in_task = is_task || value["is"].is_string();
        tasks += usize::from(is_task);
        let index = |name: &str| usize::try_from(value[name].as_u64()?).ok();
        let index_of_task = match is_in_task {
            true => Some(tasks - 1),
            false => index("task"),
        };
        let task = index_of_task.and_then(|index| timeline.tasks.get(index));
        let resource = index("resource").and_then(|index| timeline.resources.get(index));
        let line = |value: &Value| u32::try_from(value["line"].as_u64()?).ok();
        let on = value["on"].as_array().map_or(&[][..], Vec::as_slice);
        let time = |names: [&str; 3]| {
            let time = names.iter().find_map(|name| value.get(name));
            let time = time.and_then(|time| serde_json::from_value(time.clone()).ok());
            time.unwrap_or(timeline.ends)
        };
        let place = task.and_then(|task| task.line);
        let place = place.map_or(String::new(), |line| format!(" spawned at {file}:{line}"));
        let item = Item {
            subject: match (task, index_of_task) {
                (Some(task), Some(index)) => format!("task `{}` #{index}{place}", task.name),
                _ => "the run".to_owned(),
            },
            line: line(&value)
                .or_else(|| on.iter().find_map(line))
                .or_else(|| resource?.line)
                .or_else(|| task?.line),
            begins: time(["begins", "at", "from"]),
            ends: time(["ends", "at", "to"]),
            value: {
                remove_lines(&mut value);
                value
            },
            json,
        };
        let list = (section, if is_in_task { tasks } else { 0 });
        lists.entry(list).or_default().push(item);
    }
    lists
}

fn remove_lines(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.remove("line");
        fields.remove("through");
        fields.values_mut().for_each(remove_lines);
    } else if let Value::Array(items) = value {
        items.iter_mut().for_each(remove_lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;

    const EXPECTED: &str = include_str!("differences/expected.json");

    fn found(run: &str) -> String {
        let [expected, run] = [EXPECTED, run].map(|json| Timeline::parse(json).unwrap());
        let found = differences(&expected, &run, "shop.rs");
        let lines = found
            .iter()
            .map(|it| format!("{:?}: {}\n", it.line, it.text));
        lines.take(3).collect()
    }

    #[test]
    fn the_first_difference_is_the_cause_of_the_others() {
        let changes = [("140", "160"), ("done", "failed"), ("audit", "check")];
        let found = changes.map(|(old, new)| found(&EXPECTED.replace(old, new)));
        expect_file!["differences/found.txt"].assert_eq(&found.join("\n"));
    }

    #[test]
    fn lines_alone_are_no_difference() {
        let moved = EXPECTED.replace("\"line\":3", "\"line\":4");
        assert_eq!(found(&moved), "");
        let [expected, run] = [EXPECTED, &moved].map(|json| Timeline::parse(json).unwrap());
        assert_eq!(moved_line(&expected, &run), Some(40));
        assert_eq!(moved_line(&expected, &expected), None);
    }
}
