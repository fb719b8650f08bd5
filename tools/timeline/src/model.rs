//! What a recorder's log means.

mod waits;

use crate::format::{
    By, Does, Millis, On, Outcome, Passed, Printed, Resource, Span, Task, Timeline, VERSION, Wake,
    What,
};
use crate::limits::{EVENTS, TASKS};
use crate::log::{Change, Entry, Event, Place, Refused};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use waits::Waits;

/// What is spawned in a listing: its name, and the line.
pub type Site = (String, u32);

/// Makes a timeline of a log. `site` tells what is spawned at a place in the listing, or given to a runtime.
///
/// # Errors
///
/// The listing has no timeline.
pub fn timeline(
    log: &[Entry],
    site: impl Fn(&Place, bool) -> Option<Site>,
) -> Result<Timeline, Refused> {
    let refused = log.iter().find_map(|Entry(_, event)| match event {
        Event::Refused(why) => Some(why.clone()),
        _ => None,
    });
    if let Some(why) = refused {
        return Err(why);
    }
    let drops = drops(log);
    let mut model = Model::default();
    for (index, Entry(at, event)) in log.iter().enumerate() {
        model.now = *at;
        match event {
            Event::Task { span, main, at } => {
                let site = at.as_ref().and_then(|place| site(place, *main));
                model.spawn(*span, *main, site);
            }
            Event::Enter(span) => model.enter(*span, drops.contains(&index)),
            Event::Exit { span, panicking } => model.exit(*span, *panicking),
            Event::Close(span) => model.close(*span),
            other => model.happens(other),
        }
    }
    model.end()
}

/// The entries at which a task is entered to be dropped: the last time before it is gone.
fn drops(log: &[Entry]) -> BTreeSet<usize> {
    let mut entered = HashMap::new();
    let mut drops = BTreeSet::new();
    for (index, Entry(_, event)) in log.iter().enumerate() {
        match event {
            Event::Enter(span) => {
                entered.insert(*span, index);
            }
            Event::Close(span) => drops.extend(entered.remove(span)),
            _ => {}
        }
    }
    drops
}

/// A task while it lives.
struct Lane {
    task: Task,
    main: bool,
    waits: Waits,
    /// Woken, and not polled since.
    woken: bool,
    /// How often any task had been entered when this one was left.
    left: usize,
    panicked: bool,
    over: bool,
}

/// A resource as the log tells it.
struct Made {
    kind: String,
    line: Option<u32>,
    inside: Option<u64>,
}

#[derive(Default)]
struct Model {
    now: u64,
    /// How many polls there were.
    polls: usize,
    /// How often a task was entered, to be polled or dropped.
    entered: usize,
    lanes: Vec<Lane>,
    by_span: HashMap<u64, usize>,
    made: HashMap<u64, Made>,
    /// The resources that were used, by their span.
    used: BTreeMap<u64, usize>,
    resources: Vec<Resource>,
    /// The tasks that are being polled, or dropped; the innermost last.
    current: Vec<usize>,
    /// A task that ended, and when, while no other has run since.
    ended: Option<(usize, u64)>,
    /// The tasks that ran since a main future was left, and since the clock moved; and when that was.
    ran: Vec<usize>,
    ran_at: u64,
    runtimes: usize,
    wakes: Vec<Wake>,
    passed: Vec<Passed>,
    printed: Vec<Printed>,
    /// What was printed without a line end.
    unfinished: Option<Printed>,
}

impl Model {
    fn at(&self) -> Millis {
        Millis::from_micros(self.now)
    }

    fn step(&self) -> usize {
        self.polls.saturating_sub(1)
    }

    fn spawn(&mut self, span: u64, main: bool, site: Option<Site>) {
        let (name, line) = site.unzip();
        let index = self.lanes.len();
        self.by_span.insert(span, index);
        self.runtimes += usize::from(main);
        self.lanes.push(Lane {
            task: Task {
                name: name.unwrap_or_else(|| "task".to_owned()),
                line,
                by: self.current.last().copied(),
                step: self.step(),
                begins: self.at(),
                ends: self.at(),
                outcome: Outcome::Left,
                spans: Vec::new(),
            },
            main,
            waits: Waits::default(),
            // A new task is polled without being woken.
            woken: true,
            left: 0,
            panicked: false,
            over: false,
        });
    }

    fn enter(&mut self, span: u64, drops: bool) {
        let Some(&index) = self.by_span.get(&span) else {
            return;
        };
        self.entered += 1;
        self.current.push(index);
        let at = self.at();
        if drops {
            self.lanes[index].waited_until(at);
            let outcome = self.outcome(index);
            self.lanes[index].task.outcome = outcome;
            return;
        }
        self.forget_who_ran_before();
        if self.lanes[index].main {
            self.wake_main(index);
        } else if !self.ran.contains(&index) {
            self.ran.push(index);
        }
        self.ended = None;
        let step = self.polls;
        self.polls += 1;
        let lane = &mut self.lanes[index];
        lane.woken = false;
        lane.waited_until(at);
        lane.task.spans.push(Span::Run {
            step,
            from: at,
            to: at,
        });
    }

    /// How a task ends that is dropped now.
    fn outcome(&self, index: usize) -> Outcome {
        let lane = &self.lanes[index];
        // A future that is ready is dropped at once, and awaits nothing any more.
        let at_once = lane.left + 1 == self.entered && lane.left_at() == Some(self.at());
        if lane.panicked {
            Outcome::Panicked
        } else if at_once && lane.waits.is_empty() {
            Outcome::Finished
        } else if self.runtimes == 0 {
            Outcome::Left
        } else {
            Outcome::Cancelled
        }
    }

    fn exit(&mut self, span: u64, panicking: bool) {
        let Some(&index) = self.by_span.get(&span) else {
            return;
        };
        self.current.pop();
        let (at, now) = (self.at(), self.now);
        let on = self.waits_for(index);
        let lane = &mut self.lanes[index];
        if lane.task.outcome != Outcome::Left || lane.over {
            return;
        }
        lane.panicked |= panicking;
        lane.left = self.entered;
        if let Some(Span::Run { to, .. }) = lane.task.spans.last_mut() {
            *to = at;
            lane.task.spans.push(Span::Wait {
                from: at,
                to: at,
                on,
            });
        }
        if lane.main {
            self.ran.clear();
            self.ran_at = now;
        }
    }

    fn close(&mut self, span: u64) {
        for lane in &mut self.lanes {
            lane.waits.op_is_gone(span);
        }
        let Some(index) = self.by_span.remove(&span) else {
            return;
        };
        let now = self.now;
        let lane = &mut self.lanes[index];
        lane.over = true;
        if matches!(lane.task.outcome, Outcome::Finished | Outcome::Panicked) {
            // The wait that was noted when it was left did not come.
            lane.task.spans.pop();
        }
        lane.task.ends = Millis::from_micros(now);
        self.runtimes -= usize::from(lane.main);
        self.ended = Some((index, now));
    }

    fn happens(&mut self, event: &Event) {
        let current = self.current.last().copied();
        match event {
            Event::Resource {
                span,
                kind,
                line,
                inside,
            } => {
                let made = Made {
                    kind: kind.clone(),
                    line: *line,
                    inside: *inside,
                };
                self.made.insert(*span, made);
                self.used.remove(span);
            }
            Event::Op {
                span,
                resource,
                ready,
                mark,
            } => {
                let resource = resource.map(|resource| self.outermost(resource));
                if let Some(current) = current {
                    self.lanes[current].waits.op(*span, resource, *ready, *mark);
                }
            }
            Event::Waits { path, call, future } => {
                if let Some(current) = current {
                    self.lanes[current].waits.mark(path, call, future);
                }
            }
            Event::Over(mark) => {
                for lane in &mut self.lanes {
                    lane.waits.mark_is_over(*mark);
                }
            }
            Event::Wake(span) => self.wake(*span),
            Event::Obtained {
                op,
                resource,
                count,
            } => {
                let waiting = self.lanes.iter().position(|lane| lane.waits.has_op(*op));
                let taker = waiting.or(current);
                let from = current.filter(|from| Some(*from) != taker);
                if let Some(resource) = resource {
                    self.pass(*resource, taker, Does::Takes, *count, from);
                }
            }
            Event::Changed { resource, what } => {
                let (does, count) = match what {
                    Change::Returned(count) => (Does::Returns, *count),
                    Change::Sent => (Does::Sends, 1),
                    Change::Received => (Does::Receives, 1),
                };
                self.pass(*resource, current, does, count, None);
            }
            Event::Printed { line, text } => self.print(*line, text),
            Event::Refused(_)
            | Event::Task { .. }
            | Event::Enter(_)
            | Event::Exit { .. }
            | Event::Close(_) => {}
        }
    }

    /// The resource that this one is a part of.
    fn outermost(&self, mut resource: u64) -> u64 {
        while let Some(around) = self.made.get(&resource).and_then(|made| made.inside) {
            resource = around;
        }
        resource
    }

    fn kind(&self, resource: u64) -> What {
        self.made
            .get(&resource)
            .map_or(What::Future, |made| waits::what(&made.kind, made.line))
    }

    /// The number of a resource in the timeline; none for what is no one's to share.
    fn resource(&mut self, span: u64) -> Option<usize> {
        let what = self.kind(span);
        if matches!(what, What::Sleep | What::Interval | What::Future) {
            return None;
        }
        let line = self.made.get(&span).and_then(|made| made.line);
        let next = self.resources.len();
        let index = *self.used.entry(span).or_insert(next);
        if index == next {
            self.resources.push(Resource { what, line });
        }
        Some(index)
    }

    fn waits_for(&mut self, index: usize) -> Vec<On> {
        let waiting = self.lanes[index].waits.now();
        let mut on: Vec<On> = Vec::new();
        for (mut item, resource) in waiting {
            if let Some(span) = resource {
                item.what = self.kind(span);
                item.resource = self.resource(span);
                if item.line.is_none() {
                    item.line = self.made.get(&span).and_then(|made| made.line);
                }
            }
            let alike = |known: &&mut On| {
                On {
                    count: 1,
                    ..(**known).clone()
                } == item
            };
            match on.iter_mut().find(alike) {
                Some(known) => known.count += 1,
                None => on.push(item),
            }
        }
        // An interval sleeps until its next tick.
        let ticks: Vec<_> = on
            .iter()
            .filter(|on| on.what == What::Interval)
            .cloned()
            .collect();
        on.retain(|on| {
            let is_sleep = |tick: &On| {
                On {
                    what: What::Sleep,
                    ..tick.clone()
                } == *on
            };
            !ticks.iter().any(is_sleep)
        });
        on
    }

    fn pass(
        &mut self,
        resource: u64,
        task: Option<usize>,
        does: Does,
        count: u64,
        from: Option<usize>,
    ) {
        let resource = self.outermost(resource);
        if let Some(resource) = self.resource(resource) {
            self.passed.push(Passed {
                step: self.step(),
                at: self.at(),
                task,
                does,
                count,
                resource,
                from,
            });
        }
    }

    fn wake(&mut self, span: u64) {
        let Some(&task) = self.by_span.get(&span) else {
            return;
        };
        let lane = &self.lanes[task];
        // What is over, and what is woken already, goes on no sooner.
        if lane.woken || lane.over {
            return;
        }
        let by = match (self.current.last(), self.ended) {
            (Some(&by), _) => By::Task(by),
            (None, Some((by, at))) if at == self.now && !lane.waits_for_time_only() => By::Task(by),
            (None, _) if lane.waits_for(What::Yield) => By::Task(task),
            (None, _) => By::Clock,
        };
        self.note_wake(task, by);
        self.lanes[task].woken = true;
    }

    fn note_wake(&mut self, task: usize, by: By) {
        self.wakes.push(Wake {
            step: self.step(),
            at: self.at(),
            task,
            by,
        });
    }

    /// After the clock has moved, who ran before woke nobody who runs from now on.
    fn forget_who_ran_before(&mut self) {
        if self.now > self.ran_at {
            self.ran.clear();
            self.ran_at = self.now;
        }
    }

    /// Tokio does not tell who wakes a main future. It is polled before all tasks once it is woken, so
    /// it was one of those that ran since it was left.
    fn wake_main(&mut self, index: usize) {
        let lane = &self.lanes[index];
        let Some(left_at) = lane.left_at() else {
            // Its first poll.
            return;
        };
        let by = match self.ran.as_slice() {
            [] if left_at < self.at() => By::Clock,
            // No timer is due before the clock moves.
            [] => By::Task(index),
            [one] => By::Task(*one),
            several => self
                .first_joined(index, several)
                .map_or(By::Unknown, By::Task),
        };
        self.note_wake(index, by);
    }

    /// The first that ended of several tasks of a set, where a task waits for any of them.
    fn first_joined(&self, index: usize, several: &[usize]) -> Option<usize> {
        let mut ended = several.iter().filter(|task| self.lanes[**task].over);
        let first = *ended.next()?;
        let site = |task: usize| (self.lanes[task].task.by, self.lanes[task].task.line);
        let waits = self.lanes[index].last_wait();
        let is_certain = waits.iter().all(|on| on.what == What::JoinNext)
            && !waits.is_empty()
            && site(first).0 == Some(index)
            && ended.all(|task| site(*task) == site(first));
        is_certain.then_some(first)
    }

    fn print(&mut self, line: u32, text: &str) {
        for piece in text.split_inclusive('\n') {
            let mut printed = self.unfinished.take().unwrap_or_else(|| Printed {
                step: self.step(),
                at: self.at(),
                task: self.current.last().copied(),
                line,
                text: String::new(),
            });
            printed.text.push_str(piece.trim_end_matches('\n'));
            if piece.ends_with('\n') {
                self.printed.push(printed);
            } else {
                self.unfinished = Some(printed);
            }
        }
    }

    fn end(mut self) -> Result<Timeline, Refused> {
        if !self.lanes.iter().any(|lane| lane.main) {
            return Err(Refused::NoRuntime);
        }
        self.printed.extend(self.unfinished.take());
        let mains = self.lanes.iter().filter(|lane| lane.main && lane.over);
        let ends = mains.map(|lane| lane.task.ends).max().unwrap_or(self.at());
        let mut tasks = Vec::new();
        for mut lane in self.lanes {
            if lane.task.outcome == Outcome::Left {
                lane.waited_until(ends);
                lane.task.ends = ends;
            }
            tasks.push(lane.task);
        }
        let spans: usize = tasks.iter().map(|task| task.spans.len()).sum();
        let events = spans + self.wakes.len() + self.passed.len() + self.printed.len();
        if tasks.len() > TASKS {
            return Err(Refused::TooManyTasks);
        }
        if events > EVENTS {
            return Err(Refused::TooManyEvents);
        }
        Ok(Timeline {
            version: VERSION,
            ends,
            tasks,
            resources: self.resources,
            wakes: self.wakes,
            passed: self.passed,
            printed: self.printed,
        })
    }
}

impl Lane {
    /// When it was last left, where it was ever polled.
    fn left_at(&self) -> Option<Millis> {
        match self.task.spans.last() {
            Some(Span::Wait { from, .. }) => Some(*from),
            Some(Span::Run { to, .. }) => Some(*to),
            None => None,
        }
    }

    /// Ends its last wait.
    fn waited_until(&mut self, at: Millis) {
        if let Some(Span::Wait { to, .. }) = self.task.spans.last_mut() {
            *to = at;
        }
    }

    /// What its last wait is for.
    fn last_wait(&self) -> &[On] {
        match self.task.spans.last() {
            Some(Span::Wait { on, .. }) => on,
            _ => &[],
        }
    }

    fn waits_for(&self, what: What) -> bool {
        self.last_wait().iter().any(|on| on.what == what)
    }

    fn waits_for_time_only(&self) -> bool {
        let is_time = |what| matches!(what, What::Sleep | What::Interval);
        let on = self.last_wait();
        !on.is_empty() && on.iter().all(|on| is_time(on.what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Mark;

    fn task(span: u64, main: bool) -> Event {
        let at = Some(Place { line: 1, column: 1 });
        Event::Task { span, main, at }
    }

    fn exit(span: u64) -> Event {
        let panicking = false;
        Event::Exit { span, panicking }
    }

    fn waits(mark: u64) -> Event {
        Event::Waits {
            path: vec![Mark(mark, 7)],
            call: "wait".to_owned(),
            future: "&mut tokio::runtime::task::join::JoinHandle<()>".to_owned(),
        }
    }

    fn of(log: Vec<(u64, Event)>) -> Result<Timeline, Refused> {
        let log: Vec<_> = log
            .into_iter()
            .map(|(at, event)| Entry(at, event))
            .collect();
        timeline(&log, |_, main| {
            Some((if main { "main" } else { "other" }.to_owned(), 1))
        })
    }

    /// `main` waits for a task, which yields once.
    fn log() -> Vec<(u64, Event)> {
        vec![
            (0, task(1, true)),
            (0, Event::Enter(1)),
            (0, task(2, false)),
            (0, waits(0)),
            (0, exit(1)),
            (0, Event::Enter(2)),
            (0, Event::Wake(2)),
            (0, Event::Wake(2)),
            (0, exit(2)),
            (5, Event::Enter(2)),
            (5, exit(2)),
            (5, Event::Enter(2)),
            (5, exit(2)),
            (5, Event::Close(2)),
            (5, Event::Enter(1)),
            (5, Event::Over(0)),
            (5, exit(1)),
            (5, Event::Enter(1)),
            (5, exit(1)),
            (5, Event::Close(1)),
        ]
    }

    #[test]
    fn a_future_that_is_dropped_at_once_has_finished() {
        let timeline = of(log()).unwrap();
        let outcomes: Vec<_> = timeline.tasks.iter().map(|task| task.outcome).collect();
        assert_eq!(outcomes, [Outcome::Finished; 2]);
        let spans: Vec<_> = timeline.tasks.iter().map(|task| task.spans.len()).collect();
        assert_eq!(spans, [3, 3]);
    }

    #[test]
    fn who_wakes_is_told_once() {
        let wakes = of(log()).unwrap().wakes;
        let told: Vec<_> = wakes.iter().map(|wake| (wake.task, wake.by)).collect();
        assert_eq!(told, [(1, By::Task(1)), (0, By::Task(1))]);
    }

    #[test]
    fn what_a_process_leaves_behind_when_it_ends_is_left() {
        let mut log = log();
        log.truncate(9);
        let timeline = of(log).unwrap();
        let outcomes: Vec<_> = timeline.tasks.iter().map(|task| task.outcome).collect();
        assert_eq!(outcomes, [Outcome::Left; 2]);
        let Some(Span::Wait { on, .. }) = timeline.tasks[0].spans.last() else {
            panic!("main waits: {timeline:?}");
        };
        assert_eq!((on[0].what, on[0].line), (What::Join, Some(7)));
    }

    #[test]
    fn a_log_without_a_runtime_or_with_a_refusal_is_no_timeline() {
        assert_eq!(of(vec![]), Err(Refused::NoRuntime));
        let mut log = log();
        log.push((9, Event::Refused(Refused::NotPaused)));
        assert_eq!(of(log), Err(Refused::NotPaused));
    }
}
