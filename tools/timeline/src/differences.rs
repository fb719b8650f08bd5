//! What differs between the timeline beside a listing and a new run of it: a diff of the two files, whose lines are
//! tasks, spans, wakes, and so on.

use crate::format::{Millis, Span, Timeline};
use serde_json::Value;
use similar::{Algorithm, DiffTag, capture_diff_slices};

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
    /// A task, or some other wait.
    Task,
    /// Polls, wakeups, transfers, printed lines: they follow from what the tasks wait for.
    Rest,
}

/// A line of the file.
struct Item {
    json: String,
    /// The same without lines of the listing: a new comment at the top moves all lines, but no task.
    key: String,
    /// What it's about.
    subject: String,
    line: Option<u32>,
    begins: Millis,
    ends: Millis,
    rank: Rank,
}

/// How a run differs from the expected one, apart from the lines on which things happen. In the order of the run,
/// because the first difference probably causes the others. `file` is the listing's file name.
pub fn differences(expected: &Timeline, run: &Timeline, file: &str) -> Vec<Difference> {
    let (old, new) = (items(expected, file), items(run, file));
    let keys = |items: &[Item]| -> Vec<String> { items.iter().map(|it| it.key.clone()).collect() };
    let mut found = Vec::new();
    for change in capture_diff_slices(Algorithm::Myers, &keys(&old), &keys(&new)) {
        if change.tag() != DiffTag::Equal {
            let (old, new) = (&old[change.old_range()], &new[change.new_range()]);
            for index in 0..old.len().max(new.len()) {
                found.extend(difference(old.get(index), new.get(index)));
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
    let mut text = format!("{}, at {at}:", item.subject);
    for (sign, item) in [('-', old), ('+', new)] {
        text.extend(item.map(|item| format!("\n    {sign} {}", item.json)));
    }
    Some(Difference {
        line: item.line,
        order: (at, item.rank.min(other.rank)),
        text,
    })
}

/// The first line of a run that isn't the line of the expected one, if the two do the same.
pub fn moved_line(expected: &Timeline, run: &Timeline) -> Option<u32> {
    let (old, new) = (items(expected, ""), items(run, ""));
    let mut pairs = old.iter().zip(&new);
    pairs.find(|(old, new)| old.json != new.json)?.1.line
}

fn items(timeline: &Timeline, file: &str) -> Vec<Item> {
    let json = |timeline: &Timeline| timeline.to_json().unwrap_or_default();
    let (json, plain) = (json(timeline), json(&without_lines(timeline)));
    let trim = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        match line.strip_suffix(",\"spans\":[") {
            Some(task) => format!("{task}}}"),
            None => line.to_owned(),
        }
    };
    let mut tasks = timeline.tasks.iter().enumerate();
    let mut current = None;
    let mut items = Vec::new();
    for (json, key) in json.lines().zip(plain.lines()) {
        let (json, key) = (trim(json), trim(key));
        let is_task = json.starts_with("{\"name\":");
        // Null for a line that isn't an item, but the start or the end of a list.
        let item: Value = serde_json::from_str(&json).unwrap_or_default();
        if is_task {
            current = tasks.next();
        }
        let index = |name: &str| usize::try_from(item[name].as_u64()?).ok();
        let task = match index("task") {
            _ if is_task || item["is"].is_string() => current,
            Some(index) => timeline.tasks.get(index).map(|task| (index, task)),
            None => None,
        };
        let subject = match task {
            Some((index, task)) => {
                let place = task.line.map(|line| format!(" spawned at {file}:{line}"));
                format!("task `{}` #{index}{}", task.name, place.unwrap_or_default())
            }
            None => "the run".to_owned(),
        };
        let on = item["on"].as_array().map_or(&[][..], Vec::as_slice);
        let resource = index("resource").and_then(|index| timeline.resources.get(index));
        let line = |item: &Value| u32::try_from(item["line"].as_u64()?).ok();
        let time = |names: [&str; 3]| {
            let time = names.iter().find_map(|name| item.get(name));
            let time = time.and_then(|time| serde_json::from_value(time.clone()).ok());
            time.unwrap_or(timeline.ends)
        };
        let is_timer = |on: &Value| on["what"] == "sleep" || on["what"] == "interval";
        items.push(Item {
            subject,
            line: line(&item)
                .or_else(|| on.iter().find_map(line))
                .or_else(|| resource?.line)
                .or_else(|| task?.1.line),
            begins: time(["begins", "from", "at"]),
            ends: time(["ends", "to", "at"]),
            rank: match on {
                [_, ..] if on.iter().all(is_timer) => Rank::Timer,
                [] if !is_task => Rank::Rest,
                _ => Rank::Task,
            },
            json,
            key,
        });
    }
    items
}

fn without_lines(timeline: &Timeline) -> Timeline {
    let mut timeline = timeline.clone();
    for task in &mut timeline.tasks {
        task.line = None;
        for span in &mut task.spans {
            if let Span::Wait { on, .. } = span {
                for on in on {
                    on.line = None;
                    on.through.clear();
                }
            }
        }
    }
    timeline.resources.iter_mut().for_each(|it| it.line = None);
    timeline.printed.iter_mut().for_each(|it| it.line = 0);
    timeline
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const EXPECTED: &str = r#"{"version":1,"ends":140,"tasks":[
        {"name":"main","line":30,"step":0,"begins":0,"ends":140,"outcome":"finished","spans":[
            {"is":"run","step":0,"from":0,"to":0},
            {"is":"wait","from":0,"to":140,"on":[{"what":"join","call":"spawn","line":31}]},
            {"is":"run","step":3,"from":140,"to":140}]},
        {"name":"audit","line":31,"by":0,"step":0,"begins":0,"ends":140,"outcome":"finished","spans":[
            {"is":"run","step":1,"from":0,"to":0},
            {"is":"wait","from":0,"to":140,"on":[{"what":"sleep","call":"sleep","line":12}]},
            {"is":"run","step":2,"from":140,"to":140}]}],
        "resources":[],"wakes":[{"step":1,"at":140,"task":1,"by":"clock"}],"passed":[],
        "printed":[{"step":3,"at":140,"task":0,"line":33,"text":"done"}]}"#;

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
        expect![[r#"
            Some(12): task `audit` #1 spawned at shop.rs:31, at 140 ms:
                - {"is":"wait","from":0,"to":140,"on":[{"what":"sleep","call":"sleep","line":12}]}
                + {"is":"wait","from":0,"to":160,"on":[{"what":"sleep","call":"sleep","line":12}]}
            Some(30): task `main` #0 spawned at shop.rs:30, at 140 ms:
                - {"name":"main","line":30,"step":0,"begins":0,"ends":140,"outcome":"finished"}
                + {"name":"main","line":30,"step":0,"begins":0,"ends":160,"outcome":"finished"}
            Some(31): task `main` #0 spawned at shop.rs:30, at 140 ms:
                - {"is":"wait","from":0,"to":140,"on":[{"what":"join","call":"spawn","line":31}]}
                + {"is":"wait","from":0,"to":160,"on":[{"what":"join","call":"spawn","line":31}]}
        "#]].assert_eq(&found(&EXPECTED.replace("140", "160")));
        expect![[r#"
            Some(33): task `main` #0 spawned at shop.rs:30, at 140 ms:
                - {"step":3,"at":140,"task":0,"line":33,"text":"done"}
                + {"step":3,"at":140,"task":0,"line":33,"text":"failed"}
        "#]].assert_eq(&found(&EXPECTED.replace("done", "failed")));
        expect![[r#"
            Some(31): task `check` #1 spawned at shop.rs:31, at 0 ms:
                - {"name":"audit","line":31,"by":0,"step":0,"begins":0,"ends":140,"outcome":"finished"}
                + {"name":"check","line":31,"by":0,"step":0,"begins":0,"ends":140,"outcome":"finished"}
        "#]].assert_eq(&found(&EXPECTED.replace("audit", "check")));
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
