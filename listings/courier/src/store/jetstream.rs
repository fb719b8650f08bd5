//! The queue in NATS JetStream (server 2.9 or later), on one node or replicated on three.
//!
//! | Stream | Subject | What it contains |
//! |---|---|---|
//! | `courier-queue` | `courier.d.<subscription>.<lane>.<event>` | a message for each open delivery (a work queue) |
//! | `courier-records` | `courier.s`, `courier.e.<event>` | the subscriptions; each event's digest and fan-out list |
//! | `courier-leases` | `courier.l.<subscription>.<message>` | the attempts of a delivery, and how it ended |
//! | `courier-dead` | `courier.x.<subscription>.<event>.<delivery>` | dead deliveries |
//!
//! The records and leases are key-value buckets, but they're read as streams, because a read of a bucket may be answered
//! by a replica that lags behind, and here only the stream's leader answers.
//!
//! **Order.** Each subscription has durable pull consumers, one for each lane, whose names contain its generation. Lane 0 has the
//! events without a key. An event with a key is in the lane that the key's hash chooses, and there `max_ack_pending` is 1: the server keeps the next
//! message until the one before it is acknowledged.
//!
//! **Fan-out.** [`accept`](Store::accept) stores the fan-out list under the event's id, publishes one message for each subscription, and then marks the
//! list as done. If it stops in between, a repeat finds the list and finishes it.
//!
//! **Leases.** The consumer's `ack_wait` is the lease. But an acknowledgment names only a message, not an attempt, so the server obeys a late one,
//! and its reply doesn't say whether it had an effect. So each claim writes a lease record, whose sequence number is the fencing token,
//! and [`settle`](Store::settle) first replaces the record if it's still the same one (`Nats-Expected-Last-Subject-Sequence`): that
//! decides. The acknowledgment comes after it, and if it's lost, the next claim sees the record and acknowledges the message then.
//!
//! # What it promises less than the SQL store does
//!
//! - The server confirms a message when it's written, but it calls `fsync` only every two minutes (`sync_interval`). A `kill -9` loses
//!   nothing, a power failure may, unless there are three replicas on machines that don't fail together.
//! - Keys of the same lane wait for each other: a retry delays all of them. More lanes cost more consumers.
//! - Events with and without keys aren't ordered among each other: `claim` leases the oldest first only within a lane.
//! - `accept` isn't one transaction. If it fails (also with [`AcceptError::Full`]), some subscriptions may get the event; a repeat with the same id
//!   reaches the others. A repeat later than two minutes after a half-done attempt (or after a restart of the server) may send it twice to the first ones.
//!   An event that's accepted while its subscription is being removed may leave a message; [`purge`](Store::purge) removes it.
//! - An attempt can begin while the lease's former owner still believes it has it, if the consumer's leader changed (server 2.9 doesn't wait for
//!   the quorum before it delivers a message or confirms an acknowledgment). Only the later one can settle.
//! - Only the process that made an attempt knows that its delivery waits for a retry: for others it counts as leased in
//!   [`backlog`](Store::backlog), and [`due`](Store::due) may name a subscription whose deliveries are all leased to others.
//!   `due` sorts by the age of the oldest open delivery.
//! - After a change of a subscription's URL, deliveries that wait for a retry keep waiting for it.
//! - An old event that still has an open delivery, or a recent dead one, is checked again only after another `keep`, so it may be kept for twice as long.
//! - Ages are measured with the processes' clocks: a process whose clock is days ahead gives up events and forgets their ids.
//! - Attempts are counted for two hours after the last one. After that, they're counted from 1 again.
//! - A lease that isn't as long as `ack_wait` is requested from the server as a negative acknowledgment with a delay (which only replaces the deadline), and
//!   a dropped `claim` may leave messages leased for `ack_wait`.
//! - [`redeliver`](Store::redeliver) first stores the delivery, and then removes the dead one: for a moment there are both.
//! - After a `settle` that fails, the delivery may stay leased until the lease expires, even if its end was recorded.
//! - All subscriptions together fit into one message (1 MB unless the server allows more), and each `due` asks the server for the state of each lane
//!   of each subscription.
//! - Reads come from the leader, without a quorum: a leader that was cut off can answer with old subscriptions until it notices (some seconds).

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{
    Client, ConnectOptions, Subscriber,
    jetstream::{
        AckKind, Context, Message,
        consumer::{self, Consumer, pull},
        context::{
            ConsumerInfoError, ConsumerInfoErrorKind, ContextBuilder,
            PublishErrorKind,
        },
        message::{PublishMessage, StreamMessage},
        stream::{
            self, DiscardPolicy, RawMessageErrorKind, RetentionPolicy,
            Stream,
        },
    },
};
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::{join_all, ready, try_join, try_join_all},
    stream::iter,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use url::Url;

use super::{
    AcceptError, Accepted, Backlog, DeadLetter, Outcome, Store,
    StoreError,
};
use crate::{
    event::{DeliveryId, Event, Lease, Name, Secret, Subscription},
    retry::CENTURY,
};

/// How the store is set up. Every process that shares the store uses the same options.
#[derive(Debug, Clone)]
pub struct JetStreamOptions {
    /// How many nodes have each message: 1 or 3.
    pub replicas: usize,
    /// How many lanes each subscription has for events with keys. It can't change while a queue exists.
    pub lanes: u64,
    /// How many deliveries may be open, all together.
    pub max_open: i64,
    /// How long deliveries are usually leased: [`crate::config::Deliver::lease`].
    pub lease: Duration,
    /// How long each request to the server may take.
    pub timeout: Duration,
}

impl Default for JetStreamOptions {
    fn default() -> Self {
        Self {
            replicas: 1,
            lanes: 8,
            max_open: 100_000,
            lease: Duration::from_secs(60),
            timeout: Duration::from_secs(5),
        }
    }
}

/// A store in NATS JetStream.
pub struct JetStreamStore {
    options: JetStreamOptions,
    client: Client,
    context: Context,
    queue: Stream<()>,
    records: Stream<()>,
    leases: Stream<()>,
    dead: Stream<()>,
    news: tokio::sync::Mutex<Subscriber>,
    /// Wakes the other callers of `changed`.
    changed: Notify,
    /// This process's leases, and its deliveries that wait for a retry. Those whose time is over are removed by the next claim.
    known: Mutex<HashMap<DeliveryId, Known>>,
}

/// A delivery that isn't due until a time.
struct Known {
    consumer: String,
    until: Instant,
    /// The token and the message, while it's leased.
    held: Option<(i64, Message)>,
}

type Table = BTreeMap<Name, Row>;

/// A subscription, as it's stored.
#[derive(Serialize, Deserialize)]
struct Row {
    url: String,
    topics: Vec<Name>,
    secret: String,
    /// The sequence number of the last table without this subscription. So a subscription that's removed and added again
    /// has a higher one.
    generation: u64,
}

/// What is known of an event by its id.
#[derive(Serialize, Deserialize)]
struct Record {
    digest: String,
    accepted: u64,
    to: Vec<Name>,
    done: bool,
}

/// A lease record: the attempts of a delivery, and how they ended.
#[derive(Default, Serialize, Deserialize)]
struct Attempts {
    attempts: u32,
    ended: Option<End>,
    /// The token of the lease that was settled, until the next claim.
    settled: Option<i64>,
}

/// The delivery is dead if there's an error, else the receiver has the event.
#[derive(Serialize, Deserialize)]
struct End {
    error: Option<String>,
}

/// A message's header: all of a delivery but the event's body.
#[derive(Clone, Serialize, Deserialize)]
struct Meta {
    id: Name,
    topic: Name,
    key: Option<String>,
    accepted: u64,
    /// The number of a delivery that was dead before; else it's the message's.
    delivery: Option<DeliveryId>,
    attempts: u32,
    error: Option<String>,
}

const META: &str = "Courier-Meta";

impl JetStreamStore {
    /// Connects to one of the servers (their addresses are separated by commas), and creates the streams that are missing.
    ///
    /// # Errors
    ///
    /// No server answers, JetStream is off, or the queue was created with another number of lanes.
    pub async fn connect(
        url: &str,
        options: JetStreamOptions,
    ) -> Result<Self, StoreError> {
        let limit = options.timeout;
        let connecting = ConnectOptions::new().name("courier");
        let servers: Vec<_> = url.split(',').collect();
        let connecting = connecting.connect(&servers[..]);
        let client = within(limit, connecting).await?;
        // The time limit of each request is `within`'s; this one only has to be longer.
        let context = ContextBuilder::new()
            .timeout(limit * 2)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let stream = async |kind: &str, subjects: &[&str], config| {
            let name = format!("courier-{kind}");
            let lanes = format!("courier, {} lanes", options.lanes);
            let found = within(limit, context.get_stream(&name)).await;
            if let Ok(found) = found
                && found.cached_info().config.description.as_ref()
                    != Some(&lanes)
            {
                return Err(StoreError::Unreadable(format!(
                    "a stream that wasn't made for {lanes}"
                )));
            }
            let subject = |s: &&str| format!("courier.{s}");
            let config = stream::Config {
                name: name.clone(),
                subjects: subjects.iter().map(subject).collect(),
                num_replicas: options.replicas,
                description: Some(lanes),
                ..config
            };
            let creating = context.create_or_update_stream(config);
            within(limit, creating).await?;
            within(limit, context.get_stream_no_info(name)).await
        };
        let queue = stream::Config {
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: options.max_open,
            ..Default::default()
        };
        let newest = stream::Config {
            max_messages_per_subject: 1,
            ..Default::default()
        };
        let leases =
            stream::Config { max_age: REMEMBER, ..newest.clone() };
        let news = client.subscribe(NEWS);
        Ok(Self {
            queue: stream("queue", &["d.>"], queue).await?,
            records: stream("records", &["s", "e.>"], newest.clone())
                .await?,
            leases: stream("leases", &["l.>"], leases).await?,
            dead: stream("dead", &["x.>"], newest).await?,
            news: within(limit, news).await?.into(),
            changed: Notify::new(),
            known: Mutex::default(),
            options,
            client,
            context,
        })
    }

    async fn ask<T, E: Into<BoxError>>(
        &self,
        request: impl IntoFuture<Output = Result<T, E>>,
    ) -> Result<T, StoreError> {
        within(self.options.timeout, request).await
    }

    fn known(&self) -> MutexGuard<'_, HashMap<DeliveryId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subject(&self, kind: &str, parts: &[&str]) -> String {
        format!("courier.{kind}.{}", parts.join("."))
    }

    /// The first message of a subject (with wildcards) from a sequence number on.
    async fn next(
        &self,
        stream: &Stream<()>,
        subject: &str,
        from: u64,
    ) -> Result<Option<StreamMessage>, StoreError> {
        let get = stream.raw_message_builder().sequence(from);
        found(self.ask(get.next_by_subject(subject).send()).await)
    }

    /// The newest message of a subject.
    async fn last(
        &self,
        stream: &Stream<()>,
        subject: &str,
    ) -> Result<Option<StreamMessage>, StoreError> {
        let get = stream.raw_message_builder().last_by_subject(subject);
        found(self.ask(get.send()).await)
    }

    /// The newest value of a subject, and its sequence number.
    async fn read<T: DeserializeOwned>(
        &self,
        subject: &str,
    ) -> Result<Option<(u64, T)>, StoreError> {
        let found = self.last(&self.records, subject).await?;
        let read = |found: StreamMessage| {
            Ok((found.sequence, parse(&found.payload, subject)?))
        };
        found.map(read).transpose()
    }

    /// Replaces a subject's value if its sequence number is still `expected` (0: if there is none). Returns the new one.
    async fn replace<T: Serialize>(
        &self,
        subject: &str,
        expected: u64,
        value: &T,
    ) -> Result<Option<u64>, StoreError> {
        let value =
            serde_json::to_vec(value).map_err(StoreError::failed)?;
        self.put(subject, expected, value.into()).await
    }

    async fn put(
        &self,
        subject: &str,
        expected: u64,
        value: Bytes,
    ) -> Result<Option<u64>, StoreError> {
        let message = PublishMessage::build()
            .payload(value)
            .expected_last_subject_sequence(expected);
        let publish = async {
            let sent =
                self.context.send_publish(subject.to_owned(), message);
            match sent.await?.await {
                Ok(ack) => Ok(Some(ack.sequence)),
                Err(error) => match error.kind() {
                    PublishErrorKind::WrongLastSequence => Ok(None),
                    _ => Err(error),
                },
            }
        };
        self.ask(publish).await
    }

    /// Stores a delivery or a dead one, if the stream doesn't have a message with this `id` already.
    async fn publish(
        &self,
        subject: String,
        id: String,
        meta: &impl Serialize,
        body: Bytes,
    ) -> Result<(), StoreError> {
        let header =
            serde_json::to_string(meta).map_err(StoreError::failed)?;
        let message = PublishMessage::build()
            .message_id(id)
            .header(META, header)
            .payload(body);
        let publish = async {
            self.context.send_publish(subject, message).await?.await
        };
        self.ask(publish).await.map(drop)
    }

    fn delivery_subject(
        &self,
        to: &Name,
        id: &Name,
        key: Option<&str>,
    ) -> String {
        let lane = self.lane(key).to_string();
        self.subject("d", &[&token(to), &lane, &token(id)])
    }

    fn lane(&self, key: Option<&str>) -> u64 {
        let hash = |key| match Sha256::digest(key)[..] {
            [a, b, c, d, ..] => u32::from_be_bytes([a, b, c, d]).into(),
            _ => 0,
        };
        key.map_or(0, |key| 1 + hash(key) % self.options.lanes)
    }

    /// The subscriptions, and the sequence number of their table.
    async fn table(&self) -> Result<(u64, Table), StoreError> {
        Ok(self.read(TABLE).await?.unwrap_or_default())
    }

    /// Creates a consumer. If an old one is in its place, because a call was slower than the one that removed the subscription,
    /// that one is removed first: a work queue has one consumer for each subject.
    async fn replace_consumer(
        &self,
        subscription: &Name,
        generation: u64,
        lane: u64,
    ) -> Result<Consumer<pull::Config>, StoreError> {
        let create =
            || self.create_consumer(subscription, generation, lane);
        match create().await {
            Err(StoreError::Failed(error)) => {
                tracing::debug!(%error, "no consumer yet");
                self.remove_consumers(subscription, generation).await?;
                create().await
            }
            created => created,
        }
    }

    /// Removes the consumers of a subscription's earlier generations.
    async fn remove_consumers(
        &self,
        subscription: &Name,
        before: u64,
    ) -> Result<(), StoreError> {
        let all = self.queue.consumer_names().try_collect::<Vec<_>>();
        for name in self.ask(all).await? {
            if !is_older(&name, subscription, before) {
                continue;
            }
            let gone = self.queue.delete_consumer(&name);
            if let Err(error) = self.ask(gone).await {
                tracing::debug!(%error, name, "no consumer");
            }
        }
        Ok(())
    }

    async fn create_consumer(
        &self,
        subscription: &Name,
        generation: u64,
        lane: u64,
    ) -> Result<Consumer<pull::Config>, StoreError> {
        // ANCHOR: lanes
        // A subscription that's removed and added again gets new ones.
        let name = consumer(subscription, generation, lane);
        let parts = [&token(subscription), &lane.to_string(), "*"];
        self.ask(self.queue.create_consumer(pull::Config {
            durable_name: Some(name),
            filter_subject: self.subject("d", &parts),
            ack_wait: self.options.lease,
            max_ack_pending: match lane {
                0 => MAX_UNKEYED,
                _ => 1,
            },
            ..Default::default()
        }))
        .await
        // ANCHOR_END: lanes
    }

    /// The consumers of a subscription, with their present state. One without a leader is left out, unless all are.
    async fn consumers(
        &self,
        subscription: &Name,
        generation: u64,
    ) -> Result<Vec<Consumer<pull::Config>>, StoreError> {
        let found =
            join_all((0..=self.options.lanes).map(async |lane| {
                let name = consumer(subscription, generation, lane);
                let found =
                    self.ask(self.queue.get_consumer(&name)).await;
                match found {
                    Err(StoreError::Failed(e)) if is_missing(&e) => {
                        // The consumer hasn't been needed yet.
                        let table = self.table().await?.1;
                        let row = table.get(subscription);
                        if row.map(|row| row.generation)
                            != Some(generation)
                        {
                            return Ok(None);
                        }
                        let new = self.replace_consumer(
                            subscription,
                            generation,
                            lane,
                        );
                        new.await.map(Some)
                    }
                    found => found.map(Some),
                }
            }))
            .await;
        let (found, mut failed): (Vec<_>, Vec<_>) =
            found.into_iter().partition(Result::is_ok);
        match failed.pop() {
            Some(Err(error)) if found.is_empty() => Err(error),
            _ => Ok(found.into_iter().flatten().flatten().collect()),
        }
    }

    /// What this process knows of a consumer's deliveries: how many aren't leased anymore, and how many aren't due.
    fn asleep(&self, info: &consumer::Info) -> (usize, usize) {
        let (known, now) = (self.known(), Instant::now());
        let known = known.values().filter(|k| k.consumer == info.name);
        known.fold((0, 0), |(free, asleep), known| {
            let waits = known.until > now;
            let leased = waits && known.held.is_some();
            (free + usize::from(!leased), asleep + usize::from(waits))
        })
    }

    /// Whether a consumer has something to lease, as far as this process knows.
    fn ready(&self, info: &consumer::Info) -> bool {
        let pending = info.num_ack_pending;
        let room = (pending as i64) < info.config.max_ack_pending;
        pending > self.asleep(info).1 || room && info.num_pending > 0
    }

    /// Fetches what a consumer has now. The server's answer ends it, so that no message is sent to a request that nobody waits for.
    async fn fetch(
        &self,
        from: &Consumer<pull::Config>,
        most: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let fetch = async {
            let request = from.fetch().max_messages(most);
            let messages = request.expires(FETCH).messages().await?;
            // A status, such as "consumer deleted", ends it, too.
            let messages = messages.take_while(|m| ready(m.is_ok()));
            Ok(messages.filter_map(|m| ready(m.ok())).collect().await)
        };
        self.ask::<_, BoxError>(fetch).await
    }

    /// Writes the lease record of a message that was fetched after `start`.
    async fn lease(
        &self,
        message: Message,
        to: &Subscription,
        start: Instant,
        lease: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let info = message.info().map_err(StoreError::failed)?;
        let meta = match meta(message.headers.as_ref()) {
            Ok(meta) => meta,
            Err(error) => {
                tracing::error!(%error, "a delivery is dead");
                skipped(self.bury(&message, to).await);
                return Ok(None);
            }
        };
        let subject = self.lease_subject(&to.name, &message)?;
        let (mut sequence, mut state) = (0, Attempts::default());
        if info.delivered > 1 {
            (sequence, state) = self.attempts(&subject).await?;
        }
        let sure = start + self.options.lease;
        let token = loop {
            if let Some(end) = &state.ended {
                self.finish(&message, to, meta, state.attempts, end)
                    .await?;
                return Ok(None);
            }
            if Instant::now() >= sure {
                return Ok(None); // another claim may have it now
            }
            state.attempts += 1;
            state.settled = None;
            match self.replace(&subject, sequence, &state).await? {
                Some(token) => break token,
                None => {
                    (sequence, state) = self.attempts(&subject).await?;
                }
            }
        };
        if lease != self.options.lease {
            self.extend(&message, lease).await?;
        }
        let lease = Lease {
            delivery: meta
                .delivery
                .unwrap_or(DeliveryId(info.stream_sequence as i64)),
            token: token as i64,
            attempt: state.attempts,
            age: Duration::from_millis(
                now().saturating_sub(meta.accepted),
            ),
            expires: start + lease,
            event: Event {
                id: meta.id,
                topic: meta.topic,
                key: meta.key,
                body: message.payload.clone(),
            },
            subscription: to.clone(),
        };
        let known = Known {
            consumer: info.consumer.to_owned(),
            until: lease.expires,
            held: Some((lease.token, message.clone())),
        };
        self.known().insert(lease.delivery, known);
        Ok(Some(lease))
    }

    /// A lease record and its sequence number. If the record is missing or torn, this returns a new one.
    async fn attempts(
        &self,
        subject: &str,
    ) -> Result<(u64, Attempts), StoreError> {
        let found = self.last(&self.leases, subject).await?;
        let read = |found: StreamMessage| {
            let state = parse(&found.payload, subject);
            (found.sequence, skipped(state).unwrap_or_default())
        };
        Ok(found.map(read).unwrap_or_default())
    }

    fn lease_subject(
        &self,
        to: &Name,
        message: &Message,
    ) -> Result<String, StoreError> {
        let info = message.info().map_err(StoreError::failed)?;
        let sequence = info.stream_sequence.to_string();
        Ok(self.subject("l", &[&token(to), &sequence]))
    }

    /// Sets a message's deadline: a negative acknowledgment with a delay doesn't end anything, it only replaces the deadline.
    async fn extend(
        &self,
        message: &Message,
        lease: Duration,
    ) -> Result<(), StoreError> {
        let kind = match lease == self.options.lease {
            true => AckKind::Progress,
            false => AckKind::Nak(Some(lease.max(SHORTEST))),
        };
        self.ask(message.double_ack_with(kind)).await
    }

    /// Carries out an end that was recorded. It may be repeated.
    async fn finish(
        &self,
        message: &Message,
        to: &Subscription,
        mut meta: Meta,
        attempts: u32,
        end: &End,
    ) -> Result<(), StoreError> {
        let info = message.info().map_err(StoreError::failed)?;
        if let Some(error) = &end.error {
            let number = DeliveryId(info.stream_sequence as i64);
            let number = *meta.delivery.get_or_insert(number);
            meta.attempts = attempts;
            meta.error = Some(error.clone());
            let parts = [&token(&to.name), &token(&meta.id)];
            let subject = self.subject(
                "x",
                &[parts[0], parts[1], &number.to_string()],
            );
            let id = format!("dead.{}", info.stream_sequence);
            let body = message.payload.clone();
            self.publish(subject, id, &meta, body).await?;
        }
        self.ask(message.double_ack()).await
    }

    /// Moves an unreadable message, as it is, to the dead ones, so that it doesn't block its lane. Safe to repeat.
    async fn bury(
        &self,
        message: &Message,
        to: &Subscription,
    ) -> Result<(), StoreError> {
        let info = message.info().map_err(StoreError::failed)?;
        let number = info.stream_sequence.to_string();
        let event = message.subject.split('.').nth(4);
        let parts = [&token(&to.name), event.unwrap_or("-"), &number];
        let subject = self.subject("x", &parts);
        let header = message.headers.as_ref();
        let torn = header.and_then(|it| it.get(META));
        let torn = torn.map(|it| it.as_str());
        let (id, body) =
            (format!("dead.{number}"), message.payload.clone());
        self.publish(subject, id, &torn, body).await?;
        self.ask(message.double_ack()).await
    }

    /// The message of a lease that this process still has.
    fn held(&self, lease: &Lease) -> Option<Message> {
        let mut known = self.known();
        let own = known.get(&lease.delivery)?;
        let (token, message) = own.held.as_ref()?;
        if *token != lease.token {
            return None;
        }
        let message = message.clone();
        if own.until <= Instant::now() {
            known.remove(&lease.delivery);
            return None;
        }
        Some(message)
    }
}

#[async_trait]
impl Store for JetStreamStore {
    async fn accept(
        &self,
        event: &Event,
    ) -> Result<Accepted, AcceptError> {
        let subject = self.subject("e", &[&token(&event.id)]);
        let mut digest = Sha256::new();
        let key = event.key.as_deref();
        let parts = [event.topic.as_str().as_bytes(), &event.body];
        digest.update(format!("{key:?} {} ", parts[0].len()));
        parts.iter().for_each(|part| digest.update(part));
        let digest = BASE64_STANDARD.encode(digest.finalize());
        let table = self.table().await?.1;
        let wanted = |(name, row): (&Name, &Row)| {
            let all = row.topics.is_empty();
            (all || row.topics.contains(&event.topic))
                .then(|| name.clone())
        };
        for _ in 0..REPEATS {
            let to: Vec<_> = table.iter().filter_map(wanted).collect();
            let mut record = Record {
                digest: digest.clone(),
                accepted: now(),
                done: to.is_empty(),
                to,
            };
            let first = self.replace(&subject, 0, &record).await?;
            let sequence = match first {
                Some(_) if record.done => return Ok(Accepted::New(0)),
                Some(sequence) => sequence,
                None => {
                    let Some((sequence, old)) =
                        self.read(&subject).await?
                    else {
                        continue;
                    };
                    record = old;
                    sequence
                }
            };
            if record.digest != digest {
                return Err(AcceptError::IdReused);
            }
            if record.done {
                return Ok(Accepted::Again);
            }
            let meta = Meta {
                id: event.id.clone(),
                topic: event.topic.clone(),
                key: event.key.clone(),
                accepted: record.accepted,
                delivery: None,
                attempts: 0,
                error: None,
            };
            let to = record.to.iter();
            let to = to.filter(|name| table.contains_key(name));
            let published = try_join_all(to.map(|name| {
                let subject =
                    self.delivery_subject(name, &event.id, key);
                let id = format!("{name}.{sequence}");
                self.publish(subject, id, &meta, event.body.clone())
            }));
            published.await.map_err(|error| match error {
                StoreError::Failed(e) if is_full(&e) => {
                    AcceptError::Full
                }
                error => error.into(),
            })?;
            record.done = true;
            let done =
                self.replace(&subject, sequence, &record).await?;
            if done.is_some() {
                self.announce().await;
                return Ok(Accepted::New(record.to.len()));
            }
        }
        Err(contended().into())
    }

    async fn due(
        &self,
        most: usize,
    ) -> Result<Vec<(Name, Url)>, StoreError> {
        let table = self.table().await?.1;
        let due = iter(table).map(async |(name, row)| {
            let consumers =
                self.consumers(&name, row.generation).await?;
            let ready = |c: &Consumer<_>| self.ready(c.cached_info());
            if !consumers.iter().any(ready) {
                return Ok::<_, StoreError>(None);
            }
            let subject = self.subject("d", &[&token(&name), ">"]);
            let oldest = self.next(&self.queue, &subject, 1).await?;
            let Some(oldest) = oldest else { return Ok(None) };
            // Nothing could be claimed of one that can't be read.
            let to = skipped(row.subscription(name));
            Ok(to.map(|to| (oldest.sequence, (to.name, to.url))))
        });
        let due: Vec<Option<_>> =
            due.buffer_unordered(16).try_collect().await?;
        let mut due: Vec<_> = due.into_iter().flatten().collect();
        due.sort();
        Ok(due.into_iter().take(most).map(|(_, to)| to).collect())
    }

    async fn claim(
        &self,
        subscription: &Name,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let Some(row) = self.table().await?.1.remove(subscription)
        else {
            return Ok(vec![]);
        };
        let generation = row.generation;
        let to = row.subscription(subscription.clone())?;
        self.known().retain(|_, known| known.until > Instant::now());
        let mut consumers =
            self.consumers(subscription, generation).await?;
        consumers.retain(|c| self.ready(c.cached_info()));
        fastrand::shuffle(&mut consumers);
        let (most, lease) = (most.min(BATCH), lease.min(CENTURY));
        let start = Instant::now();
        let mut messages = vec![];
        while messages.len() < most && !consumers.is_empty() {
            // One of each lane, so that none starves; what's left over is for the events without a key.
            let left = most - messages.len();
            let round = consumers.len().min(left);
            let extra = left - round;
            let round = consumers.drain(..round).map(async |from| {
                let single =
                    from.cached_info().config.max_ack_pending == 1;
                let most = 1 + if single { 0 } else { extra };
                self.fetch(&from, most).await
            });
            messages.extend(
                try_join_all(round).await?.into_iter().flatten(),
            );
        }
        let leases = messages
            .into_iter()
            .map(|message| self.lease(message, &to, start, lease));
        let leases = try_join_all(leases).await?;
        let mut leases: Vec<_> = leases.into_iter().flatten().collect();
        leases.sort_by_key(|lease| lease.delivery);
        Ok(leases)
    }

    async fn renew(
        &self,
        lease: &Lease,
        for_: Duration,
    ) -> Result<bool, StoreError> {
        let (start, for_) = (Instant::now(), for_.min(CENTURY));
        let Some(message) = self.held(lease) else {
            return Ok(false);
        };
        let name = &lease.subscription.name;
        let subject = self.lease_subject(name, &message)?;
        let (token, _) = self.attempts(&subject).await?;
        if token as i64 != lease.token {
            return Ok(false);
        }
        self.extend(&message, for_).await?;
        if let Some(known) = self.known().get_mut(&lease.delivery) {
            known.until = start + for_;
        }
        Ok(true)
    }

    async fn settle(
        &self,
        lease: &Lease,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        let Some(message) = self.held(lease) else {
            return Ok(false);
        };
        let to = &lease.subscription;
        let (unused, ended, wait) = match outcome {
            Outcome::Delivered => (0, Some(End { error: None }), None),
            Outcome::Dead { error } => {
                (0, Some(End { error: Some(error.clone()) }), None)
            }
            Outcome::Retry { after, .. } => {
                (0, None, Some((*after).min(CENTURY)))
            }
            Outcome::Unused => (1, None, None),
        };
        // ANCHOR: decide
        let attempts = lease.attempt - unused;
        let settled = Some(lease.token);
        let mut state = Attempts { attempts, ended, settled };
        let subject = self.lease_subject(&to.name, &message)?;
        let expected = lease.token as u64;
        if self.replace(&subject, expected, &state).await?.is_none() {
            // The lease is lost, unless this call repeats one that was dropped.
            (_, state) = self.attempts(&subject).await?;
            if state.settled != settled {
                self.known().remove(&lease.delivery);
                return Ok(false);
            }
        }
        // ANCHOR_END: decide
        // It's decided. If the rest fails, the next claim of the message, after the lease, makes up for it.
        let wait = wait.filter(|wait| !wait.is_zero());
        let rest = match &state.ended {
            Some(end) => {
                let meta = meta(message.headers.as_ref())?;
                let attempts = lease.attempt;
                self.finish(&message, to, meta, attempts, end).await
            }
            None => {
                // Never without a delay: then the old deadline would remain, and if the request that the server takes the
                // message for is over by then, the message would wait for that deadline.
                let delay = wait.unwrap_or(SHORTEST);
                let retry = AckKind::Nak(Some(delay));
                self.ask(message.double_ack_with(retry)).await
            }
        };
        if let Err(error) = rest {
            tracing::warn!(%error, "an end is finished later");
        }
        let mut known = self.known();
        match (wait, known.get_mut(&lease.delivery)) {
            (Some(wait), Some(known)) => {
                known.until = Instant::now() + wait;
                known.held = None;
            }
            _ => drop(known.remove(&lease.delivery)),
        }
        Ok(true)
    }

    async fn changed(&self) {
        let news = async {
            let mut news = self.news.lock().await;
            if news.next().await.is_none() {
                drop(news);
                std::future::pending::<()>().await; // closed: poll
            } else {
                while news.next().now_or_never().flatten().is_some() {}
            }
        };
        tokio::select! {
            () = self.changed.notified() => {}
            () = news => self.changed.notify_waiters(),
        }
    }

    async fn subscribe(
        &self,
        subscription: &Subscription,
        most: usize,
    ) -> Result<bool, StoreError> {
        let name = &subscription.name;
        let row = |generation| Row {
            generation,
            url: subscription.url.to_string(),
            topics: subscription.topics.clone(),
            secret: BASE64_STANDARD.encode(&subscription.secret.0),
        };
        for _ in 0..REPEATS {
            let ends = self.ends().await?;
            let (sequence, mut table) = self.table().await?;
            let others = table.len();
            let old = table.get(name).map(|row| row.generation);
            let generation = old.unwrap_or(sequence);
            table.insert(name.clone(), row(generation));
            if old.is_none() {
                if others >= most {
                    return Ok(false);
                }
                self.remove_consumers(name, sequence).await?;
                self.forget(name, sequence, ends).await?;
            }
            // Its consumers are created when they're first needed.
            if self.replace_table(sequence, &table).await? {
                return Ok(true);
            }
        }
        Err(contended())
    }

    async fn unsubscribe(
        &self,
        name: &Name,
    ) -> Result<bool, StoreError> {
        for _ in 0..REPEATS {
            let ends = self.ends().await?;
            let (sequence, mut table) = self.table().await?;
            let found = table.remove(name).is_some();
            if !found || self.replace_table(sequence, &table).await? {
                // Also if it wasn't found: a call that was dropped may have left something.
                // A new subscription's generation is `sequence` or higher.
                self.remove_consumers(name, sequence).await?;
                self.forget(name, sequence, ends).await?;
                return Ok(found);
            }
        }
        Err(contended())
    }

    async fn subscriptions(
        &self,
    ) -> Result<Vec<Subscription>, StoreError> {
        let all = self.table().await?.1.into_iter();
        let all = all.map(|(name, row)| row.subscription(name));
        Ok(all.filter_map(skipped).collect())
    }

    async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let mut dead: HashMap<String, u64> = HashMap::new();
        let all = self.subject("x", &[">"]);
        let listing = async {
            let listing = self.dead.info_with_subjects(all).await?;
            listing.try_collect::<Vec<_>>().await
        };
        for (subject, _) in self.ask(listing).await? {
            let name = subject.split('.').nth(2).unwrap_or_default();
            *dead.entry(name.to_owned()).or_default() += 1;
        }
        let table = self.table().await?.1;
        let backlog = iter(table).map(async |(name, row)| {
            let (mut open, mut leased) = (0, 0);
            for consumer in
                self.consumers(&name, row.generation).await?
            {
                let info = consumer.cached_info();
                let pending = info.num_ack_pending;
                open += info.num_pending + pending as u64;
                let free = self.asleep(info).0;
                leased += pending.saturating_sub(free) as u64;
            }
            let subject = self.subject("d", &[&token(&name), ">"]);
            let oldest = self.next(&self.queue, &subject, 1).await?;
            let oldest = oldest.and_then(|oldest| {
                let meta = skipped(meta(Some(&oldest.headers)))?;
                Some(now().saturating_sub(meta.accepted) / 1000)
            });
            Ok::<_, StoreError>(Backlog {
                dead: dead.get(&token(&name)).copied().unwrap_or(0),
                subscription: name,
                open,
                leased,
                oldest_seconds: oldest,
            })
        });
        backlog.buffered(16).try_collect().await
    }

    async fn dead(
        &self,
        most: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let state = self.ask(self.dead.get_info()).await?.state;
        // At most so many sequence numbers hold the newest `most` messages.
        let span = most as u64 + state.deleted_count.unwrap_or(0);
        let mut from = (state.last_sequence + 1).saturating_sub(span);
        let mut dead = VecDeque::new();
        let all = self.subject("x", &[">"]);
        while let Some(message) =
            self.next(&self.dead, &all, from.max(1)).await?
        {
            from = message.sequence + 1;
            let letter = || {
                let mut parts = message.subject.split('.').skip(2);
                let mut part =
                    || parts.next().unwrap_or("").replace('=', ".");
                let subscription =
                    part().try_into().map_err(StoreError::failed)?;
                let (event, number) = (part(), part());
                // An unreadable header is why this delivery is dead.
                let meta = meta(Some(&message.headers));
                let (topic, attempts, error) = match meta {
                    Ok(it) => (it.topic.into(), it.attempts, it.error),
                    Err(e) => (String::new(), 0, Some(e.to_string())),
                };
                Ok(DeadLetter {
                    delivery: DeliveryId(number.parse().unwrap_or(0)),
                    subscription,
                    event,
                    topic,
                    attempts,
                    error: error.unwrap_or_default(),
                })
            };
            if let Some(letter) = skipped(letter()) {
                dead.push_front(letter);
                dead.truncate(most);
            }
        }
        Ok(dead.into())
    }

    async fn redeliver(
        &self,
        delivery: DeliveryId,
    ) -> Result<bool, StoreError> {
        let number = delivery.to_string();
        let subject = self.subject("x", &["*", "*", &number]);
        let Some(message) = self.next(&self.dead, &subject, 1).await?
        else {
            return Ok(false);
        };
        let table = self.table().await?.1;
        let name = message.subject.split('.').nth(2);
        let name = table.keys().find(|to| Some(&*token(to)) == name);
        let Some(name) = name else {
            return Ok(false);
        };
        let mut meta = meta(Some(&message.headers))?;
        (meta.attempts, meta.error) = (0, None);
        meta.accepted = now();
        let key = meta.key.as_deref();
        let back = self.delivery_subject(name, &meta.id, key);
        let id = format!("again.{}", message.sequence);
        self.publish(back, id, &meta, message.payload).await?;
        let gone = self.dead.delete_message(message.sequence);
        if let Err(error) = self.ask(gone).await {
            // Another call was faster, and the delivery wasn't stored twice.
            return match self.next(&self.dead, &subject, 1).await? {
                None => Ok(false),
                Some(_) => Err(error),
            };
        }
        self.announce().await;
        Ok(true)
    }

    async fn purge(
        &self,
        keep: Duration,
        most: usize,
    ) -> Result<u64, StoreError> {
        let all = self.subject("e", &["*"]);
        let table = self.table().await?.1;
        let (mut from, mut end, mut purged) = (1, u64::MAX, 0);
        let old = |since: &StreamMessage| {
            let since = since.time.unix_timestamp_nanos() / 1_000_000;
            i128::from(now()) - since > keep.as_millis() as i128
        };
        while purged < most as u64
            && let Some(message) =
                self.next(&self.records, &all, from).await?
            && message.sequence < end
            && old(&message)
        // A record that isn't old ends the loop: newer ones follow.
        {
            from = message.sequence + 1;
            let subject = message.subject.as_str();
            let record = parse(&message.payload, subject);
            // If the record is torn, any subscription may need it.
            let to = skipped(record).map_or_else(
                || table.keys().cloned().collect(),
                |record: Record| record.to,
            );
            let id = subject.split('.').nth(2).unwrap_or("");
            let mut needed = false;
            for name in &to {
                let of = self.subject("d", &[&token(name), "*", id]);
                if !table.contains_key(name) {
                    self.purge_subject(&self.queue, of).await?;
                } else if self
                    .next(&self.queue, &of, 1)
                    .await?
                    .is_some()
                {
                    needed = true;
                }
                // A dead delivery is kept as long, from its death on.
                let of = self.subject("x", &[&token(name), id, "*"]);
                let newest = self.last(&self.dead, &of).await?;
                needed |= newest.is_some_and(|it| !old(&it));
            }
            if needed {
                // This moves it to the end of the stream, so that not every purge reads it again.
                let (old, same) = (message.sequence, message.payload);
                if let Some(new) = self.put(subject, old, same).await? {
                    end = end.min(new);
                }
                continue;
            }
            let letters = to.iter().map(async |name| {
                let of = self.subject("x", &[&token(name), id, "*"]);
                self.purge_subject(&self.dead, of).await
            });
            // Sent together, so that a dropped call does all or nothing.
            let gone = self.records.delete_message(message.sequence);
            try_join(try_join_all(letters), self.ask(gone)).await?;
            purged += 1;
        }
        Ok(purged)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.table().await.map(drop)
    }

    async fn close(&self) {
        let closing = async {
            self.client.drain().await?;
            let mut news = self.news.lock().await;
            while news.next().await.is_some() {} // until it's closed
            Ok::<_, BoxError>(())
        };
        if let Err(error) = self.ask(closing).await {
            tracing::debug!(%error, "the connection wasn't drained");
        }
    }
}

impl JetStreamStore {
    /// Wakes all processes' [`changed`](Store::changed). If it fails, they poll.
    async fn announce(&self) {
        let news = self.client.publish(NEWS, Bytes::new());
        if let Err(error) = self.ask(news).await {
            tracing::debug!(%error, "no announcement");
        }
    }

    async fn replace_table(
        &self,
        expected: u64,
        table: &Table,
    ) -> Result<bool, StoreError> {
        let new = self.replace(TABLE, expected, table).await?;
        Ok(new.is_some())
    }

    /// The streams with the messages of subscriptions.
    fn streams(&self) -> [(&str, &Stream<()>); 3] {
        [("d", &self.queue), ("x", &self.dead), ("l", &self.leases)]
    }

    /// The sequence numbers that those streams have reached. If the subscription table is read afterward, then all messages of
    /// subscriptions that aren't in the table yet will have higher numbers.
    async fn ends(&self) -> Result<Vec<u64>, StoreError> {
        try_join_all(self.streams().map(async |(_, stream)| {
            let info = self.ask(stream.get_info()).await?;
            Ok(info.state.last_sequence)
        }))
        .await
    }

    /// Removes the deliveries and leases of a subscription, up to those numbers: what follows belongs to a new one of that name.
    async fn forget(
        &self,
        name: &Name,
        before: u64,
        ends: Vec<u64>,
    ) -> Result<(), StoreError> {
        let streams = self.streams().into_iter().zip(ends);
        // To the server, 0 and 1 mean all of them.
        for ((kind, stream), end) in streams.filter(|it| it.1 > 0) {
            let subject = self.subject(kind, &[&token(name), ">"]);
            let purge = stream.purge().filter(subject);
            self.ask(purge.sequence(end + 1)).await?;
        }
        self.known().retain(|_, known| {
            !is_older(&known.consumer, name, before)
        });
        Ok(())
    }

    async fn purge_subject(
        &self,
        stream: &Stream<()>,
        subject: String,
    ) -> Result<(), StoreError> {
        self.ask(stream.purge().filter(subject)).await.map(drop)
    }
}

impl Row {
    fn subscription(
        self,
        name: Name,
    ) -> Result<Subscription, StoreError> {
        let secret = BASE64_STANDARD
            .decode(self.secret)
            .map_err(|_| StoreError::Unreadable("a secret".into()))?;
        Ok(Subscription {
            name,
            url: self.url.parse().map_err(StoreError::failed)?,
            topics: self.topics,
            secret: Secret(secret.into()),
        })
    }
}

/// Logs and skips what can't be read, so it doesn't block the rest.
fn skipped<T>(it: Result<T, StoreError>) -> Option<T> {
    it.inspect_err(|error| tracing::error!(%error, "skipped")).ok()
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The subscriptions' subject, and the subject that wakes processes.
const TABLE: &str = "courier.s";
const NEWS: &str = "courier.news";

/// How long attempts and settled leases are remembered: longer than the longest delay of a retry.
const REMEMBER: Duration = Duration::from_secs(2 * 3600);

/// How many deliveries of events without a key may be leased or waiting for a retry, for each subscription.
const MAX_UNKEYED: i64 = 10_000;

/// How often a change is attempted that others may be making, too.
const REPEATS: usize = 20;

/// How long the server waits for a message that another claim was faster to get.
const FETCH: Duration = Duration::from_millis(50);

/// The shortest delay that the server gets.
const SHORTEST: Duration = Duration::from_millis(1);

/// How many deliveries one claim leases at most.
const BATCH: usize = 1_000;

async fn within<T, E: Into<BoxError>>(
    limit: Duration,
    request: impl IntoFuture<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    match timeout(limit, request.into_future()).await {
        Ok(answer) => answer.map_err(StoreError::failed),
        Err(_) => Err(StoreError::Silent(limit)),
    }
}

fn contended() -> StoreError {
    StoreError::failed("others change it all the time")
}

/// `None` if the error says that there is no such message.
fn found(
    answer: Result<StreamMessage, StoreError>,
) -> Result<Option<StreamMessage>, StoreError> {
    match answer {
        Err(StoreError::Failed(error)) => {
            let kind = error.downcast_ref::<stream::RawMessageError>();
            match kind.map(|error| error.kind()) {
                Some(RawMessageErrorKind::NoMessageFound) => Ok(None),
                _ => Err(StoreError::Failed(error)),
            }
        }
        answer => answer.map(Some),
    }
}

/// Whether the stream has as many messages as it may have. (The error's code is the same for all failures to store a message.)
fn is_full(error: &BoxError) -> bool {
    error.to_string().contains("maximum messages exceeded")
}

/// Whether there's no such consumer: the subscription is being removed.
fn is_missing(error: &BoxError) -> bool {
    let error = error.downcast_ref::<ConsumerInfoError>();
    error.is_some_and(|error| {
        error.kind() == ConsumerInfoErrorKind::NotFound
    })
}

/// A name as a part of a subject: dots separate the parts.
fn token(name: &Name) -> String {
    name.as_str().replace('.', "=")
}

/// A consumer's name. If one call removes a consumer while another one creates it, nats-server 2.9.10 may answer each later
/// attempt to create it with "no such file or directory". So names with an old generation aren't used again.
fn consumer(subscription: &Name, generation: u64, lane: u64) -> String {
    format!("{}-{generation}-{lane}", token(subscription))
}

/// Whether a consumer belongs to an earlier generation of a subscription.
fn is_older(consumer: &str, subscription: &Name, before: u64) -> bool {
    let mut parts = consumer.rsplitn(3, '-').skip(1);
    let generation = parts.next().and_then(|it| it.parse().ok());
    generation.is_some_and(|it: u64| it < before)
        && parts.next() == Some(&*token(subscription))
}

fn parse<T: DeserializeOwned>(
    json: &[u8],
    what: &str,
) -> Result<T, StoreError> {
    serde_json::from_slice(json)
        .map_err(|_| StoreError::Unreadable(what.to_owned()))
}

fn meta(
    headers: Option<&async_nats::HeaderMap>,
) -> Result<Meta, StoreError> {
    let header = headers.and_then(|headers| headers.get(META));
    parse(header.map_or("", |h| h.as_str()).as_bytes(), "a message")
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
