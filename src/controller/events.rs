//! Tells users what happens, as Kubernetes events, stamped in order.
//!
//! A transition is told before it is written down in the status, under a name that follows from the status before: whoever is killed
//! in between is followed by one that finds the same transition, and tells it under the same name, so it is neither lost nor
//! doubled. All else is told afterwards, a few at a time, so that it never holds up anything that counts; so is a transition that
//! cannot be told at once.

use super::{clock, failure::RequestRefusal, gate::Gate, output::FIELD_MANAGER};
use crate::{
    core::excerpt::{first_characters, within_bytes},
    metrics::Metrics,
};
use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Resource,
    api::{ObjectMeta, PostParams},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};

/// The most characters that a note may have (1024 bytes, by Kubernetes' validation of events).
const MAX_NOTE_BYTES: usize = 1024;
/// The most characters of the object's name that an event's own name takes over.
const MAX_NAME_CHARS: usize = 220;
/// What waits beyond that is dropped. It is more than all grants of a large cluster have to tell at once.
const MAX_WAITING: usize = 1 << 16;
/// How many are published at once: one after the other, a burst would take minutes.
const CONCURRENCY: usize = 8;
/// How long one may take once it is its turn, and so may all that a status waits for.
const LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before it is tried again, where the API server did not take it; then it is dropped.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(10)];
/// How long after the API server took no event no status waits for one.
const STALL: Duration = Duration::from_secs(30);
/// Where events of objects without namespace are.
const CLUSTER_NAMESPACE: &str = "default";

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Something is wrong.
    pub is_warning: bool,
    /// One word.
    pub reason: String,
    /// What was done or decided, one word.
    pub action: &'static str,
    /// A sentence.
    pub note: String,
}

/// An event that is to be published.
struct PendingEvent {
    about: ObjectReference,
    notice: Announcement,
    /// When it was announced.
    stamp: i64,
    /// Tells it from the others of the object.
    id: u64,
}

/// The way of events to the API server.
struct EventSink {
    gate: Arc<Gate>,
    /// When the API server took none, if it has taken none since.
    stalled: Mutex<Option<Instant>>,
}

/// Takes events to be published.
pub struct Announcer {
    sink: Arc<EventSink>,
    waiting: mpsc::Sender<PendingEvent>,
    /// When the last one was announced, in nanoseconds of the Unix epoch.
    last: AtomicI64,
    /// The last one was dropped, which is said once.
    is_dropping: AtomicBool,
    metrics: Metrics,
    /// Nothing is told, as nothing is done.
    is_silent: bool,
}

/// Publishes them.
pub struct Publisher {
    sink: Arc<EventSink>,
    metrics: Metrics,
    waiting: mpsc::Receiver<PendingEvent>,
}

/// The two ends.
pub fn channel(gate: Arc<Gate>, metrics: &Metrics) -> (Announcer, Publisher) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let is_silent = gate.intentions().is_some();
    let sink = Arc::new(EventSink { gate, stalled: Mutex::default() });
    (
        Announcer {
            sink: Arc::clone(&sink),
            waiting: sender,
            last: AtomicI64::new(0),
            is_dropping: AtomicBool::new(false),
            metrics: metrics.clone(),
            is_silent,
        },
        Publisher { sink, metrics: metrics.clone(), waiting: receiver },
    )
}

/// How events refer to an object.
pub fn reference<K: Resource<DynamicType = ()>>(namespace: Option<&str>, name: &str, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

impl Announcer {
    /// Tells of the transitions of an object from a state that nothing else is like, one after the other: killed in between, it is
    /// followed by one that tells only what comes after. Whoever writes the new state down does so afterwards.
    pub async fn tell_first(&self, about: &ObjectReference, before: &impl Serialize, notices: Vec<Announcement>) {
        if self.is_silent {
            return;
        }
        let from = serde_json::to_vec(before).unwrap_or_default();
        let (mut is_put_off, mut left) = (self.sink.is_stalled(), LIMIT);
        for notice in notices {
            let (stamp, id) = (self.stamp(), transition(about, &from, &notice));
            let pending = PendingEvent { about: about.clone(), notice, stamp, id };
            // An API server that takes no events, or is slow to, holds up the status for no longer than one of them may take.
            is_put_off = is_put_off || left.is_zero() || !self.tell(&pending, &mut left).await;
            // Who may not write the transition down any more leaves it to the next one, and nothing is lost.
            if is_put_off && self.sink.gate.is_open() {
                self.publish_later(pending);
            }
        }
    }

    /// At once, in the time that is left. Whether it need not be tried again.
    async fn tell(&self, pending: &PendingEvent, left: &mut Duration) -> bool {
        let (api, event) = pending.event(&self.sink.gate);
        match self.sink.create(&api, &event, left).await {
            Ok(()) => true,
            Err(RequestRefusal::Unavailable(_)) => false,
            Err(refusal) => {
                self.metrics.event_dropped();
                tracing::debug!(error = %refusal, "an event could not be written");
                true
            }
        }
    }

    /// Tells of an object, later.
    pub fn announce(&self, about: ObjectReference, notice: Announcement) {
        if self.is_silent {
            return;
        }
        let stamp = self.stamp();
        self.publish_later(PendingEvent { about, notice, stamp, id: stamp.unsigned_abs() });
    }

    fn publish_later(&self, pending: PendingEvent) {
        let is_dropped = self.waiting.try_send(pending).is_err();
        if is_dropped {
            self.metrics.event_dropped();
        }
        if is_dropped && !self.is_dropping.load(Ordering::Relaxed) {
            tracing::warn!("events are dropped because too many are waiting to be written");
        }
        self.is_dropping.store(is_dropped, Ordering::Relaxed);
    }

    /// Now, but later than any before, so that events stand in the order in which they were announced, under names of their
    /// own.
    fn stamp(&self) -> i64 {
        let now = clock::now().timestamp_nanos_opt().unwrap_or_default();
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        last.map_or(now, |last| now.max(last + 1))
    }

    /// The same of one thing among many that come at once: they leave room for what else there is to tell.
    pub fn announce_one_of_many(&self, about: ObjectReference, notice: Announcement) {
        if self.waiting.capacity() > MAX_WAITING / 2 {
            self.announce(about, notice);
        } else {
            self.metrics.event_dropped();
            tracing::debug!("an event is dropped because too many of its kind are waiting");
        }
    }
}

impl Publisher {
    /// Publishes until it is closed, and then what waits by that time.
    pub async fn run(self, mut closing: oneshot::Receiver<()>) {
        let Self { sink, metrics, mut waiting } = self;
        let mut is_closed = false;
        let waiting = stream::poll_fn(|context| {
            if !is_closed && closing.poll_unpin(context).is_ready() {
                waiting.close();
                is_closed = true;
            }
            waiting.poll_recv(context)
        });
        let all = waiting.map(|pending| publish(&sink, &metrics, pending));
        all.buffer_unordered(CONCURRENCY).collect::<()>().await;
    }
}

async fn publish(sink: &EventSink, metrics: &Metrics, pending: PendingEvent) {
    let (api, event) = pending.event(&sink.gate);
    let mut pauses = PAUSES.into_iter();
    while let Err(refusal) = sink.create(&api, &event, &mut { LIMIT }).await {
        let pause = pauses.next().filter(|_| matches!(refusal, RequestRefusal::Unavailable(_)));
        let Some(pause) = pause else {
            metrics.event_dropped();
            tracing::debug!(error = %refusal, namespace = event.metadata.namespace, "an event could not be written");
            return;
        };
        sleep(pause).await;
    }
}

impl EventSink {
    fn stalled(&self) -> MutexGuard<'_, Option<Instant>> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the API server took no event lately.
    fn is_stalled(&self) -> bool {
        self.stalled().is_some_and(|since| since.elapsed() < STALL)
    }

    /// One that is there already was told before. What it takes once it is its turn is taken from the time that is left.
    async fn create(&self, api: &Api<v1::Event>, event: &v1::Event, left: &mut Duration) -> Result<(), RequestRefusal> {
        let _pass = self.gate.enter().await;
        let begun = Instant::now();
        let answer = timeout(*left, api.create(&PostParams::default(), event)).await;
        *left = left.saturating_sub(begun.elapsed());
        let created = match answer {
            Ok(Err(error)) => match RequestRefusal::of(&error) {
                RequestRefusal::Exists => Ok(()),
                refusal => Err(refusal),
            },
            Ok(Ok(_)) => Ok(()),
            Err(_) => Err(RequestRefusal::Unavailable("the API server did not take it in time".to_owned())),
        };
        match &created {
            Err(RequestRefusal::Unavailable(_)) if self.gate.is_open() => *self.stalled() = Some(Instant::now()),
            Err(RequestRefusal::Unavailable(_)) => {}
            _ => *self.stalled() = None,
        }
        created
    }
}

/// Tells a transition from all others of the object. Of what somebody is reminded of, there may be several at once.
fn transition(about: &ObjectReference, from: &[u8], notice: &Announcement) -> u64 {
    let note = if notice.action == "Remind" { notice.note.as_str() } else { "" };
    let mut hash = Sha256::new();
    for part in [about.uid.as_deref().unwrap_or_default().as_bytes(), from, notice.reason.as_bytes(), note.as_bytes()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into_iter().take(8).fold(0, |all, byte| all << 8 | u64::from(byte))
}

impl PendingEvent {
    /// The event, and where it is made.
    fn event(&self, gate: &Gate) -> (Api<v1::Event>, v1::Event) {
        let Self { about, notice, stamp, id } = self;
        let namespace = about.namespace.clone().unwrap_or_else(|| CLUSTER_NAMESPACE.to_owned());
        let name = first_characters(about.name.as_deref().unwrap_or_default(), MAX_NAME_CHARS);
        let event = v1::Event {
            metadata: ObjectMeta {
                namespace: Some(namespace.clone()),
                name: Some(format!("{name}.{id:016x}")),
                ..ObjectMeta::default()
            },
            action: Some(notice.action.to_owned()),
            event_time: Timestamp::from_nanosecond(i128::from(*stamp)).ok().map(MicroTime),
            note: Some(within_bytes(notice.note.clone(), MAX_NOTE_BYTES)),
            reason: Some(notice.reason.clone()),
            regarding: Some(about.clone()),
            reporting_controller: Some(format!("entitlements.dev/{FIELD_MANAGER}")),
            reporting_instance: Some(FIELD_MANAGER.to_owned()),
            type_: Some(if notice.is_warning { "Warning" } else { "Normal" }.to_owned()),
            ..v1::Event::default()
        };
        (Api::namespaced(gate.client(), &namespace), event)
    }
}

#[cfg(test)]
mod tests;
