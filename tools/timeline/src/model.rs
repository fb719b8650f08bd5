//! Makes a timeline of a recorder's log.

mod waits;
mod wakes;

use crate::format::{
    Awaited, Millis, Outcome, Printed, Resource, ResourceKind, Span, Task, Timeline, Transfer,
    TransferKind, VERSION, Wake,
};
use crate::limits::{MAX_EVENTS, MAX_TASKS};
use crate::log::{Entry, Event, Place, Refused, StateUpdate};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use waits::Waits;
use wakes::Suspects;

/// What is spawned in a listing: its name, and the line.
pub type Site = (String, u32);

/// Makes a timeline of a log. `site` finds what is spawned at a place in the listing, or given to a runtime there.
///
/// Fails if the listing has no timeline.
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
            Event::Spawn { span, main, at } => {
                let site = at.as_ref().and_then(|place| site(place, *main));
                model.spawn(*span, *main, site);
            }
            Event::Enter(span) => model.enter(*span, drops.contains(&index)),
            other => model.apply(other),
        }
    }
    model.finish()
}

/// The entries at which a task is entered to be dropped: the last time before it's closed.
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
struct TaskState {
    task: Task,
    main: bool,
    waits: Waits,
    /// Woken, and not polled since.
    woken: bool,
    /// How often any task had been entered when this one was last left.
    left: usize,
    panicked: bool,
    closed: bool,
}

/// A resource as the log describes it.
struct ResourceState {
    kind: ResourceKind,
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
    tasks: Vec<TaskState>,
    by_span: HashMap<u64, usize>,
    resources: HashMap<u64, ResourceState>,
    /// The resources of the timeline, and their numbers by their spans.
    used: Vec<Resource>,
    used_by_span: BTreeMap<u64, usize>,
    /// How many permits an operation still wants, and how many it wanted first.
    requests: HashMap<u64, (u64, u64)>,
    /// The tasks that are being polled, or dropped; the innermost last.
    current: Vec<usize>,
    suspects: Suspects,
    runtimes: usize,
    wakes: Vec<Wake>,
    transfers: Vec<Transfer>,
    printed: Vec<Printed>,
    /// What was printed without a line end.
    partial_line: Option<Printed>,
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
        self.by_span.insert(span, self.tasks.len());
        self.runtimes += usize::from(main);
        self.tasks.push(TaskState {
            task: Task {
                name: name.unwrap_or_else(|| "task".to_owned()),
                line,
                by: self.current.last().copied(),
                step: self.step(),
                begins: self.at(),
                ends: self.at(),
                outcome: Outcome::Unfinished,
                spans: Vec::new(),
            },
            main,
            waits: Waits::default(),
            // A new task is polled without being woken.
            woken: true,
            left: 0,
            panicked: false,
            closed: false,
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
            self.tasks[index].end_wait(at);
            self.tasks[index].task.outcome = self.outcome(index);
            return;
        }
        self.note_poll(index);
        let step = self.polls;
        self.polls += 1;
        let state = &mut self.tasks[index];
        state.woken = false;
        state.end_wait(at);
        state.task.spans.push(Span::Run {
            step,
            from: at,
            to: at,
        });
    }

    /// The outcome of a task that is dropped now.
    fn outcome(&self, index: usize) -> Outcome {
        let state = &self.tasks[index];
        // A future that is ready is dropped immediately, and awaits nothing anymore.
        let is_immediate = state.left + 1 == self.entered && state.left_at() == Some(self.at());
        if state.panicked {
            Outcome::Panicked
        } else if is_immediate && state.waits.is_empty() {
            Outcome::Finished
        } else if self.runtimes == 0 {
            Outcome::Unfinished
        } else {
            Outcome::Cancelled
        }
    }

    fn exit(&mut self, span: u64, panicking: bool) {
        let Some(&index) = self.by_span.get(&span) else {
            return;
        };
        self.current.pop();
        let at = self.at();
        let on = self.awaited_by(index);
        let state = &mut self.tasks[index];
        if state.task.outcome != Outcome::Unfinished || state.closed {
            return;
        }
        state.panicked |= panicking;
        state.left = self.entered;
        if let Some(Span::Run { to, .. }) = state.task.spans.last_mut() {
            *to = at;
            let (from, to) = (at, at);
            state.task.spans.push(Span::Wait { from, to, on });
        }
        if state.main {
            self.suspects.clear(self.now);
        }
    }

    fn close(&mut self, span: u64) {
        for state in &mut self.tasks {
            state.waits.remove_op(span);
        }
        self.requests.remove(&span);
        let Some(index) = self.by_span.remove(&span) else {
            return;
        };
        let at = self.at();
        let state = &mut self.tasks[index];
        state.closed = true;
        if matches!(state.task.outcome, Outcome::Finished | Outcome::Panicked) {
            // The wait that was noted when the task was left didn't happen.
            state.task.spans.pop();
        }
        state.task.ends = at;
        self.runtimes -= usize::from(state.main);
        self.suspects.ended = Some((index, self.now));
    }

    fn apply(&mut self, event: &Event) {
        let current = self.current.last().copied();
        match event {
            Event::Exit { span, panicking } => self.exit(*span, *panicking),
            Event::Close(span) => self.close(*span),
            Event::Resource {
                span,
                kind,
                line,
                inside,
            } => {
                let state = ResourceState {
                    kind: waits::kind_of_resource(kind, *line),
                    line: *line,
                    inside: *inside,
                };
                self.resources.insert(*span, state);
                self.used_by_span.remove(span);
            }
            Event::PollOp {
                span,
                resource,
                ready,
                mark,
            } => {
                let resource = resource.map(|resource| self.outermost(resource));
                if let Some(current) = current {
                    let waits = &mut self.tasks[current].waits;
                    waits.poll_op(*span, resource, *ready, *mark);
                }
            }
            Event::Pending { path, call, future } => {
                if let Some(current) = current {
                    self.tasks[current].waits.add_await(path, call, future);
                }
            }
            Event::AwaitEnded(mark) => {
                for state in &mut self.tasks {
                    state.waits.remove_await(*mark);
                }
            }
            Event::Wake(span) => self.wake(*span),
            Event::Requested { op, count } => {
                self.requests.insert(*op, (*count, *count));
            }
            Event::Acquired {
                op,
                resource,
                count,
            } => {
                // A lock is taken when its last permit is there, and not before.
                let (wanted, all) = self.requests.entry(*op).or_insert((*count, *count));
                *wanted = wanted.saturating_sub(*count);
                if *wanted > 0 {
                    return;
                }
                let count = *all;
                let waiting = self.tasks.iter().position(|it| it.waits.has_op(*op));
                let taker = waiting.or(current);
                let from = current.filter(|from| Some(*from) != taker);
                if let Some(resource) = resource {
                    self.transfer(*resource, taker, TransferKind::Acquire, count, from);
                }
            }
            Event::StateUpdate { resource, update } => {
                let (kind, count) = match update {
                    StateUpdate::Released(count) => (TransferKind::Release, *count),
                    StateUpdate::Sent => (TransferKind::Send, 1),
                    StateUpdate::Received => (TransferKind::Receive, 1),
                };
                self.transfer(*resource, current, kind, count, None);
            }
            Event::Printed { line, text } => self.print(*line, text),
            Event::Refused(_) | Event::Spawn { .. } | Event::Enter(_) => {}
        }
    }

    /// The outermost resource that this one is a part of.
    fn outermost(&self, mut resource: u64) -> u64 {
        while let Some(outer) = self.resources.get(&resource).and_then(|it| it.inside) {
            resource = outer;
        }
        resource
    }

    /// The kind and line of a resource, and its number in the timeline if it's a kind that tasks share.
    fn resource(&mut self, span: u64) -> (ResourceKind, Option<u32>, Option<usize>) {
        let state = self.resources.get(&span);
        let (kind, line) = state.map_or((ResourceKind::Future, None), |it| (it.kind, it.line));
        if matches!(
            kind,
            ResourceKind::Sleep | ResourceKind::Interval | ResourceKind::Future
        ) {
            return (kind, line, None);
        }
        let next = self.used.len();
        let index = *self.used_by_span.entry(span).or_insert(next);
        if index == next {
            self.used.push(Resource { kind, line });
        }
        (kind, line, Some(index))
    }

    fn awaited_by(&mut self, index: usize) -> Vec<Awaited> {
        let mut on: Vec<Awaited> = Vec::new();
        for (mut item, resource) in self.tasks[index].waits.current() {
            if let Some(span) = resource {
                let (kind, line, resource) = self.resource(span);
                (item.kind, item.resource) = (kind, resource);
                item.line = item.line.or(line);
            }
            let is_same = |known: &&mut Awaited| {
                let count = item.count;
                let known = (*known).clone();
                Awaited { count, ..known } == item
            };
            match on.iter_mut().find(is_same) {
                Some(known) => known.count += 1,
                None => on.push(item),
            }
        }
        // An interval sleeps until its next tick.
        let ticks = on.iter().filter(|on| on.kind == ResourceKind::Interval);
        let kind = ResourceKind::Sleep;
        let sleeps: Vec<_> = ticks
            .map(|tick| Awaited {
                kind,
                ..tick.clone()
            })
            .collect();
        on.retain(|on| !sleeps.contains(on));
        on
    }

    fn transfer(
        &mut self,
        resource: u64,
        task: Option<usize>,
        kind: TransferKind,
        count: u64,
        from: Option<usize>,
    ) {
        let (of, _, resource) = self.resource(self.outermost(resource));
        let Some(resource) = resource else { return };
        // How a lock counts is its own affair.
        let is_lock = matches!(of, ResourceKind::Mutex | ResourceKind::RwLock);
        let count = if is_lock { 1 } else { count };
        self.transfers.push(Transfer {
            step: self.step(),
            at: self.at(),
            task,
            kind,
            count,
            resource,
            from,
        });
    }

    fn print(&mut self, line: u32, text: &str) {
        for piece in text.split_inclusive('\n') {
            let mut printed = self.partial_line.take().unwrap_or_else(|| Printed {
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
                self.partial_line = Some(printed);
            }
        }
    }

    fn finish(mut self) -> Result<Timeline, Refused> {
        if !self.tasks.iter().any(|state| state.main) {
            return Err(Refused::NoRuntime);
        }
        self.printed.extend(self.partial_line.take());
        let mains = self.tasks.iter().filter(|state| state.main && state.closed);
        let ends = mains.map(|state| state.task.ends).max();
        let ends = ends.unwrap_or(self.at());
        let mut tasks = Vec::new();
        for mut state in self.tasks {
            if state.task.outcome == Outcome::Unfinished {
                state.end_wait(ends);
                state.task.ends = ends;
            }
            tasks.push(state.task);
        }
        let spans: usize = tasks.iter().map(|task| task.spans.len()).sum();
        let events = spans + self.wakes.len() + self.transfers.len() + self.printed.len();
        if tasks.len() > MAX_TASKS {
            return Err(Refused::TooManyTasks);
        }
        if events > MAX_EVENTS {
            return Err(Refused::TooManyEvents);
        }
        Ok(Timeline {
            version: VERSION,
            ends,
            tasks,
            resources: self.used,
            wakes: self.wakes,
            transfers: self.transfers,
            printed: self.printed,
        })
    }
}

impl TaskState {
    /// When its last poll returned, if it was ever polled.
    fn left_at(&self) -> Option<Millis> {
        match self.task.spans.last()? {
            Span::Wait { from, .. } => Some(*from),
            Span::Run { to, .. } => Some(*to),
        }
    }

    fn end_wait(&mut self, at: Millis) {
        if let Some(Span::Wait { to, .. }) = self.task.spans.last_mut() {
            *to = at;
        }
    }

    /// What its last wait is for.
    fn last_wait(&self) -> &[Awaited] {
        match self.task.spans.last() {
            Some(Span::Wait { on, .. }) => on,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::WokenBy;

    /// `main` waits for a task, which yields once.
    fn log() -> Vec<Entry> {
        let lines = include_str!("model/yields.jsonl").lines();
        let entries = lines.map(|line| serde_json::from_str(line).expect("an entry"));
        entries.collect()
    }

    fn of(log: &[Entry]) -> Result<Timeline, Refused> {
        timeline(log, |_, main| {
            Some((if main { "main" } else { "other" }.to_owned(), 1))
        })
    }

    #[test]
    fn a_future_that_is_dropped_immediately_has_finished() {
        let tasks = of(&log()).unwrap().tasks;
        let ends: Vec<_> = tasks
            .iter()
            .map(|task| (task.outcome, task.spans.len()))
            .collect();
        assert_eq!(ends, [(Outcome::Finished, 3); 2]);
    }

    #[test]
    fn a_second_wakeup_is_left_out() {
        let wakes = of(&log()).unwrap().wakes;
        let wakes: Vec<_> = wakes.iter().map(|wake| (wake.task, wake.by)).collect();
        assert_eq!(wakes, [(1, WokenBy::Task(1)), (0, WokenBy::Task(1))]);
    }

    #[test]
    fn a_task_that_runs_when_the_process_exits_is_unfinished() {
        let mut log = log();
        log.truncate(9);
        let tasks = of(&log).unwrap().tasks;
        assert!(tasks.iter().all(|task| task.outcome == Outcome::Unfinished));
        let Some(Span::Wait { on, .. }) = tasks[0].spans.last() else {
            panic!("main waits: {tasks:?}");
        };
        assert_eq!((on[0].kind, on[0].line), (ResourceKind::Join, Some(7)));
    }

    #[test]
    fn a_log_without_a_runtime_or_with_a_refusal_is_no_timeline() {
        assert_eq!(of(&[]), Err(Refused::NoRuntime));
        let mut log = log();
        log.push(Entry(9, Event::Refused(Refused::NotPaused)));
        assert_eq!(of(&log), Err(Refused::NotPaused));
    }
}
