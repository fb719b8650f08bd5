//! From rows to what they mean, and back.

use std::time::Duration;

use sqlx::{Row as _, any::AnyRow};
use tokio::time::Instant;

use crate::{
    event::{DeliveryId, Event, Lease, Name, Secret, Subscription},
    retry::CENTURY,
    store::{AcceptError, Backlog, DeadLetter, StoreError},
};

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { index, source } => {
                Self::Unreadable(format!("a bad {index} ({source})"))
            }
            error => Self::failed(error),
        }
    }
}

impl From<sqlx::Error> for AcceptError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The rows that can be read, so that one that's torn doesn't block the others. An error if none can.
pub fn readable<T>(
    rows: &[AnyRow],
    read: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (good, bad): (Vec<_>, Vec<_>) =
        rows.iter().map(read).partition(Result::is_ok);
    let (good, mut bad) = (
        Vec::from_iter(good.into_iter().flatten()),
        bad.into_iter().filter_map(Result::err),
    );
    if good.is_empty() {
        return bad.next().map_or(Ok(good), Err);
    }
    bad.for_each(|error| tracing::error!(%error, "skipped"));
    Ok(good)
}

pub fn lease_of(
    row: &AnyRow,
    subscription: &Subscription,
    expires: Instant,
) -> Result<Lease, StoreError> {
    let age: i64 = row.try_get("age")?;
    Ok(Lease {
        delivery: DeliveryId(row.try_get("id")?),
        token: row.try_get("token")?,
        attempt: number(row, "attempts")?,
        age: Duration::from_millis(age.max(0).unsigned_abs()),
        expires,
        event: Event {
            id: name(row, "event_id")?,
            topic: name(row, "topic")?,
            key: key(row)?,
            body: bytes(row, "body")?.into(),
        },
        subscription: subscription.clone(),
    })
}

pub fn subscription_of(
    row: &AnyRow,
) -> Result<Subscription, StoreError> {
    let url = text(row, "url")?;
    let topics = text(row, "topics")?;
    let topics = topics.split_whitespace();
    let topics = topics.map(|it| parsed(it, "topics"));
    Ok(Subscription {
        name: name(row, "name")?,
        url: parsed(&url, "url")?,
        topics: topics.collect::<Result<_, _>>()?,
        secret: Secret(bytes(row, "secret")?.into()),
    })
}

pub fn backlog_of(row: &AnyRow) -> Result<Backlog, StoreError> {
    let now: i64 = row.try_get("now")?;
    let oldest: Option<i64> = row.try_get("oldest")?;
    let age = |at: i64| now.saturating_sub(at).max(0).unsigned_abs();
    Ok(Backlog {
        subscription: name(row, "name")?,
        open: number(row, "open")?,
        leased: number(row, "leased")?,
        dead: number(row, "dead")?,
        oldest_seconds: oldest.map(|at| age(at) / 1000),
    })
}

/// Parts may be missing or torn, which may be why the letter is dead.
pub fn letter_of(row: &AnyRow) -> Result<DeadLetter, StoreError> {
    let text = |column| text(row, column).unwrap_or_default();
    Ok(DeadLetter {
        delivery: DeliveryId(row.try_get("delivery")?),
        subscription: name(row, "name")?,
        event: text("event"),
        topic: text("topic"),
        attempts: number(row, "attempts").unwrap_or_default(),
        error: text("error"),
    })
}

pub fn text(row: &AnyRow, column: &str) -> Result<String, StoreError> {
    Ok(row.try_get(column)?)
}

pub fn bytes(
    row: &AnyRow,
    column: &str,
) -> Result<Vec<u8>, StoreError> {
    Ok(row.try_get(column)?)
}

pub fn name(row: &AnyRow, column: &str) -> Result<Name, StoreError> {
    parsed(&text(row, column)?, column)
}

pub fn number<T: TryFrom<i64>>(
    row: &AnyRow,
    column: &str,
) -> Result<T, StoreError> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| {
        StoreError::Unreadable(format!("{number} as {column}"))
    })
}

pub fn key(row: &AnyRow) -> Result<Option<String>, StoreError> {
    let key: Option<Vec<u8>> = row.try_get("key")?;
    let key = key.map(String::from_utf8).transpose();
    key.map_err(|_| StoreError::Unreadable("a key in bytes".into()))
}

pub fn parsed<T: std::str::FromStr>(
    text: &str,
    column: &str,
) -> Result<T, StoreError> {
    text.parse().map_err(|_| {
        StoreError::Unreadable(format!("{text:?} as {column}"))
    })
}

/// Numbers for `IN (...)`, which mustn't be empty on PostgreSQL.
pub fn list(numbers: &[i64]) -> String {
    let numbers = numbers.iter().map(|it| it.to_string());
    let numbers = Vec::from_iter(numbers);
    if numbers.is_empty() { "NULL".into() } else { numbers.join(",") }
}

pub fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// A lease is two milliseconds longer in the database, where times are whole milliseconds: it mustn't end before the one here.
pub fn lease_millis(lease: Duration) -> i64 {
    millis(lease) + 2
}

pub fn millis(wait: Duration) -> i64 {
    let wait = wait.min(CENTURY).as_micros().div_ceil(1000);
    i64::try_from(wait).unwrap_or(i64::MAX / 4)
}
