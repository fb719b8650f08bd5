//! Where events and deliveries are kept: one trait, and what its implementations promise.
//!
//! The contract is tested by `tests/contract.rs`, the same tests for every implementation.

#[cfg(feature = "jetstream")]
mod jetstream;
mod sql;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;
use url::Url;

#[cfg(feature = "jetstream")]
pub use self::jetstream::{JetStreamOptions, JetStreamStore};
pub use self::sql::{SqlOptions, SqlStore};
use crate::event::{DeliveryId, Event, Lease, Name, Subscription};

// ANCHOR: contract
/// A store of events and deliveries, shared by any number of processes.
///
/// - When [`accept`](Self::accept) returns `Ok`, the event is durable, together with one delivery for each subscription
///   that wants it at that moment.
/// - A delivery is leased to one caller at a time. When a lease expires (its process died or stalled), another
///   caller gets the delivery, and the late caller's [`settle`](Self::settle) and [`renew`](Self::renew) return
///   `Ok(false)` and change nothing.
/// - Deliveries of one subscription whose events have the same key are leased in the order in which the events were
///   accepted. A delivery is leased only after the previous one was delivered or is dead.
/// - Every call may be dropped before it completes. It then takes effect either completely or not at all, so call the
///   method again.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores an event and its deliveries.
    ///
    /// If the outcome is unknown after an error or a crash, call it again with the same ID. The event isn't stored twice.
    ///
    /// # Errors
    ///
    /// The store failed, or [`AcceptError`] says what is wrong with the event.
    async fn accept(
        &self,
        event: &Event,
    ) -> Result<Accepted, AcceptError>;
    // ANCHOR_END: contract

    /// The subscriptions that have deliveries to attempt now, and their URLs, the one that has waited longest first; at most `most`.
    async fn due(
        &self,
        most: usize,
    ) -> Result<Vec<(Name, Url)>, StoreError>;

    /// Leases at most `most` deliveries of a subscription, first those that are due longest.
    ///
    /// An unreadable delivery becomes dead, with its readable parts, because it would block its key.
    ///
    /// If this call is dropped or fails, deliveries may stay leased until `lease` has passed.
    async fn claim(
        &self,
        subscription: &Name,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError>;

    /// Extends a lease, which ends `lease` from now. `Ok(false)`: the lease was lost.
    async fn renew(
        &self,
        lease: &Lease,
        for_: Duration,
    ) -> Result<bool, StoreError>;

    /// Records the outcome of an attempt, and ends the lease. `Ok(false)`: the lease was lost, nothing was changed.
    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
    ) -> Result<bool, StoreError>;

    /// Waits until there may be something new to do: an event was accepted, by this process or another one, or a
    /// dead delivery was put back. It may return too early, and it may miss other processes' events while a connection is
    /// down, so poll [`due`](Self::due) from time to time as well.
    async fn changed(&self);

    /// Adds a subscription, or replaces the one of the same name. Events that were accepted before aren't sent to a new one.
    /// Returns `Ok(false)` if there are already `most` others, including those that can't be read.
    ///
    /// With another URL than before, deliveries that wait for a retry are due now (at most 10,000 of them, those that are due first),
    /// and so are those that are leased, if they're to be retried.
    async fn subscribe(
        &self,
        subscription: &Subscription,
        most: usize,
    ) -> Result<bool, StoreError>;

    /// Removes a subscription and its deliveries. `Ok(false)`: there was none of that name.
    async fn unsubscribe(
        &self,
        name: &Name,
    ) -> Result<bool, StoreError>;

    /// All subscriptions, sorted by name.
    async fn subscriptions(
        &self,
    ) -> Result<Vec<Subscription>, StoreError>;

    /// How much there is to do, for each subscription that exists, sorted by name.
    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError>;

    /// Dead deliveries, the newest first; at most `most`.
    async fn dead(
        &self,
        most: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Makes a dead delivery due again, as if its event were accepted now: under a new number, with no attempts counted, after
    /// the open ones of the same key.
    /// `Ok(false)`: no dead delivery has this number.
    async fn redeliver(
        &self,
        delivery: DeliveryId,
    ) -> Result<bool, StoreError>;

    /// Forgets events that were accepted longer than `keep` ago and have neither open deliveries, nor ones that died since then.
    /// Their dead deliveries are forgotten with them. At most `most` events; returns how many. An id that was forgotten is
    /// accepted again. An event that still has an open delivery is checked again only after another `keep`.
    ///
    /// If the store's clock was set back, deliveries of events that seem to come from the future become due. A retry of an
    /// older event waits until the clock catches up.
    ///
    /// If this call is dropped, some of the events may have been forgotten.
    async fn purge(
        &self,
        keep: Duration,
        most: usize,
    ) -> Result<u64, StoreError>;

    /// Waits for the store's answer to a request that changes nothing.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Closes connections. Later calls fail.
    async fn close(&self);
}

/// A store that's chosen when the program starts.
pub type SharedStore = Arc<dyn Store>;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It was stored, with this many deliveries.
    New(usize),
    /// An event with this id and the same content was stored before. Nothing was changed.
    Again,
}

/// Why an event wasn't stored.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The id was used for an event with another topic, key, or body.
    #[error(
        "an event with this id was accepted before, with another content"
    )]
    IdReused,
    /// The queue is full: too many deliveries are open.
    #[error("the queue is full")]
    Full,
    /// The outcome is unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has the event.
    Delivered,
    /// It doesn't (or nobody knows): attempt it again after this time.
    Retry { after: Duration, error: String },
    /// It's given up.
    Dead { error: String },
    /// The attempt wasn't made: the delivery is due again, and the attempt isn't counted.
    Unused,
}

/// How much there is to do for a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// The subscription's name.
    pub subscription: Name,
    /// How many deliveries are neither delivered nor dead.
    pub open: u64,
    /// How many of them are leased.
    pub leased: u64,
    /// How many are dead.
    pub dead: u64,
    /// The age of the oldest open delivery, in whole seconds.
    pub oldest_seconds: Option<u64>,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its number, for [`Store::redeliver`].
    pub delivery: DeliveryId,
    /// Whose it is.
    pub subscription: Name,
    /// The event's id, as it's stored (empty if it's missing).
    pub event: String,
    /// The event's topic, as it's stored.
    pub topic: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// How the last one failed.
    pub error: String,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It answered with an error, or the connection failed.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It didn't answer in time.
    #[error("the store didn't answer within {0:?}")]
    Silent(Duration),
    /// What it has isn't what courier writes.
    #[error(
        "the store contains {0}, which this version of courier can't read"
    )]
    Unreadable(String),
}

impl StoreError {
    /// From any other error.
    pub fn failed(
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed(error.into())
    }
}
