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
mod tests {
    use super::{Announcement, Announcer, LIMIT, Metrics, PendingEvent, Publisher, channel, reference, transition};
    use crate::{
        api::Organization,
        connection::{BootTime, Fence},
        controller::{
            announcements,
            gate::Gate,
            leadership::{Candidacy, Leadership, LeaseHold, OthersTurn, Tenure},
        },
        metrics::{Exposition, Gauges},
    };
    use http_body_util::BodyExt;
    use k8s_openapi::api::events::v1;
    use kube::{Client, Config, client::Body};
    use std::{
        collections::BTreeSet,
        convert::Infallible,
        sync::{Arc, Mutex},
        time::Duration,
    };
    use tokio::{
        sync::{Semaphore, oneshot, watch},
        time::{Instant, sleep},
    };

    fn ends() -> (Arc<Gate>, Announcer, Publisher) {
        counted_ends(&Metrics::default())
    }

    fn counted_ends(metrics: &Metrics) -> (Arc<Gate>, Announcer, Publisher) {
        let client = Client::try_from(Config::new(http::Uri::from_static("http://127.0.0.1:9"))).unwrap();
        let gate = Arc::new(Gate::new(client, 1, Candidacy::default().holds(), Leadership::for_good()));
        let (announcer, publisher) = channel(Arc::clone(&gate), metrics);
        (gate, announcer, publisher)
    }

    #[tokio::test]
    async fn what_the_next_one_tells_was_not_dropped() {
        let metrics = Metrics::default();
        let (_, announcer, mut publisher) = counted_ends(&metrics);
        // This one holds no lease.
        let notice = announcements::of_namespace_made_anew("one");
        announcer.tell_first(&reference::<Organization>(None, "acme", "uid"), &"before", vec![notice]).await;
        assert!(publisher.waiting.try_recv().is_err());
        let page = metrics.page(&Gauges::default(), Exposition::Text);
        assert!(page.contains("\nentitlement_events_dropped_total 0\n"), "{page}");
    }

    /// An API server that hears of reasons, and answers to each by a permit, with that status.
    fn server(status: u16) -> (Client, Arc<Mutex<Vec<String>>>, Arc<Semaphore>) {
        let (heard, permits) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Semaphore::new(0)));
        let (hearing, answering) = (Arc::clone(&heard), Arc::clone(&permits));
        let answer = move |request: http::Request<Body>| {
            let (heard, permits) = (Arc::clone(&hearing), Arc::clone(&answering));
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let event: v1::Event = serde_json::from_slice(&body).unwrap();
                heard.lock().unwrap().extend(event.reason);
                permits.acquire().await.unwrap().forget();
                let body = if status < 300 { body.to_vec() } else { b"overloaded".to_vec() };
                Ok::<_, Infallible>(http::Response::builder().status(status).body(Body::from(body)).unwrap())
            }
        };
        (Client::new(tower::service_fn(answer), "default"), heard, permits)
    }

    /// The ends of who works by that client, which it has to keep.
    fn working_ends(client: &Client) -> (watch::Sender<LeaseHold>, Announcer, Publisher) {
        let (fence, now) = (Arc::new(Fence::until(BootTime::MAX)), Instant::now());
        let tenure = Tenure::new(1, fence, client.clone(), OthersTurn { number: 1, ended: now }, now);
        let (hold, holds) = watch::channel(LeaseHold::Held(Arc::new(tenure)));
        let gate = Arc::new(Gate::new(client.clone(), 8, holds, Leadership::for_good()));
        let (announcer, publisher) = channel(gate, &Metrics::default());
        (hold, announcer, publisher)
    }

    fn notices(reasons: &[&str]) -> Vec<Announcement> {
        let notice = |reason: &&str| Announcement {
            is_warning: false,
            reason: (*reason).to_owned(),
            action: "Transition",
            note: String::new(),
        };
        reasons.iter().map(notice).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_later_is_not_told_before_what_came_first_is_stored() {
        let (client, heard, permits) = server(201);
        let (_hold, announcer, _publisher) = working_ends(&client);
        let telling = tokio::spawn(async move {
            let about = reference::<Organization>(None, "acme", "uid");
            announcer.tell_first(&about, &"before", notices(&["Accepted", "Activated"])).await;
        });
        // Whoever is killed here leaves no Activated that is older than Accepted.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*heard.lock().unwrap(), ["Accepted"]);
        permits.add_permits(2);
        telling.await.unwrap();
        assert_eq!(*heard.lock().unwrap(), ["Accepted", "Activated"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_no_events_holds_a_status_up_once() {
        let (client, heard, permits) = server(503);
        permits.add_permits(Semaphore::MAX_PERMITS);
        let (_hold, announcer, mut publisher) = working_ends(&client);
        let about = reference::<Organization>(None, "acme", "uid");
        announcer.tell_first(&about, &"before", notices(&["Accepted", "Activated"])).await;
        assert!(!heard.lock().unwrap().contains(&"Activated".to_owned()));
        let waiting: Vec<_> = std::iter::from_fn(|| publisher.waiting.try_recv().ok()).collect();
        assert_eq!(
            waiting.iter().map(|event| event.notice.reason.as_str()).collect::<Vec<_>>(),
            ["Accepted", "Activated"]
        );
        assert!(waiting[0].stamp < waiting[1].stamp);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_server_holds_a_status_up_for_no_longer_than_one_event_may_take() {
        let (client, heard, permits) = server(201);
        let (_hold, announcer, mut publisher) = working_ends(&client);
        let slow = tokio::spawn(async move {
            loop {
                sleep(LIMIT * 2 / 5).await;
                permits.add_permits(1);
            }
        });
        let (about, begun) = (reference::<Organization>(None, "acme", "uid"), Instant::now());
        announcer.tell_first(&about, &"before", notices(&["Accepted", "Activated", "Conflict", "Invalid"])).await;
        assert!(begun.elapsed() <= LIMIT + Duration::from_millis(1), "{:?}", begun.elapsed());
        assert_eq!(*heard.lock().unwrap(), ["Accepted", "Activated", "Conflict"]);
        let waiting = std::iter::from_fn(|| publisher.waiting.try_recv().ok());
        assert_eq!(waiting.map(|event| event.notice.reason).collect::<Vec<_>>(), ["Conflict", "Invalid"]);
        slow.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_server_takes_no_events_no_other_status_waits_for_it() {
        let (client, heard, permits) = server(201);
        let (_hold, announcer, publisher) = working_ends(&client);
        let tell = async |name: &str, reason: &str| {
            let (about, begun) = (reference::<Organization>(None, name, name), Instant::now());
            announcer.tell_first(&about, &"before", notices(&[reason])).await;
            begun.elapsed()
        };
        assert!(tell("acme", "Accepted").await >= LIMIT);
        assert_eq!(tell("globex", "Activated").await, Duration::ZERO);
        assert_eq!(*heard.lock().unwrap(), ["Accepted"]);
        // It takes one again, and all that was put off.
        permits.add_permits(Semaphore::MAX_PERMITS);
        let (_close, closing) = oneshot::channel();
        let publishing = tokio::spawn(publisher.run(closing));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(*heard.lock().unwrap(), ["Accepted", "Accepted", "Activated"]);
        assert!(tell("initech", "Suspended").await < LIMIT);
        assert_eq!(heard.lock().unwrap().last().unwrap(), "Suspended");
        publishing.abort();
    }

    #[tokio::test]
    async fn a_note_keeps_to_the_limit() {
        let (gate, ..) = ends();
        let note = |text: String| {
            let notice = announcements::of_namespace_made_anew(&text);
            let about = reference::<Organization>(None, "acme", "uid");
            PendingEvent { about, notice, stamp: 1, id: 1 }.event(&gate).1.note.unwrap()
        };
        assert!(note("a".to_owned()).starts_with("namespace a "));
        assert!(note("x".repeat(1025)).ends_with("xxx…"));
        assert_eq!((note("x".repeat(1025)).len(), note("ü".repeat(600)).len()), (1024, 1023));
    }

    #[tokio::test]
    async fn a_burst_is_kept_whole_in_order_and_under_names_of_its_own() {
        let (_, announcer, mut publisher) = ends();
        for number in 0..60_000 {
            let about = reference::<Organization>(None, "acme", "uid");
            announcer.announce(about, announcements::of_namespace_made_anew(&number.to_string()));
        }
        let (mut names, mut last) = (BTreeSet::new(), 0);
        for number in 0..60_000 {
            let PendingEvent { notice, stamp, id, .. } = publisher.waiting.try_recv().unwrap();
            assert!(notice.note.starts_with(&format!("namespace {number} ")), "{}", notice.note);
            assert!(stamp > last, "{stamp} is not after {last}");
            last = stamp;
            names.insert(id);
        }
        assert_eq!(names.len(), 60_000);
    }

    #[test]
    fn a_transition_has_one_name_and_another_one_has_another() {
        let notice = |reason: &str, action, note: &str| Announcement {
            is_warning: false,
            reason: reason.to_owned(),
            action,
            note: note.to_owned(),
        };
        let of = |uid, from: &[u8], notice: &Announcement| {
            transition(&reference::<Organization>(None, "acme", uid), from, notice)
        };
        let suspended = notice("Suspended", "Transition", "the configuration is withdrawn");
        let name = of("uid", b"active since ten", &suspended);
        // For good: the next process has to find it again.
        assert_eq!(name, NAME_OF_SUSPENSION, "{name:#x}");
        assert_eq!(of("uid", b"active since ten", &notice("Suspended", "Transition", "in other words")), name);
        for (uid, from, notice) in [
            ("another", b"active since ten".as_slice(), &suspended),
            ("uid", b"active since two", &suspended),
            ("uid", b"active since ten", &notice("Expired", "Transition", "")),
        ] {
            assert_ne!(of(uid, from, notice), name);
        }
        let [one, other] =
            ["in 90 days", "in 30 days"].map(|note| of("uid", b"", &notice("RenewalDue", "Remind", note)));
        assert_ne!(one, other);
    }

    const NAME_OF_SUSPENSION: u64 = 0xf1c0_ca75_c3a3_4f3e;
}
