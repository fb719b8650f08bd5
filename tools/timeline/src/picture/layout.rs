//! Which tasks share a lane, and in which order they are polled.

use super::names;
use crate::Timeline;
use crate::format::{Millis, Span, Task};
use std::collections::{BTreeSet, HashMap};

/// With more tasks than this, tasks that are alike share a lane.
const MAX_TASKS: usize = 10;

/// If more tasks than this in a row are alike, only the first and the last ones have lanes of their own.
const MAX_ALIKE: usize = 5;

/// The most lanes of a picture.
const MAX_LANES: usize = 16;

/// With more columns than this at one moment, the polls of each lane share one.
const MAX_COLUMNS_OF_A_MOMENT: usize = 12;

/// One task, or several that are alike.
pub struct Lane {
    /// What is written above it.
    pub name: String,
    /// Its tasks, by their index in the timeline.
    pub tasks: Vec<usize>,
}

/// Polls of one lane that are drawn as one.
#[derive(Debug, Clone)]
pub struct Column {
    /// When.
    pub at: Millis,
    /// Which lane.
    pub lane: usize,
    /// Its place among the columns of the same moment; the scale sets it.
    pub slot: usize,
    /// The polls, in order.
    pub polls: Vec<Poll>,
}

/// A poll of a task.
#[derive(Debug, Clone, Copy)]
pub struct Poll {
    /// Which task.
    pub task: usize,
    /// Its span there.
    pub span: usize,
    /// Which poll of all.
    pub step: usize,
    /// When it returned.
    pub to: Millis,
}

/// The lanes of a run, and what is drawn in them.
pub struct Layout {
    /// A name for each task.
    pub names: Vec<String>,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
    /// In the order of the polls.
    pub columns: Vec<Column>,
    /// The lane of each task.
    pub lane_of: Vec<usize>,
    /// All times at which anything happens.
    pub moments: Vec<Millis>,
    by_step: HashMap<usize, usize>,
}

impl Layout {
    /// Lays out a run.
    ///
    /// Fails if the run has too many tasks that aren't alike.
    pub fn of(timeline: &Timeline) -> Result<Self, String> {
        let names = names::of_tasks(timeline);
        let lanes = lanes(timeline, &names);
        if lanes.len() > MAX_LANES {
            return Err(format!(
                "a picture has room for {MAX_LANES} lanes, and this run has {}, although alike tasks share \
                 one; let the listing spawn fewer tasks",
                lanes.len()
            ));
        }
        let mut lane_of = vec![0; timeline.tasks.len()];
        for (index, lane) in lanes.iter().enumerate() {
            for &task in &lane.tasks {
                lane_of[task] = index;
            }
        }
        let columns = columns(timeline, &lane_of);
        let mut by_step = HashMap::new();
        for (index, column) in columns.iter().enumerate() {
            by_step.extend(column.polls.iter().map(|poll| (poll.step, index)));
        }
        Ok(Self {
            names,
            lanes,
            columns,
            lane_of,
            moments: moments(timeline),
            by_step,
        })
    }

    /// The column during which something happened: that of its step, unless time has passed since.
    pub fn column_at(&self, step: usize, at: Millis) -> Option<&Column> {
        let column = &self.columns[*self.by_step.get(&step)?];
        (column.at == at).then_some(column)
    }

    /// The column of a poll.
    pub fn column_of(&self, step: usize) -> Option<&Column> {
        self.by_step.get(&step).map(|index| &self.columns[*index])
    }

    /// The printed lines, grouped by the column that prints them.
    pub fn printed(&self, timeline: &Timeline) -> Vec<PrintedGroup<'_>> {
        let mut groups: Vec<PrintedGroup<'_>> = Vec::new();
        for (index, line) in timeline.printed.iter().enumerate() {
            let column = self.column_at(line.step, line.at);
            let lane = line.task.map_or(0, |task| self.lane_of[task]);
            let place = |lane: usize, column: Option<&Column>| {
                (lane, column.map(|column| (column.at, column.slot)))
            };
            match groups.last_mut() {
                Some(last) if place(last.lane, last.column) == place(lane, column) => {
                    last.last = index;
                }
                _ => groups.push(PrintedGroup {
                    first: index,
                    last: index,
                    lane,
                    column,
                }),
            }
        }
        groups
    }
}

/// Lines that are printed one after the other, during one column.
pub struct PrintedGroup<'a> {
    /// The first line, as an index into the timeline's printed lines.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// The lane of the task that prints them.
    pub lane: usize,
    /// During which column.
    pub column: Option<&'a Column>,
}

impl PrintedGroup<'_> {
    /// The numbers of the lines: `3`, or `3–5`.
    pub fn numbers(&self) -> String {
        match (self.first + 1, self.last + 1) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}–{last}"),
        }
    }
}

fn lanes(timeline: &Timeline, names: &[String]) -> Vec<Lane> {
    let lane = |tasks: std::ops::Range<usize>| Lane {
        name: match tasks.len() {
            1 => names[tasks.start].clone(),
            many => format!("… {many} more, like these"),
        },
        tasks: tasks.collect(),
    };
    let alike = |a: &Task, b: &Task| (&a.name, a.line, a.by) == (&b.name, b.line, b.by);
    let mut lanes = Vec::new();
    let mut start = 0;
    for row in timeline.tasks.chunk_by(alike) {
        let end = start + row.len();
        if timeline.tasks.len() > MAX_TASKS && row.len() > MAX_ALIKE {
            lanes.extend((start..start + 3).map(|task| lane(task..task + 1)));
            lanes.push(lane(start + 3..end - 1));
            lanes.push(lane(end - 1..end));
        } else {
            lanes.extend((start..end).map(|task| lane(task..task + 1)));
        }
        start = end;
    }
    lanes
}

fn columns(timeline: &Timeline, lane_of: &[usize]) -> Vec<Column> {
    let mut polls = Vec::new();
    for (task, run) in timeline.tasks.iter().enumerate() {
        for (span, item) in run.spans.iter().enumerate() {
            if let Span::Run { step, from, to } = *item {
                polls.push((
                    from,
                    Poll {
                        task,
                        span,
                        step,
                        to,
                    },
                ));
            }
        }
    }
    polls.sort_by_key(|(_, poll)| poll.step);
    let mut columns: Vec<Column> = Vec::new();
    for moment in polls.chunk_by(|a, b| a.0 == b.0) {
        let mut now: Vec<Column> = Vec::new();
        for &(at, poll) in moment {
            let lane = lane_of[poll.task];
            match now.last_mut() {
                Some(last) if last.lane == lane => last.polls.push(poll),
                _ => now.push(Column {
                    at,
                    lane,
                    slot: 0,
                    polls: vec![poll],
                }),
            }
        }
        if now.len() > MAX_COLUMNS_OF_A_MOMENT {
            let mut by_lane: Vec<Column> = Vec::new();
            for column in now {
                match by_lane.iter_mut().find(|known| known.lane == column.lane) {
                    Some(known) => known.polls.extend(column.polls),
                    None => by_lane.push(column),
                }
            }
            now = by_lane;
        }
        columns.extend(now);
    }
    columns
}

fn moments(timeline: &Timeline) -> Vec<Millis> {
    let mut moments = BTreeSet::from([Millis::from_micros(0), timeline.ends]);
    for task in &timeline.tasks {
        moments.extend([task.begins, task.ends]);
        for span in &task.spans {
            if let Span::Run { from, to, .. } = span {
                moments.extend([*from, *to]);
            }
        }
    }
    moments.extend(timeline.printed.iter().map(|printed| printed.at));
    moments.into_iter().collect()
}
