//! The dispatcher: leases deliveries, attempts them, and settles what
//! became of them.

mod attempt;

use std::{collections::HashMap, sync::Arc, time::Duration};

use attempt::Attempts;
use futures::poll;
use tokio::{
    select,
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    config::Settings,
    deliver::{Deliver, MARGIN},
    destinations::Destinations,
    event::Name,
    metrics::Metrics,
    retry::later,
    store::SharedStore,
};

/// How long a call to the store may take.
const CALL: Duration = Duration::from_secs(5);
/// How long everything may take after `hurry`.
const HURRY: Duration = Duration::from_secs(2);
/// The shortest time from one look at the store to the next, if nothing
/// was found: it may say too often that it has changed.
const PAUSE: Duration = Duration::from_millis(5);
/// While the store fails, pauses double from the first to the longest.
/// Otherwise, it's asked a thousand times a second at most.
const BACKOFF: [Duration; 2] =
    [Duration::from_millis(100), Duration::from_secs(5)];
/// Old events are forgotten this often, so many at a time.
const PURGE: (Duration, usize) = (Duration::from_secs(60), 1_000);

/// Delivers what's in the store until `stop`. Then it waits for the
/// attempts that run, unless `hurry` ends them: they're made again
/// later, by whatever process claims them.
///
/// After `stop`, it returns within an attempt's timeout, a lease, and
/// ten seconds; after `hurry`, within two. If it's dropped, all
/// attempts are dropped, and their leases expire.
pub async fn dispatch(
    store: SharedStore,
    deliver: Arc<dyn Deliver>,
    settings: watch::Receiver<Arc<Settings>>,
    metrics: Metrics,
    stop: CancellationToken,
    hurry: CancellationToken,
) {
    let hurry = hurry.child_token();
    let attempts = Attempts { store, deliver, metrics, stop, hurry };
    let attempts = Arc::new(attempts);
    let mut dispatcher = Dispatcher {
        attempts: Arc::clone(&attempts),
        settings: settings.clone(),
        running: JoinSet::new(),
        targets: HashMap::new(),
        destinations: Destinations::default(),
    };
    select! {
        biased;
        () = attempts.hurry.cancelled() => {}
        () = dispatcher.work() => {}
        () = attempts.purge(settings) => {}
    }
    dispatcher.drain().await;
}

/// The loop that owns all state. No other task changes it.
struct Dispatcher {
    attempts: Arc<Attempts>,
    settings: watch::Receiver<Arc<Settings>>,
    running: JoinSet<Option<bool>>,
    /// Whose attempts they are.
    targets: HashMap<Id, (Name, Url)>,
    destinations: Destinations,
}

impl Dispatcher {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Starts attempts until `stop`.
    async fn work(&mut self) {
        let shared = Arc::clone(&self.attempts);
        let mut changed = shared.store.changed();
        let mut has_changed = false;
        let mut failures = 0;
        let mut asked = Instant::now();
        // When the store is asked, and the earliest time for that.
        let (mut next, mut earliest) = (asked, asked);
        loop {
            shared.metrics.beat();
            let poll = self.settings().deliver.poll.max(PAUSE);
            let wake =
                next.max(earliest).min(later(Instant::now(), poll));
            select! {
                biased;
                () = shared.stop.cancelled() => return,
                Some(ended) = self.running.join_next_with_id() => {
                    self.end(ended);
                    next = Instant::now();
                    continue;
                }
                () = &mut changed, if !has_changed => {
                    has_changed = true;
                    next = next.min(asked + PAUSE);
                    continue;
                }
                () = sleep_until(wake) => {}
            }
            asked = Instant::now();
            if asked < next.max(earliest) {
                continue;
            }
            // From here on, changes are noticed, before the store is
            // asked: nothing that comes in between is missed.
            if has_changed {
                changed = shared.store.changed();
            }
            has_changed = poll!(&mut changed).is_ready();
            let started = self.start_some().await;
            let now = Instant::now();
            failures = if started.is_some() { 0 } else { failures + 1 };
            next = match started {
                Some(0) if has_changed => now + PAUSE,
                Some(0) => later(now, poll),
                _ => now,
            };
            earliest = now + backoff(failures);
        }
    }

    /// Leases what there are places for, and starts the attempts.
    /// Returns how many, or `None` if the store fails.
    async fn start_some(&mut self) -> Option<usize> {
        let (shared, set) =
            (Arc::clone(&self.attempts), self.settings());
        let total = set.deliver.total;
        let before = self.running.len();
        let free = total.saturating_sub(before);
        if free == 0 {
            return Some(0);
        }
        // ANCHOR: claim
        // Enough that new destinations are always among them.
        let most = free.saturating_add(self.destinations.count());
        let mut due = shared.call(shared.store.due(most)).await?;
        self.destinations.meet(&due);
        if due.len() < most {
            self.destinations.forget(&set);
        }
        due.retain(|it| self.destinations.slots(&it.0, &set) > 0);
        due.sort_by_key(|it| self.destinations.turn(&it.0));
        for (index, (name, _)) in due.iter().enumerate() {
            shared.metrics.beat();
            let free = total.saturating_sub(self.running.len());
            let share = free.div_ceil(due.len() - index);
            let most = share.min(self.destinations.slots(name, &set));
            if most == 0 || shared.stop.is_cancelled() {
                break;
            }
            let lease = set.deliver.lease;
            let claim = shared.store.claim(name, most, lease);
            for lease in shared.call(claim).await? {
                let is_retry = lease.attempt > 1;
                let it = &lease.subscription;
                let target = (it.name.clone(), it.url.clone());
                let covered =
                    self.destinations.start(&target, is_retry, &set);
                let run = Arc::clone(&shared).run(
                    lease,
                    Arc::clone(&set),
                    covered,
                );
                let id = self.running.spawn(run).id();
                self.targets.insert(id, target);
            }
        }
        // ANCHOR_END: claim
        Some(self.running.len() - before)
    }

    fn end(&mut self, ended: Result<(Id, Option<bool>), JoinError>) {
        let (id, well) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "an attempt's task panicked");
                (error.id(), Some(false))
            }
        };
        if let Some(target) = self.targets.remove(&id)
            && self.destinations.end(&target, well, &self.settings())
        {
            let (name, _) = target;
            tracing::warn!(subscription = %name, "it's left alone");
            self.attempts.metrics.breakers.inc();
        }
    }

    /// Waits for the running attempts.
    async fn drain(&mut self) {
        let (hurry, set) =
            (self.attempts.hurry.clone(), self.settings());
        let longest =
            set.deliver.attempt_timeout.saturating_add(MARGIN);
        let longest = longest.saturating_add(set.deliver.lease);
        select! {
            biased;
            () = hurry.cancelled() => {}
            () = sleep(longest) => hurry.cancel(),
            () = self.ended() => return,
        }
        let _ = timeout(HURRY, self.ended()).await;
    }

    async fn ended(&mut self) {
        while self.running.join_next().await.is_some() {
            self.attempts.metrics.beat();
        }
    }
}

fn backoff(failures: u32) -> Duration {
    let [first, most] = BACKOFF;
    match failures.checked_sub(1) {
        None => Duration::from_millis(1),
        Some(n) => {
            first.saturating_mul(2_u32.saturating_pow(n)).min(most)
        }
    }
}
