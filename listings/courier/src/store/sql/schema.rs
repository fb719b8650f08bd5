//! The tables, and the words in which the databases differ.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor as _};
use tokio::time::sleep;

use super::SqlStore;
use crate::store::StoreError;

/// What changed the schema, version by version. Names in braces are replaced with the database's own words.
pub const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE events (
        number {id},
        id TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL,
        key {bytes}, -- Text, which may contain any character.
        body {bytes} NOT NULL,
        -- Milliseconds since 1970; `purge` moves it while it's needed.
        accepted_at BIGINT NOT NULL);
    CREATE INDEX events_age ON events (accepted_at);
    CREATE TABLE subscriptions (
        number {id},
        name TEXT UNIQUE, -- None: it's removed.
        url TEXT NOT NULL,
        topics TEXT NOT NULL, -- Such as ' a  b ', or none.
        secret {bytes} NOT NULL);
    CREATE TABLE deliveries (
        id {id},
        event BIGINT NOT NULL,
        subscription BIGINT NOT NULL,
        key {bytes},
        accepted_at BIGINT NOT NULL,
        state TEXT NOT NULL, -- ready, leased, waiting, or dead
        due_at BIGINT NOT NULL, -- Or when a lease expires, or it died.
        attempts BIGINT NOT NULL DEFAULT 0,
        token BIGINT NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '');
    CREATE INDEX deliveries_due ON deliveries
        (subscription, due_at, id) WHERE state IN ('ready', 'leased');
    CREATE INDEX deliveries_order ON deliveries
        (subscription, key, id) WHERE state <> 'dead';
    CREATE INDEX deliveries_dead ON deliveries (id)
        WHERE state = 'dead';
    CREATE INDEX deliveries_event ON deliveries (event)"];

pub type Words = [(&'static str, &'static str); 9];

// ANCHOR: words
/// `{now}` is the database's clock, because the processes' clocks differ.
pub const POSTGRESQL: Words = [
    ("{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    ("{bytes}", "BYTEA"),
    (
        "{now}",
        "(extract(epoch FROM statement_timestamp()) * 1000)::bigint",
    ),
    ("{begin}", "BEGIN"),
    ("{bytewise}", "COLLATE \"C\""),
    ("{skip locked}", "FOR UPDATE SKIP LOCKED"),
    ("{share}", "FOR KEY SHARE"),
    ("{steady}", "FOR SHARE"),
    ("{share both}", "FOR UPDATE OF d FOR KEY SHARE OF e, s"),
];
// ANCHOR_END: words

/// SQLite has one writer at a time, so there are no rows to lock. `AUTOINCREMENT`: a number is never used again, so that an
/// old lease doesn't fit another delivery.
pub const SQLITE: Words = [
    ("{id}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("{bytes}", "BLOB"),
    ("{now}", "CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
    ("{begin}", "BEGIN IMMEDIATE"),
    ("{bytewise}", ""),
    ("{skip locked}", ""),
    ("{share}", ""),
    ("{steady}", ""),
    ("{share both}", ""),
];

/// Puts a database's own words into a statement.
pub fn sql(words: &Words, statement: &str) -> AssertSqlSafe<String> {
    let put = |sql: String, (name, words): &(&str, &str)| {
        sql.replace(name, words)
    };
    AssertSqlSafe(words.iter().fold(statement.to_owned(), put))
}

impl SqlStore {
    /// Makes the tables, or brings them up to date.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        if !self.is_postgresql() {
            self.write_ahead().await?;
        }
        let mut all = self.begin().await?;
        self.lock(&mut all, Some(b"the schema of courier")).await?;
        let made =
            "CREATE TABLE IF NOT EXISTS courier (version BIGINT)";
        all.execute(made).await?;
        let version = "SELECT COALESCE(MAX(version), 0) FROM courier";
        let version: i64 =
            sqlx::query_scalar(version).fetch_one(&mut *all).await?;
        let known = usize::try_from(version).ok();
        let new = known.and_then(|known| MIGRATIONS.get(known..));
        let new = new.ok_or_else(|| {
            let what = format!("tables of version {version}");
            StoreError::Unreadable(what)
        })?;
        for migration in new {
            sqlx::raw_sql(self.sql(migration))
                .execute(&mut *all)
                .await?;
            all.execute(
                "INSERT INTO courier SELECT COUNT(*) + 1 FROM courier",
            )
            .await?;
        }
        Ok(all.commit().await?)
    }

    /// Stays so in the file. It fails immediately, whatever the busy timeout, if another process does the same.
    async fn write_ahead(&self) -> Result<(), StoreError> {
        loop {
            let wal = "PRAGMA journal_mode = WAL";
            match self.write.fetch_all(wal).await {
                Err(error) if is_busy(&error) => {
                    sleep(Duration::from_millis(50)).await;
                }
                done => return Ok(done.map(drop)?),
            }
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|it| it.code().as_deref() == Some("5"))
}
