//! The picture itself.

use super::lanes::{Column, Course, Lane};
use super::scale::{Moment, Scale};
use super::{Run, escape, names};
use crate::format::{Outcome, Span, Task, WokenBy};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The height of a lane, in pixels.
pub const LANE: usize = 42;

/// Below the top of a lane: the middle of its line.
const MIDDLE: usize = 30;

/// Half of a run's height.
const HALF: usize = 6;

/// The height of the scale below the lanes.
const SCALE: usize = 24;

/// Widths at which a label is to fit, in pixels: of the picture on a telephone, and on a desk. What fits only
/// the wider one is left out on the narrow one.
const NARROW: f64 = 316.0;
const WIDE: f64 = 660.0;

/// The width of a letter of a label, in pixels, on average.
const LETTER: f64 = 5.9;

/// Draws a run.
pub fn draw(run: &Run<'_>, course: &Course, scale: &Scale) -> String {
    let height = course.lanes.len() * LANE + SCALE;
    let id = format!("course-{}", run.name.replace('/', "-"));
    let mut svg = format!(
        "<svg class=\"course\" width=\"100%\" height=\"{height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" \
         data-lane=\"{LANE}\">\n<title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>\n\
         <defs><marker id=\"{id}-a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        title = escape(&format!("How the tasks of {} move", run.name)),
        description = escape(&description(run, course)),
    );
    axis(&mut svg, course, scale);
    arrows(&mut svg, run, course, scale, &id);
    for (index, lane) in course.lanes.iter().enumerate() {
        draw_lane(&mut svg, run, course, scale, index, lane);
    }
    printed(&mut svg, run, course, scale);
    svg.push_str("</svg>\n");
    svg
}

/// The run in a few sentences.
fn description(run: &Run<'_>, course: &Course) -> String {
    let timeline = run.timeline;
    let mut text = format!(
        "{} in {} of virtual time.",
        match timeline.tasks.len() {
            1 => "One task".to_owned(),
            count => format!("{count} tasks"),
        },
        names::of_time(timeline.ends)
    );
    for lane in &course.lanes {
        let task = &timeline.tasks[lane.tasks[0]];
        let _ = match lane.tasks.len() {
            1 => write!(
                text,
                " {}: {} to {}, {}.",
                lane.name,
                names::of_time(task.begins),
                names::of_time(task.ends),
                outcome(task.outcome).unwrap_or("finished"),
            ),
            _ => write!(text, " {}.", lane.name.trim_start_matches("… ")),
        };
    }
    text
}

/// How a task ended, where that is worth a word.
pub fn outcome(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Finished => None,
        Outcome::Cancelled => Some("cancelled"),
        Outcome::Panicked => Some("panicked"),
        Outcome::Unfinished => Some("not over at the end"),
    }
}

/// A place without needless digits: `12.5%`.
fn percent(x: f64) -> String {
    let tenths = (x * 10.0).round() / 10.0;
    format!("{tenths}%")
}

/// Whether a text fits a width in percent: everywhere, on a wide screen only, or nowhere.
fn fits(text: &str, width: f64) -> Option<&'static str> {
    let letters = text.chars().count() as f64 * LETTER + 6.0;
    match width / 100.0 {
        part if part * NARROW >= letters => Some(""),
        part if part * WIDE >= letters => Some(" wide"),
        _ => None,
    }
}

fn axis(svg: &mut String, course: &Course, scale: &Scale) {
    let y = course.lanes.len() * LANE;
    let _ = writeln!(
        svg,
        "<line class=\"scale\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>"
    );
    let moments: Vec<_> = scale.moments().collect();
    let mut end_before = 0.0;
    for moment in &moments {
        if moment.compressed {
            let middle = percent((end_before + moment.x) / 2.0);
            let _ = writeln!(
                svg,
                "<text class=\"cut\" x=\"{middle}\" y=\"{}\">≈</text>",
                y + 5
            );
        }
        end_before = moment.x + moment.width;
    }
    let ticks = ticks(&moments);
    for (index, (moment, ticks)) in moments.iter().zip(ticks).enumerate() {
        let Some(class) = ticks else { continue };
        let center = percent(moment.x + moment.width / 2.0);
        let (x, anchor) = match index {
            0 => ("0", " start"),
            last if last + 1 == moments.len() => ("100%", " end"),
            _ => (center.as_str(), ""),
        };
        let _ = writeln!(
            svg,
            "<line class=\"scale{class}\" x1=\"{center}\" x2=\"{center}\" y1=\"0\" y2=\"{}\"/>\
             <text class=\"tick{anchor}{class}\" x=\"{x}\" y=\"{}\">{}</text>",
            y + 4,
            y + 17,
            names::of_time(moment.at)
        );
    }
}

/// Which moments have their time below them: everywhere, on a wide screen only, or nowhere. The first and
/// the last always have it.
fn ticks(moments: &[&Moment]) -> Vec<Option<&'static str>> {
    let mut ticks = vec![None; moments.len()];
    for (on, class) in [(NARROW, ""), (WIDE, " wide")] {
        // What a label takes, in percent.
        let taken = |index: usize| {
            let moment = moments[index];
            let letters = names::of_time(moment.at).chars().count() as f64;
            let width = (letters * LETTER + 8.0) / on * 100.0;
            let from = match index {
                0 => 0.0,
                last if last + 1 == moments.len() => 100.0 - width,
                _ => moment.x + (moment.width - width) / 2.0,
            };
            (from, from + width)
        };
        for index in 0..moments.len() {
            let is_outermost = index == 0 || index + 1 == moments.len();
            let (from, to) = taken(index);
            let is_free = (0..moments.len())
                .filter(|other| ticks[*other].is_some() || *other + 1 == moments.len())
                .all(|other| taken(other).1 <= from || to <= taken(other).0);
            if ticks[index].is_none() && (is_outermost || is_free) {
                ticks[index] = Some(class);
            }
        }
    }
    ticks
}

fn arrows(svg: &mut String, run: &Run<'_>, course: &Course, scale: &Scale, id: &str) {
    let mut drawn = BTreeSet::new();
    let mut lines = String::new();
    for wake in &run.timeline.wakes {
        let WokenBy::Task(by) = wake.by else { continue };
        let (from, to) = (course.lane_of[by], course.lane_of[wake.task]);
        let Some(column) = course.column_at(wake.step, wake.at) else {
            continue;
        };
        let x = percent((scale.start(column) + scale.end(column)) / 2.0);
        if from == to || !drawn.insert((x.clone(), from, to)) {
            continue;
        }
        let (start, end) = if from < to {
            (from * LANE + MIDDLE + HALF, to * LANE + MIDDLE - 2)
        } else {
            (from * LANE + MIDDLE - HALF, to * LANE + MIDDLE + 2)
        };
        let _ = writeln!(
            lines,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"{start}\" y2=\"{end}\"/>"
        );
    }
    if !lines.is_empty() {
        let _ = writeln!(
            svg,
            "<g class=\"wake\" marker-end=\"url(#{id}-a)\">\n{lines}</g>"
        );
    }
}

fn draw_lane(
    svg: &mut String,
    run: &Run<'_>,
    course: &Course,
    scale: &Scale,
    index: usize,
    lane: &Lane,
) {
    let top = index * LANE;
    let y = top + MIDDLE;
    let tasks: Vec<&Task> = lane
        .tasks
        .iter()
        .map(|task| &run.timeline.tasks[*task])
        .collect();
    let mut ends: Vec<_> = tasks
        .iter()
        .filter_map(|task| outcome(task.outcome))
        .collect();
    ends.dedup();
    let ends = match ends.as_slice() {
        [] => String::new(),
        words => format!("<tspan class=\"end\"> · {}</tspan>", words.join(", ")),
    };
    let _ = writeln!(
        svg,
        "<text class=\"name\" x=\"0\" y=\"{}\">{}{ends}</text>",
        top + 12,
        escape(&lane.name)
    );
    let mut stretches = Stretches::default();
    for &task in &lane.tasks {
        stretches.add(run, course, scale, task);
    }
    stretches.draw(svg, y);
    let runs = course.columns.iter().filter(|column| column.lane == index);
    for column in runs {
        rectangle(svg, scale, column, y);
    }
    let cuts: BTreeSet<String> = tasks
        .iter()
        .filter(|task| matches!(task.outcome, Outcome::Cancelled | Outcome::Panicked))
        .map(|task| {
            let x = match task.outcome {
                Outcome::Cancelled => scale.after(task.ends),
                _ => last_run(course, scale, task).unwrap_or_else(|| scale.after(task.ends)),
            };
            percent(x)
        })
        .collect();
    for x in cuts {
        let _ = writeln!(
            svg,
            "<text class=\"stop\" x=\"{x}\" y=\"{}\">×</text>",
            y + 7
        );
    }
}

fn last_run(course: &Course, scale: &Scale, task: &Task) -> Option<f64> {
    let step = task.spans.iter().rev().find_map(|span| match span {
        Span::Run { step, .. } => Some(*step),
        Span::Wait { .. } => None,
    })?;
    course.column_of(step).map(|column| scale.end(column))
}

fn rectangle(svg: &mut String, scale: &Scale, column: &Column, y: usize) {
    let (start, end) = (scale.start(column), scale.end(column));
    let _ = writeln!(
        svg,
        "<rect class=\"run\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
        percent(start),
        y - HALF,
        percent(end - start),
        2 * HALF
    );
}

/// The lines of a lane, each once.
#[derive(Default)]
struct Stretches {
    /// From, to, in tenths of a percent; what for.
    waits: BTreeSet<(u32, u32, String)>,
    /// It could run, but others had their turn; or it was not begun yet.
    idle: BTreeSet<(u32, u32)>,
}

impl Stretches {
    fn add(&mut self, run: &Run<'_>, course: &Course, scale: &Scale, index: usize) {
        let task = &run.timeline.tasks[index];
        let tenths = |x: f64| (x * 10.0).round() as u32;
        let spawned = course.column_at(task.step, task.begins);
        let mut left = match spawned {
            Some(column) if task.by.is_some() => scale.end(column),
            _ => scale.before(task.begins),
        };
        let mut on: &[_] = &[];
        let mut begun = false;
        let mut stretch = |from: f64, to: f64, on: &[crate::format::Awaited]| {
            let (from, to) = (tenths(from), tenths(to));
            if from >= to {
                return;
            }
            match names::of_wait(on) {
                nothing if nothing.is_empty() => drop(self.idle.insert((from, to))),
                what => drop(self.waits.insert((from, to, what))),
            }
        };
        for span in &task.spans {
            match span {
                Span::Run { step, .. } => {
                    let Some(column) = course.column_of(*step) else {
                        continue;
                    };
                    stretch(left, scale.start(column), on);
                    left = scale.end(column);
                    (on, begun) = (&[], true);
                }
                Span::Wait { on: what, .. } => on = what,
            }
        }
        let over = matches!(task.outcome, Outcome::Finished | Outcome::Panicked) && begun;
        if !over {
            stretch(left, scale.after(task.ends), on);
        }
    }

    fn draw(&self, svg: &mut String, y: usize) {
        let line = |class: &str, from: u32, to: u32| {
            format!(
                "<line class=\"{class}\" x1=\"{}%\" x2=\"{}%\" y1=\"{y}\" y2=\"{y}\"/>",
                f64::from(from) / 10.0,
                f64::from(to) / 10.0
            )
        };
        for (from, to) in &self.idle {
            let _ = writeln!(svg, "{}", line("idle", *from, *to));
        }
        let mut labeled = 0;
        for (from, to, what) in &self.waits {
            let _ = write!(svg, "{}", line("wait", *from, *to));
            let width = f64::from(to - from) / 10.0;
            if let Some(class) = fits(what, width).filter(|_| *from >= labeled) {
                let middle = percent(f64::from(from + to) / 20.0);
                let _ = write!(
                    svg,
                    "<text class=\"what{class}\" x=\"{middle}\" y=\"{}\">{}</text>",
                    y - 4,
                    escape(what)
                );
                labeled = *to;
            }
            svg.push('\n');
        }
    }
}

/// The numbers of the printed lines, where they were printed.
fn printed(svg: &mut String, run: &Run<'_>, course: &Course, scale: &Scale) {
    for group in groups(run, course) {
        let x = match group.column {
            Some(column) => (scale.start(column) + scale.end(column)) / 2.0,
            None => scale.before(run.timeline.printed[group.first].at),
        };
        let _ = writeln!(
            svg,
            "<text class=\"print{end}\" x=\"{}\" y=\"{}\">{}</text>",
            percent(x),
            group.lane * LANE + MIDDLE - HALF - 3,
            group.numbers(),
            end = if x > 95.0 { " end" } else { "" },
        );
    }
}

/// Lines that are printed one after the other, during one column.
pub struct Group<'a> {
    /// The first and the last, as indices into the timeline's printed lines.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// Where they are drawn.
    pub lane: usize,
    /// During which column.
    pub column: Option<&'a Column>,
}

impl Group<'_> {
    /// The numbers of the lines: `3`, or `3–5`.
    pub fn numbers(&self) -> String {
        match (self.first + 1, self.last + 1) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}–{last}"),
        }
    }
}

/// The printed lines, grouped.
pub fn groups<'a>(run: &Run<'_>, course: &'a Course) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (index, line) in run.timeline.printed.iter().enumerate() {
        let column = course.column_at(line.step, line.at);
        let lane = line.task.map_or(0, |task| course.lane_of[task]);
        let place = |group: &Group<'_>| {
            (group.lane, group.column.map(|it| (it.at, it.slot)))
                == (lane, column.map(|it| (it.at, it.slot)))
        };
        match groups.last_mut() {
            Some(last) if place(last) => last.last = index,
            _ => groups.push(Group {
                first: index,
                last: index,
                lane,
                column,
            }),
        }
    }
    groups
}
