//! How two runs differ, in words.

use crate::format::{
    By, Does, Millis, On, Outcome, Passed, Printed, Span, Task, Timeline, Wake, What,
};

/// Something that came otherwise than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line of the listing where it did, as the listing is now.
    pub line: Option<u32>,
    /// When it did, and what comes first of what did at the same time.
    order: (Millis, Rank),
    /// What was expected, and what came.
    pub text: String,
}

/// What is rather a cause than an effect of other differences comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A wait for time alone: nobody else is to blame for its end.
    Time,
    Task,
    Wait,
    Rest,
}

/// How a run differs from the expected one, but for the lines on which things happen; in the order of the
/// run, the first one being what the others probably follow from. `file` is the listing's file name, for the
/// words.
pub fn differences(expected: &Timeline, run: &Timeline, file: &str) -> Vec<Difference> {
    let words = Words {
        file,
        expected,
        run,
    };
    // A line that was put in above moves all lines, and says nothing about the tasks.
    let (plain, plain_run) = (without_lines(expected), without_lines(run));
    let mut found = Vec::new();
    let tasks = expected.tasks.len().max(run.tasks.len());
    for index in 0..tasks {
        match (expected.tasks.get(index), run.tasks.get(index)) {
            (Some(expected), Some(came)) => {
                let same = alike(&plain.tasks[index].spans, &plain_run.tasks[index].spans);
                words.task(index, expected, came, same, &mut found);
            }
            (Some(missing), None) => found.push(Difference {
                line: missing.line,
                order: (missing.begins, Rank::Task),
                text: format!(
                    "{}, was expected to begin at {}, and was not spawned",
                    words.spawned(index, missing),
                    missing.begins
                ),
            }),
            (None, Some(new)) => found.push(Difference {
                line: new.line,
                order: (new.begins, Rank::Task),
                text: format!(
                    "{}, began at {} and {} at {}, and was not expected",
                    words.spawned(index, new),
                    new.begins,
                    outcome(new.outcome),
                    new.ends
                ),
            }),
            (None, None) => {}
        }
    }
    words.first(
        alike(&plain.wakes, &plain_run.wakes),
        &expected.wakes,
        &run.wakes,
        &mut found,
        |timeline, wake: &Wake| {
            let line = timeline.tasks.get(wake.task).and_then(|task| task.line);
            (line, wake.at, words.wake(timeline, wake))
        },
    );
    words.first(
        alike(&plain.passed, &plain_run.passed),
        &expected.passed,
        &run.passed,
        &mut found,
        |timeline, passed: &Passed| {
            let resource = timeline.resources.get(passed.resource);
            let line = resource.and_then(|resource| resource.line);
            (line, passed.at, words.passed(timeline, passed))
        },
    );
    words.first(
        alike(&plain.printed, &plain_run.printed),
        &expected.printed,
        &run.printed,
        &mut found,
        |timeline, printed: &Printed| {
            let text = format!(
                "at {} {} prints `{}`",
                printed.at,
                words.some_task(timeline, printed.task),
                printed.text
            );
            (Some(printed.line), printed.at, text)
        },
    );
    if found.is_empty() && plain != plain_run {
        found.push(Difference {
            line: None,
            order: (run.ends, Rank::Rest),
            text: format!(
                "the resources or the end (expected at {}, came at {}) are others",
                expected.ends, run.ends
            ),
        });
    }
    found.sort_by_key(|difference| difference.order);
    found
}

/// How many things are the same at the beginning of two lists.
fn alike<T: PartialEq>(expected: &[T], came: &[T]) -> usize {
    let pairs = expected.iter().zip(came);
    pairs
        .take_while(|(expected, came)| expected == came)
        .count()
}

/// The first line of a run that is not the line of the expected one, where the two do the same.
pub fn moved_line(expected: &Timeline, run: &Timeline) -> Option<u32> {
    let mut lines = lines(expected).into_iter().zip(lines(run));
    lines.find(|(expected, line)| expected != line)?.1
}

fn lines(timeline: &Timeline) -> Vec<Option<u32>> {
    let mut lines = Vec::new();
    for task in &timeline.tasks {
        lines.push(task.line);
        for span in &task.spans {
            if let Span::Wait { on, .. } = span {
                for on in on {
                    lines.extend(on.through.iter().copied().map(Some));
                    lines.push(on.line);
                }
            }
        }
    }
    lines.extend(timeline.resources.iter().map(|resource| resource.line));
    lines.extend(timeline.printed.iter().map(|printed| Some(printed.line)));
    lines
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
    for resource in &mut timeline.resources {
        resource.line = None;
    }
    for printed in &mut timeline.printed {
        printed.line = 0;
    }
    timeline
}

struct Words<'a> {
    file: &'a str,
    expected: &'a Timeline,
    run: &'a Timeline,
}

impl Words<'_> {
    fn place(&self, line: Option<u32>) -> String {
        match line {
            Some(line) => format!("{}:{line}", self.file),
            None => "a library".to_owned(),
        }
    }

    fn spawned(&self, index: usize, task: &Task) -> String {
        format!(
            "task `{}` #{index} spawned at {}",
            task.name,
            self.place(task.line)
        )
    }

    fn some_task(&self, timeline: &Timeline, index: Option<usize>) -> String {
        match index.and_then(|index| Some((index, timeline.tasks.get(index)?))) {
            Some((index, task)) => format!("task `{}` #{index}", task.name),
            None => "no task".to_owned(),
        }
    }

    /// The first of a list of things that is not as expected, behind so many that are.
    fn first<T>(
        &self,
        same: usize,
        expected: &[T],
        came: &[T],
        found: &mut Vec<Difference>,
        tell: impl Fn(&Timeline, &T) -> (Option<u32>, Millis, String),
    ) {
        let wanted = expected.get(same).map(|it| tell(self.expected, it));
        let got = came.get(same).map(|it| tell(self.run, it));
        let nothing = || "that nothing more of this kind happens".to_owned();
        let line = match (&got, &wanted) {
            (Some((line, ..)), _) | (None, Some((line, ..))) => *line,
            (None, None) => return,
        };
        let times = [&got, &wanted].into_iter().flatten().map(|(_, at, _)| *at);
        found.push(Difference {
            line,
            order: (times.min().unwrap_or(self.run.ends), Rank::Rest),
            text: format!(
                "expected is {}; now {}",
                wanted.map_or_else(nothing, |(.., text)| format!("that {text}")),
                got.map_or_else(
                    || "nothing more of this kind happens".to_owned(),
                    |(.., text)| text
                ),
            ),
        });
    }

    /// Tells how a task differs whose first spans are the same.
    fn task(
        &self,
        index: usize,
        expected: &Task,
        came: &Task,
        same: usize,
        found: &mut Vec<Difference>,
    ) {
        let who = self.spawned(index, came);
        let (before, after) = (expected.spans.get(same), came.spans.get(same));
        let order = order(before, after, expected.ends.min(came.ends));
        if (&expected.name, expected.by) != (&came.name, came.by) {
            found.push(Difference {
                line: came.line,
                order: (came.begins.min(expected.begins), Rank::Task),
                text: format!(
                    "task #{index} was expected to be `{}`, spawned at {} by {}, and is `{}`, spawned at {} by {}",
                    expected.name,
                    self.place(expected.line),
                    self.some_task(self.expected, expected.by),
                    came.name,
                    self.place(came.line),
                    self.some_task(self.run, came.by),
                ),
            });
        } else if expected.step != came.step && expected.begins == came.begins {
            found.push(Difference {
                line: came.line,
                order: (came.begins.min(expected.begins), Rank::Task),
                text: format!(
                    "{who} was expected to be spawned in step {} of the run, and was in step {}",
                    expected.step, came.step
                ),
            });
        }
        let life = |task: &Task| (task.begins, task.ends, task.outcome);
        if life(expected) != life(came) {
            let began = if expected.begins == came.begins {
                format!("began at {}", came.begins)
            } else {
                format!(
                    "was expected to begin at {}, began at {}",
                    expected.begins, came.begins
                )
            };
            found.push(Difference {
                line: line_of(after).or(came.line),
                order,
                text: format!(
                    "{who}: {began}, was expected to {} at {}, {} at {}",
                    expected_outcome(expected.outcome),
                    expected.ends,
                    outcome(came.outcome),
                    came.ends
                ),
            });
        }
        if before.is_some() || after.is_some() {
            let nothing = || "does nothing more".to_owned();
            found.push(Difference {
                line: line_of(after).or(line_of(before)).or(came.line),
                order,
                text: format!(
                    "{who}: expected is that it {}; now it {}",
                    before.map_or_else(nothing, |span| self.span(self.expected, span)),
                    after.map_or_else(nothing, |span| self.span(self.run, span)),
                ),
            });
        }
    }

    fn span(&self, timeline: &Timeline, span: &Span) -> String {
        match span {
            Span::Run { step, from, to } if from == to => {
                format!("runs at {from} (step {step} of the run)")
            }
            Span::Run { step, from, to } => {
                format!("runs from {from} to {to} (step {step} of the run)")
            }
            Span::Wait { from, to, on } => {
                let on: Vec<_> = on.iter().map(|on| self.on(timeline, on)).collect();
                let on = if on.is_empty() {
                    "something".to_owned()
                } else {
                    on.join(" and ")
                };
                format!("waits from {from} to {to} for {on}")
            }
        }
    }

    fn on(&self, timeline: &Timeline, on: &On) -> String {
        let mut text = what(on.what).to_owned();
        if on.count > 1 {
            text = format!("{} times {text}", on.count);
        }
        if !on.call.is_empty() {
            text.push_str(&format!(" (`{}`)", on.call));
        }
        text.push_str(&format!(" at {}", self.place(on.line)));
        if let Some(resource) = on.resource.and_then(|index| timeline.resources.get(index)) {
            text.push_str(&format!(", made at {}", self.place(resource.line)));
        }
        text
    }

    fn wake(&self, timeline: &Timeline, wake: &Wake) -> String {
        let by = match wake.by {
            By::Task(by) if by == wake.task => "itself".to_owned(),
            By::Task(by) => self.some_task(timeline, Some(by)),
            By::Clock => "the clock".to_owned(),
            By::Unknown => "one of several tasks".to_owned(),
        };
        let task = self.some_task(timeline, Some(wake.task));
        format!(
            "at {} {task} is woken by {by} (in step {})",
            wake.at, wake.step
        )
    }

    fn passed(&self, timeline: &Timeline, passed: &Passed) -> String {
        let task = self.some_task(timeline, passed.task);
        let resource = timeline.resources.get(passed.resource);
        let kind = resource.map_or(What::Future, |resource| resource.what);
        let line = resource.and_then(|resource| resource.line);
        let what = match (passed.does, passed.count) {
            (Does::Sends | Does::Receives, _) => "a value",
            (_, 1) => "a permit",
            _ => "permits",
        };
        let does = match passed.does {
            Does::Takes => "takes",
            Does::Returns => "gives back",
            Does::Sends => "sends",
            Does::Receives => "receives",
        };
        let mut text = format!(
            "at {} {task} {does} {what} of the {} made at {} (in step {})",
            passed.at,
            noun(kind),
            self.place(line),
            passed.step
        );
        if let Some(from) = passed.from {
            text.push_str(&format!(
                ", handed over by {}",
                self.some_task(timeline, Some(from))
            ));
        }
        text
    }
}

/// When a task went another way, and whether it did so by itself.
fn order(expected: Option<&Span>, came: Option<&Span>, ends: Millis) -> (Millis, Rank) {
    let from = |span: &Span| match span {
        Span::Run { from, .. } | Span::Wait { from, .. } => *from,
    };
    match (expected, came) {
        (
            Some(Span::Wait { from, to, on }),
            Some(Span::Wait {
                from: began,
                to: ended,
                on: same,
            }),
        ) if from == began && on == same => {
            let is_time = |on: &On| matches!(on.what, What::Sleep | What::Interval);
            let rank = if on.iter().all(is_time) {
                Rank::Time
            } else {
                Rank::Wait
            };
            (*to.min(ended), rank)
        }
        _ => {
            let spans = [expected, came].into_iter().flatten();
            (spans.map(from).min().unwrap_or(ends), Rank::Wait)
        }
    }
}

/// The line of the first thing that a span waits for.
fn line_of(span: Option<&Span>) -> Option<u32> {
    match span? {
        Span::Wait { on, .. } => on.iter().find_map(|on| on.line),
        Span::Run { .. } => None,
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "ended",
        Outcome::Cancelled => "was cancelled",
        Outcome::Panicked => "panicked",
        Outcome::Left => "was left unfinished",
    }
}

fn expected_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "end",
        Outcome::Cancelled => "be cancelled",
        Outcome::Panicked => "panic",
        Outcome::Left => "be left unfinished",
    }
}

/// What a wait is for, in words.
fn what(what: What) -> &'static str {
    match what {
        What::Sleep => "a sleep",
        What::Interval => "an interval",
        What::Semaphore => "a permit",
        What::Mutex => "a mutex",
        What::RwLock => "a lock",
        What::Barrier => "a barrier",
        What::Oneshot => "a oneshot channel",
        What::Channel => "a channel",
        What::Watch => "a watched value",
        What::Notify => "a notification",
        What::Cancellation => "a cancellation",
        What::Join => "a task's end",
        What::JoinNext => "the end of any task of a set",
        What::Yield => "its next turn",
        What::Future => "a future",
    }
}

/// A resource, in words.
fn noun(what: What) -> &'static str {
    match what {
        What::Mutex => "mutex",
        What::RwLock => "lock",
        What::Barrier => "barrier",
        What::Oneshot => "oneshot channel",
        What::Channel => "channel",
        _ => "semaphore",
    }
}
