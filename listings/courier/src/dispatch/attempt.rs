//! An attempt, from its lease to its outcome in the store.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{CALL, PAUSE, PURGE, backoff};
use crate::{
    config::Settings,
    deliver::{Answer, Deliver, MARGIN},
    event::Lease,
    metrics::Metrics,
    retry::{given_up, later, verdict},
    service::panic_text,
    store::{Outcome, SharedStore, StoreError},
};

/// What the tasks of attempts share.
pub(super) struct Attempts {
    pub store: SharedStore,
    pub deliver: Arc<dyn Deliver>,
    pub metrics: Metrics,
    pub stop: CancellationToken,
    pub hurry: CancellationToken,
}

impl Attempts {
    /// Attempts a delivery, and settles it. Returns whether the
    /// receiver is well, if this says something about it.
    pub async fn run(
        self: Arc<Self>,
        lease: Lease,
        set: Arc<Settings>,
        covered: bool,
    ) -> Option<bool> {
        let _running = self.metrics.in_flight();
        let started = Instant::now();
        let (mut expires, mut well) = (lease.expires, None);
        let stopped =
            self.stop.is_cancelled() || self.hurry.is_cancelled();
        let outcome = if stopped {
            Some(Outcome::Unused)
        } else if started >= expires {
            None
        } else if let Some(dead) = given_up(&lease, &set.retry) {
            Some(dead)
        } else {
            // ANCHOR: run
            select! {
                biased;
                () = self.hurry.cancelled() => Some(Outcome::Retry {
                    after: Duration::from_secs(1),
                    error: "courier stopped during the attempt".into(),
                }),
                answer = self.attempt(&lease, &set) => {
                    well = Some(answer.is_well());
                    let mut random = fastrand::Rng::new();
                    let retry = &set.retry;
                    Some(verdict(
                        answer, &lease, retry, covered, &mut random,
                    ))
                }
                () = self.keep(&lease, &set, &mut expires) => None,
            }
            // ANCHOR_END: run
        };
        let took = started.elapsed();
        let label = match &outcome {
            Some(it) if self.settle(&lease, it, expires).await => {
                label(it)
            }
            _ => "lost",
        };
        self.metrics.attempted(label, took);
        if label == "delivered" {
            let age = lease.age.saturating_add(took);
            self.metrics.age.observe(age.as_secs_f64());
        }
        let (delivery, attempt) = (lease.delivery, lease.attempt);
        let subscription = &lease.subscription.name;
        tracing::debug!(
            %delivery, %subscription, attempt, ?outcome, label,
        );
        well
    }

    // ANCHOR: attempt
    async fn attempt(&self, lease: &Lease, set: &Settings) -> Answer {
        let limit = set.deliver.attempt_timeout.saturating_add(MARGIN);
        let attempt = async { self.deliver.attempt(lease).await };
        let attempt = AssertUnwindSafe(attempt).catch_unwind();
        let error = match timeout(limit, attempt).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(panic)) => format!("a panic: {}", panic_text(panic)),
            Err(_) => format!("no answer within {limit:?}"),
        };
        Answer::failed(error)
    }
    // ANCHOR_END: attempt

    /// Renews a lease, and returns when it's lost.
    async fn keep(
        &self,
        lease: &Lease,
        set: &Settings,
        expires: &mut Instant,
    ) {
        let length = set.deliver.lease;
        let third = (length / 3).max(PAUSE);
        loop {
            let now = Instant::now();
            sleep_until(later(now, third).min(*expires)).await;
            let asked = Instant::now();
            let renew = self.call(self.store.renew(lease, length));
            match timeout_at(*expires, renew).await {
                Ok(Some(true)) => *expires = later(asked, length),
                Ok(Some(false)) | Err(_) => return,
                Ok(None) if Instant::now() >= *expires => return,
                Ok(None) => {}
            }
        }
    }

    /// Settles a delivery, if need be repeatedly, while it's leased.
    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
        expires: Instant,
    ) -> bool {
        for failures in 1.. {
            let settle = self.call(self.store.settle(lease, outcome));
            if let Some(is_settled) = settle.await {
                return is_settled;
            }
            let now = Instant::now();
            if now >= expires || self.hurry.is_cancelled() {
                break;
            }
            let wait = later(now, backoff(failures)).min(expires);
            select! {
                () = self.hurry.cancelled() => {}
                () = sleep_until(wait) => {}
            }
        }
        false
    }

    /// Forgets old events, now and then.
    pub async fn purge(
        &self,
        settings: watch::Receiver<Arc<Settings>>,
    ) {
        let (pause, most) = PURGE;
        let mut batch = most;
        loop {
            sleep(pause).await;
            let mut more = true;
            while more {
                // Dead ones can be seen for so long, too, however old
                // they were when they were given up.
                let set = settings.borrow().clone();
                let keep = set.keep.saturating_add(set.retry.max_age);
                let purge = self.store.purge(keep, batch);
                let purged = self.call(purge).await;
                more = purged == Some(batch as u64);
                batch = match purged {
                    // If it takes too long, it's rolled back.
                    None => (batch / 2).max(1),
                    Some(_) if more => batch,
                    Some(_) => (batch * 2).min(most),
                };
            }
        }
    }

    /// A call to the store, counted if it fails.
    pub async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Option<T> {
        let ended = timeout(CALL, call).await;
        let ended = ended.unwrap_or(Err(StoreError::Silent(CALL)));
        if let Err(error) = &ended {
            self.metrics.store_failures.inc();
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, "a call to the store failed");
        }
        ended.ok()
    }
}

fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Retry { .. } => "retry",
        Outcome::Dead { .. } => "dead",
        Outcome::Unused => "unused",
    }
}
