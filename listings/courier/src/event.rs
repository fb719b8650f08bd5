//! What courier handles: events, the subscriptions that want them, and the deliveries in between.

use std::{fmt, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

/// A name of at most 64 characters: letters, digits, `.`, `_`, `-`.
///
/// Names are ids of events, topics, and subscriptions. They're safe in NATS subjects, in logs, and in URLs, except for `.` and `..`: in
/// the path of a URL, these are folders. The HTTP interface refuses them, but earlier versions stored them.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text isn't a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to 64 characters: letters, digits, '.', '_', or '-'; \
    and it's not '.' or '..'"
)]
pub struct BadName;

impl Name {
    /// The longest name, in bytes.
    pub const MAX: usize = 64;

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        let allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
        };
        let fits = (1..=Self::MAX).contains(&text.len());
        if fits && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err(BadName)
        }
    }
}

impl std::str::FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        text.to_owned().try_into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event, as a client sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The idempotency key: an event with the same id is accepted only once.
    pub id: Name,
    /// What happened, such as `order.shipped`. Subscriptions choose events by their topic.
    pub topic: Name,
    /// Events with the same key are delivered in the order in which they were accepted.
    pub key: Option<String>,
    /// What the receivers get, byte for byte.
    pub body: Bytes,
}

impl Event {
    /// The longest key, in bytes.
    pub const MAX_KEY: usize = 256;
}

/// Who wants to get events, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its name; there is one subscription of each name.
    pub name: Name,
    /// Where events are sent to (POST).
    pub url: Url,
    /// The topics it wants; all, if there are none.
    pub topics: Vec<Name>,
    /// The key that signs its requests.
    pub secret: Secret,
}

impl Subscription {
    /// Whether it gets events of a topic.
    pub fn wants(&self, topic: &Name) -> bool {
        self.topics.is_empty() || self.topics.contains(topic)
    }
}

/// A key that signs requests. It's never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Bytes);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A delivery that this process may attempt until its lease expires.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Which delivery; the same event to another subscription is another delivery.
    pub delivery: DeliveryId,
    /// The fencing token: a later lease of the same delivery has a greater one.
    pub token: i64,
    /// Which attempt this is, from 1. Every claim counts, even if its process died.
    pub attempt: u32,
    /// How long ago the event was accepted (or put back, when it was dead), when the lease was given out.
    pub age: Duration,
    /// When the lease expires, by this process's clock (never later than by the store's, unless the machine was suspended or the
    /// store's clock was set).
    pub expires: Instant,
    /// What to send.
    pub event: Event,
    /// To whom.
    pub subscription: Subscription,
}

/// A delivery's number in the store.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
