//! The picture itself.

use super::layout::{Column, Lane, Layout};
use super::scale::{Moment, Scale};
use super::{Run, escape, names};
use crate::format::{Awaited, Outcome, Span, Task, WokenBy};
use std::collections::BTreeSet;
use std::fmt::Display;

/// The height of a lane, in pixels.
const LANE: usize = 42;

/// Below the top of a lane: the middle of its line.
const MIDDLE: usize = 30;

/// Half of the height of a run.
const HALF: usize = 6;

/// The height of the scale below the lanes.
const SCALE: usize = 24;

/// The width of the picture on a phone and on a desktop, in pixels. A label that fits only the wider one is left out
/// on the narrow one.
const NARROW: f64 = 316.0;
const WIDE: f64 = 660.0;

/// The average width of a letter of a label, in pixels.
const LETTER: f64 = 5.9;

/// A picture that is being drawn.
struct Drawing<'a> {
    run: &'a Run<'a>,
    layout: &'a Layout,
    scale: &'a Scale,
    svg: String,
}

/// Draws a run.
pub fn draw(run: &Run<'_>, layout: &Layout, scale: &Scale) -> String {
    let height = layout.lanes.len() * LANE + SCALE;
    let id = format!("course-{}", run.name.replace('/', "-"));
    let svg = format!(
        "<svg class=\"course\" width=\"100%\" height=\"{height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" \
         data-lane=\"{LANE}\">\n<title id=\"{id}-t\">{title}</title>\n<desc id=\"{id}-d\">{description}</desc>\n\
         <defs><marker id=\"{id}-a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        title = escape(&format!("How the tasks of {} move", run.name)),
        description = escape(&description(run, layout)),
    );
    let mut drawing = Drawing {
        run,
        layout,
        scale,
        svg,
    };
    drawing.axis();
    drawing.arrows(&id);
    for (index, lane) in layout.lanes.iter().enumerate() {
        drawing.lane(index, lane);
    }
    drawing.printed();
    drawing.add("</svg>");
    drawing.svg
}

/// The run in a few sentences.
fn description(run: &Run<'_>, layout: &Layout) -> String {
    let timeline = run.timeline;
    let count = match timeline.tasks.len() {
        1 => "One task".to_owned(),
        count => format!("{count} tasks"),
    };
    let mut text = format!(
        "{count} in {} of virtual time.",
        names::of_time(timeline.ends)
    );
    for lane in &layout.lanes {
        let task = &timeline.tasks[lane.tasks[0]];
        text.push_str(&match lane.tasks.len() {
            1 => format!(
                " {}: {} to {}, {}.",
                lane.name,
                names::of_time(task.begins),
                names::of_time(task.ends),
                outcome(task.outcome).unwrap_or("finished"),
            ),
            _ => format!(" {}.", lane.name.trim_start_matches("… ")),
        });
    }
    text
}

/// How a task ended, unless it just finished.
fn outcome(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Finished => None,
        Outcome::Cancelled => Some("canceled"),
        Outcome::Panicked => Some("panicked"),
        Outcome::Unfinished => Some("not over at the end"),
    }
}

/// A place without needless digits: `12.5%`.
fn percent(x: f64) -> String {
    let tenths = (x * 10.0).round() / 10.0;
    format!("{tenths}%")
}

fn text(class: &str, x: impl Display, y: usize, content: impl Display) -> String {
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{content}</text>")
}

fn line(class: &str, (x1, x2): (impl Display, impl Display), (y1, y2): (usize, usize)) -> String {
    format!("<line class=\"{class}\" x1=\"{x1}\" x2=\"{x2}\" y1=\"{y1}\" y2=\"{y2}\"/>")
}

/// The class of a text that fits a width in percent: on every screen, on a wide one only, or (`None`) on none.
fn fits(text: &str, width: f64) -> Option<&'static str> {
    let letters = text.chars().count() as f64 * LETTER + 6.0;
    match width / 100.0 {
        part if part * NARROW >= letters => Some(""),
        part if part * WIDE >= letters => Some(" wide"),
        _ => None,
    }
}

/// The class of the time below each moment, as [`fits`] has it. The first and the last moment always have their time.
fn ticks(moments: &[&Moment]) -> Vec<Option<&'static str>> {
    let mut ticks = vec![None; moments.len()];
    for (on, class) in [(NARROW, ""), (WIDE, " wide")] {
        // The space that a label needs, in percent.
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

impl Drawing<'_> {
    fn add(&mut self, element: impl AsRef<str>) {
        self.svg.push_str(element.as_ref());
        self.svg.push('\n');
    }

    fn axis(&mut self) {
        let y = self.layout.lanes.len() * LANE;
        self.add(line("scale", (0, "100%"), (y, y)));
        let moments: Vec<_> = self.scale.moments().collect();
        let mut end_before = 0.0;
        for moment in &moments {
            if moment.compressed {
                self.add(text(
                    "cut",
                    percent((end_before + moment.x) / 2.0),
                    y + 5,
                    "≈",
                ));
            }
            end_before = moment.x + moment.width;
        }
        for (index, (moment, class)) in moments.iter().zip(ticks(&moments)).enumerate() {
            let Some(class) = class else { continue };
            let center = percent(moment.x + moment.width / 2.0);
            let (x, anchor) = match index {
                0 => ("0", " start"),
                last if last + 1 == moments.len() => ("100%", " end"),
                _ => (center.as_str(), ""),
            };
            let tick = line(&format!("scale{class}"), (&center, &center), (0, y + 4));
            let time = names::of_time(moment.at);
            self.add(tick + &text(&format!("tick{anchor}{class}"), x, y + 17, time));
        }
    }

    /// The middle of a column.
    fn middle(&self, column: &Column) -> f64 {
        (self.scale.start(column) + self.scale.end(column)) / 2.0
    }

    fn arrows(&mut self, id: &str) {
        let mut drawn = BTreeSet::new();
        let mut lines = String::new();
        for wake in &self.run.timeline.wakes {
            let WokenBy::Task(by) = wake.by else { continue };
            let (from, to) = (self.layout.lane_of[by], self.layout.lane_of[wake.task]);
            let Some(column) = self.layout.column_at(wake.step, wake.at) else {
                continue;
            };
            let x = percent(self.middle(column));
            if from == to || !drawn.insert((x.clone(), from, to)) {
                continue;
            }
            let (y1, y2) = if from < to {
                (from * LANE + MIDDLE + HALF, to * LANE + MIDDLE - 2)
            } else {
                (from * LANE + MIDDLE - HALF, to * LANE + MIDDLE + 2)
            };
            lines += &format!("<line x1=\"{x}\" x2=\"{x}\" y1=\"{y1}\" y2=\"{y2}\"/>\n");
        }
        if !lines.is_empty() {
            self.add(format!(
                "<g class=\"wake\" marker-end=\"url(#{id}-a)\">\n{lines}</g>"
            ));
        }
    }

    fn lane(&mut self, index: usize, lane: &Lane) {
        let (run, layout, scale) = (self.run, self.layout, self.scale);
        let top = index * LANE;
        let y = top + MIDDLE;
        let tasks = || lane.tasks.iter().map(|task| &run.timeline.tasks[*task]);
        let mut ends: Vec<_> = tasks().filter_map(|task| outcome(task.outcome)).collect();
        ends.dedup();
        let ends = match ends.as_slice() {
            [] => String::new(),
            words => format!("<tspan class=\"end\"> · {}</tspan>", words.join(", ")),
        };
        self.add(text("name", 0, top + 12, escape(&lane.name) + &ends));
        let mut segments = Segments::default();
        for task in tasks() {
            segments.add(layout, scale, task);
        }
        self.segments(segments, y);
        for column in layout.columns.iter().filter(|column| column.lane == index) {
            let (start, end) = (scale.start(column), scale.end(column));
            self.add(format!(
                "<rect class=\"run\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                percent(start),
                y - HALF,
                percent(end - start),
                2 * HALF
            ));
        }
        let stop = |task: &Task| match task.outcome {
            Outcome::Cancelled => Some(scale.after(task.ends)),
            Outcome::Panicked => {
                Some(last_run(layout, scale, task).unwrap_or_else(|| scale.after(task.ends)))
            }
            _ => None,
        };
        let stops: BTreeSet<String> = tasks().filter_map(stop).map(percent).collect();
        for x in stops {
            self.add(text("stop", x, y + 7, "×"));
        }
    }

    fn segments(&mut self, segments: Segments, y: usize) {
        let segment = |class: &str, from: u32, to: u32| {
            let [from, to] = [from, to].map(|tenths| percent(f64::from(tenths) / 10.0));
            line(class, (from, to), (y, y))
        };
        for (from, to) in segments.idle {
            self.add(segment("idle", from, to));
        }
        let mut labeled = 0;
        for (from, to, what) in segments.waits {
            let mut wait = segment("wait", from, to);
            let width = f64::from(to - from) / 10.0;
            if let Some(class) = fits(&what, width).filter(|_| from >= labeled) {
                let middle = percent(f64::from(from + to) / 20.0);
                wait += &text(&format!("what{class}"), middle, y - 4, escape(&what));
                labeled = to;
            }
            self.add(wait);
        }
    }

    /// The numbers of the printed lines, at the polls that print them.
    fn printed(&mut self) {
        for group in self.layout.printed(self.run.timeline) {
            let x = match group.column {
                Some(column) => self.middle(column),
                None => self.scale.before(self.run.timeline.printed[group.first].at),
            };
            let class = if x > 95.0 { "print end" } else { "print" };
            let y = group.lane * LANE + MIDDLE - HALF - 3;
            self.add(text(class, percent(x), y, group.numbers()));
        }
    }
}

fn last_run(layout: &Layout, scale: &Scale, task: &Task) -> Option<f64> {
    let step = task.spans.iter().rev().find_map(|span| match span {
        Span::Run { step, .. } => Some(*step),
        Span::Wait { .. } => None,
    })?;
    layout.column_of(step).map(|column| scale.end(column))
}

/// The lines of a lane, each only once even if several tasks share the lane.
#[derive(Default)]
struct Segments {
    /// From, to, in tenths of a percent; what for.
    waits: BTreeSet<(u32, u32, String)>,
    /// The task was ready, but other tasks ran; or it wasn't polled yet.
    idle: BTreeSet<(u32, u32)>,
}

impl Segments {
    fn add(&mut self, layout: &Layout, scale: &Scale, task: &Task) {
        let tenths = |x: f64| (x * 10.0).round() as u32;
        let spawned = layout.column_at(task.step, task.begins);
        let mut left = match spawned {
            Some(column) if task.by.is_some() => scale.end(column),
            _ => scale.before(task.begins),
        };
        let mut on: &[Awaited] = &[];
        let mut is_polled = false;
        let mut segment = |from: f64, to: f64, on: &[Awaited]| {
            let (from, to) = (tenths(from), tenths(to));
            let what = names::of_wait(on);
            if from < to && what.is_empty() {
                self.idle.insert((from, to));
            } else if from < to {
                self.waits.insert((from, to, what));
            }
        };
        for span in &task.spans {
            match span {
                Span::Run { step, .. } => {
                    let Some(column) = layout.column_of(*step) else {
                        continue;
                    };
                    segment(left, scale.start(column), on);
                    left = scale.end(column);
                    (on, is_polled) = (&[], true);
                }
                Span::Wait { on: awaited, .. } => on = awaited,
            }
        }
        let has_ended = matches!(task.outcome, Outcome::Finished | Outcome::Panicked);
        if !(has_ended && is_polled) {
            segment(left, scale.after(task.ends), on);
        }
    }
}
