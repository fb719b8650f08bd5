//! What an operator can set. [`Settings`] can change while courier
//! runs; see [`crate::service`].

use std::{io, path::Path, time::Duration};

use anyhow::Context;
use serde::{Deserialize, Deserializer, de::Error};
use tokio::{fs::File, io::AsyncReadExt};

/// The largest configuration file, in bytes.
const LARGEST: u64 = 1 << 20;

/// The settings that a running courier adopts when its configuration
/// file changes.
///
/// Every field has a default, so an empty file is a valid
/// configuration. Unknown names are errors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How events are accepted.
    pub accept: Accept,
    /// How they're delivered.
    pub deliver: Deliver,
    /// When failed deliveries are attempted again.
    pub retry: Retry,
    /// When a destination that fails is left alone.
    pub breaker: Breaker,
    /// For how long events are kept, in addition to `retry.max_age`, so
    /// that their ids are recognized, and dead ones can be redelivered.
    #[serde(with = "duration")]
    pub keep: Duration,
}

/// How events are accepted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accept {
    /// The largest body of an event, in bytes.
    #[serde(deserialize_with = "count")]
    pub max_body: usize,
    /// How long a client may take to send the head of a request, from
    /// its first byte or, for the first request, from connecting.
    #[serde(with = "duration")]
    pub head_timeout: Duration,
    /// How long a connection may be idle between two requests. It
    /// should be longer than clients and probes leave connections idle.
    /// If it's shorter than `head_timeout`, it limits the head, too.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// How long a whole request may take, its body and the store
    /// included.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// How many connections there may be. Each may hold a body of
    /// `max_body` bytes.
    #[serde(deserialize_with = "count")]
    pub connections: usize,
    /// How many of them may come from the same address.
    #[serde(deserialize_with = "count")]
    pub connections_per_address: usize,
    /// How many requests are worked on at the same time.
    #[serde(deserialize_with = "count")]
    pub requests: usize,
    /// How many subscriptions there may be before new ones are refused.
    /// Accepting an event writes a row for each one that wants it, in
    /// one transaction.
    #[serde(deserialize_with = "count")]
    pub subscriptions: usize,
}

/// How events are delivered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deliver {
    /// How many attempts this process makes at the same time.
    #[serde(deserialize_with = "count")]
    pub total: usize,
    /// How many of them may go to the same subscription.
    #[serde(deserialize_with = "count")]
    pub per_subscription: usize,
    /// How long connecting may take, TLS included.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How long an attempt may take, from connecting to the head of the
    /// answer.
    #[serde(with = "duration")]
    pub attempt_timeout: Duration,
    /// How much of an answer's body is read, so that the connection can
    /// be reused, in bytes.
    #[serde(deserialize_with = "count")]
    pub max_answer: usize,
    /// How long a delivery is leased. It's renewed three times as often
    /// while an attempt is running.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// How often the store is asked for work, if nothing announces it.
    #[serde(with = "duration")]
    pub poll: Duration,
    /// Whether events may be sent to private, local, and otherwise
    /// special addresses.
    pub private_addresses: bool,
}

/// When failed deliveries are attempted again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// The upper bound of the first delay; it doubles with each
    /// attempt. The delay is random below it (full jitter).
    #[serde(with = "duration")]
    pub first: Duration,
    /// The largest upper bound, and the longest `Retry-After` that's
    /// obeyed.
    #[serde(with = "duration")]
    pub most: Duration,
    /// How many attempts there are.
    #[serde(deserialize_with = "count")]
    pub attempts: u32,
    /// The deadline: an event that's older is given up.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// The retry budget: how many retries each first attempt covers;
    /// ten a minute are always covered. The others are made, too, but
    /// if one fails, the next one waits sixteen times as long.
    #[serde(deserialize_with = "ratio")]
    pub budget: f64,
}

/// When a destination that fails is left alone (circuit breaker).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// How many failures in a row open it.
    #[serde(deserialize_with = "count")]
    pub failures: u32,
    /// How long it stays open, before one attempt tests the
    /// destination.
    #[serde(with = "duration")]
    pub open: Duration,
}

impl Settings {
    /// Reads the text of a configuration file. The error says which
    /// line is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Reads a configuration file.
    pub async fn read(path: &Path) -> anyhow::Result<Self> {
        let text = Self::text(path).await;
        let text = text.with_context(|| {
            format!("can't read the configuration {}", path.display())
        })?;
        Self::parse(&text).with_context(|| {
            format!("the configuration {} is wrong", path.display())
        })
    }

    /// The text of a file. It's an error if the file is larger than a
    /// mebibyte, because the rest would be missing.
    pub(crate) async fn text(path: &Path) -> io::Result<String> {
        let mut text = Vec::new();
        let file = File::open(path).await?;
        file.take(LARGEST + 1).read_to_end(&mut text).await?;
        if text.len() as u64 > LARGEST {
            return Err(io::Error::other("it's larger than 1 MiB"));
        }
        String::from_utf8(text).map_err(io::Error::other)
    }
}

/// Durations such as `1m 30s`, longer than zero and shorter than the
/// time until clocks overflow.
mod duration {
    use super::{Deserializer, Duration, Error};
    use jiff::fmt::serde::unsigned_duration::friendly::compact;

    const LONGEST: Duration = Duration::from_secs(3660 * 24 * 3600);

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        let duration = compact::required::deserialize(from)?;
        if duration.is_zero() || duration > LONGEST {
            let text = "must be longer than 0s, and at most 3660d";
            return Err(D::Error::custom(text));
        }
        Ok(duration)
    }
}

/// Numbers of things that there must be one of, and that memory must
/// hold.
fn count<'de, D: Deserializer<'de>, N: TryFrom<u64>>(
    from: D,
) -> Result<N, D::Error> {
    const MOST: u64 = 1 << 30;
    let error = || D::Error::custom(format!("must be 1 to {MOST}"));
    let number = i64::deserialize(from)?;
    let number = u64::try_from(number).map_err(|_| error())?;
    if !(1..=MOST).contains(&number) {
        return Err(error());
    }
    number.try_into().map_err(|_| error())
}

/// Neither negative, nor infinite, nor no number at all.
fn ratio<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let ratio = f64::deserialize(from)?;
    if !(0.0..=1000.0).contains(&ratio) {
        return Err(D::Error::custom("must be 0 to 1000"));
    }
    Ok(ratio)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accept: Accept::default(),
            deliver: Deliver::default(),
            retry: Retry::default(),
            breaker: Breaker::default(),
            keep: Duration::from_secs(24 * 3600),
        }
    }
}

impl Default for Accept {
    fn default() -> Self {
        Self {
            max_body: 256 * 1024,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            connections: 2_000,
            connections_per_address: 200,
            requests: 200,
            subscriptions: 1_000,
        }
    }
}

impl Default for Deliver {
    fn default() -> Self {
        Self {
            total: 200,
            per_subscription: 10,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(15),
            max_answer: 16 * 1024,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            private_addresses: false,
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            most: Duration::from_secs(3600),
            attempts: 20,
            max_age: Duration::from_secs(3 * 24 * 3600),
            budget: 0.5,
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 10, open: Duration::from_secs(30) }
    }
}
