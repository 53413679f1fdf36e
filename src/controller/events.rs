//! Tells users what happens, as Kubernetes events: best effort, stamped in order, a few at a time, so that they never hold up
//! anything that counts.

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
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

/// The most characters that a note may have (1024 bytes, by Kubernetes' validation of events).
const MAX_NOTE_BYTES: usize = 1024;
/// The most characters of the object's name that an event's own name takes over.
const MAX_NAME_CHARS: usize = 220;
/// What waits beyond that is dropped. It is more than all grants of a large cluster have to tell at once.
const MAX_WAITING: usize = 1 << 16;
/// How many are published at once: one after the other, a burst would take minutes.
const CONCURRENCY: usize = 8;
/// How long one may take once it is its turn.
const LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before it is tried again, where the API server did not take it; then it is dropped.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(10)];
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

/// Takes events to be published.
pub struct Announcer {
    waiting: mpsc::Sender<(ObjectReference, Announcement, i64)>,
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
    gate: Arc<Gate>,
    metrics: Metrics,
    waiting: mpsc::Receiver<(ObjectReference, Announcement, i64)>,
}

/// The two ends.
pub fn channel(gate: Arc<Gate>, metrics: &Metrics) -> (Announcer, Publisher) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let is_silent = gate.intentions().is_some();
    (
        Announcer {
            waiting: sender,
            last: AtomicI64::new(0),
            is_dropping: AtomicBool::new(false),
            metrics: metrics.clone(),
            is_silent,
        },
        Publisher { gate, metrics: metrics.clone(), waiting: receiver },
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
    /// Tells of an object, later.
    pub fn announce(&self, about: ObjectReference, notice: Announcement) {
        if self.is_silent {
            return;
        }
        let is_dropped = self.waiting.try_send((about, notice, self.stamp())).is_err();
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
        let Self { gate, metrics, mut waiting } = self;
        let mut is_closed = false;
        let waiting = stream::poll_fn(|context| {
            if !is_closed && closing.poll_unpin(context).is_ready() {
                waiting.close();
                is_closed = true;
            }
            waiting.poll_recv(context)
        });
        let all = waiting.map(|(about, notice, stamp)| publish(&gate, &metrics, about, notice, stamp));
        all.buffer_unordered(CONCURRENCY).collect::<()>().await;
    }
}

async fn publish(gate: &Gate, metrics: &Metrics, about: ObjectReference, notice: Announcement, stamp: i64) {
    let namespace = about.namespace.clone().unwrap_or_else(|| CLUSTER_NAMESPACE.to_owned());
    let event = event(about, notice, stamp, &namespace);
    let api: Api<v1::Event> = Api::namespaced(gate.client(), &namespace);
    let mut pauses = PAUSES.into_iter();
    while let Err(refusal) = create(gate, &api, &event).await {
        let pause = pauses.next().filter(|_| matches!(refusal, RequestRefusal::Unavailable(_)));
        let Some(pause) = pause else {
            metrics.event_dropped();
            tracing::debug!(error = %refusal, namespace, "an event could not be written");
            return;
        };
        sleep(pause).await;
    }
}

async fn create(gate: &Gate, api: &Api<v1::Event>, event: &v1::Event) -> Result<(), RequestRefusal> {
    let _pass = gate.enter().await;
    match timeout(LIMIT, api.create(&PostParams::default(), event)).await {
        Ok(created) => created.map(drop).map_err(|error| RequestRefusal::of(&error)),
        Err(_) => Err(RequestRefusal::Unavailable("the API server did not take it in time".to_owned())),
    }
}

fn event(about: ObjectReference, notice: Announcement, stamp: i64, namespace: &str) -> v1::Event {
    let name = first_characters(about.name.as_deref().unwrap_or_default(), MAX_NAME_CHARS);
    v1::Event {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(format!("{name}.{stamp:x}")),
            ..ObjectMeta::default()
        },
        action: Some(notice.action.to_owned()),
        event_time: Timestamp::from_nanosecond(i128::from(stamp)).ok().map(MicroTime),
        note: Some(within_bytes(notice.note, MAX_NOTE_BYTES)),
        reason: Some(notice.reason),
        regarding: Some(about),
        reporting_controller: Some(format!("entitlements.dev/{FIELD_MANAGER}")),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        type_: Some(if notice.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..v1::Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Metrics, channel, event, reference};
    use crate::{
        api::Organization,
        controller::{announcements, gate::Gate, leadership::Leadership},
    };
    use kube::{Client, Config};
    use std::{collections::BTreeSet, sync::Arc};

    #[test]
    fn a_note_keeps_to_the_limit() {
        let note = |text: String| {
            let notice = announcements::of_namespace_made_anew(&text);
            event(reference::<Organization>(None, "acme", "uid"), notice, 1, "default").note.unwrap()
        };
        assert!(note("a".to_owned()).starts_with("namespace a "));
        assert!(note("x".repeat(1025)).ends_with("xxx…"));
        assert_eq!((note("x".repeat(1025)).len(), note("ü".repeat(600)).len()), (1024, 1023));
    }

    #[tokio::test]
    async fn a_burst_is_kept_whole_in_order_and_under_names_of_its_own() {
        let client = Client::try_from(Config::new(http::Uri::from_static("http://127.0.0.1:9"))).unwrap();
        let (announcer, mut publisher) =
            channel(Arc::new(Gate::new(client, 1, Leadership::for_good())), &Metrics::default());
        for number in 0..60_000 {
            let about = reference::<Organization>(None, "acme", "uid");
            announcer.announce(about, announcements::of_namespace_made_anew(&number.to_string()));
        }
        let (mut stamps, mut last) = (BTreeSet::new(), 0);
        for number in 0..60_000 {
            let (_, notice, stamp) = publisher.waiting.try_recv().unwrap();
            assert!(notice.note.starts_with(&format!("namespace {number} ")), "{}", notice.note);
            assert!(stamp > last, "{stamp} is not after {last}");
            last = stamp;
            stamps.insert(stamp);
        }
        assert_eq!(stamps.len(), 60_000);
    }
}
