//! Tells users of what happens, as Kubernetes events: best effort, in order, one at a time, so that they never hold up
//! anything that counts.

use super::{clock, gate::Gate, output::FIELD_MANAGER};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, Resource,
    api::{ObjectMeta, PostParams},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// The most characters that a note may have (1024 bytes, by Kubernetes' validation of events).
const MAX_NOTE_BYTES: usize = 1024;
/// The most characters of the object's name that an event's own name takes over.
const MAX_NAME_CHARS: usize = 220;
/// What waits beyond that is dropped.
const MAX_WAITING: usize = 4096;
/// How long one may take; then it is dropped.
const LIMIT: Duration = Duration::from_secs(10);
/// Where events of objects without namespace are.
const CLUSTER_NAMESPACE: &str = "default";

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
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
    waiting: mpsc::Sender<(ObjectReference, Notice)>,
}

/// Publishes them.
pub struct Publisher {
    gate: Arc<Gate>,
    waiting: mpsc::Receiver<(ObjectReference, Notice)>,
}

/// The two ends.
pub fn channel(gate: Arc<Gate>) -> (Announcer, Publisher) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    (Announcer { waiting: sender }, Publisher { gate, waiting: receiver })
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
    pub fn announce(&self, about: ObjectReference, notice: Notice) {
        if self.waiting.try_send((about, notice)).is_err() {
            tracing::debug!("an event is dropped, as too many are waiting");
        }
    }
}

impl Publisher {
    /// Publishes until nobody announces any more.
    pub async fn run(mut self) {
        while let Some((about, notice)) = self.waiting.recv().await {
            if timeout(LIMIT, self.publish(about, notice)).await.is_err() {
                tracing::debug!("an event is dropped, as the API server did not take it in time");
            }
        }
    }

    async fn publish(&self, about: ObjectReference, notice: Notice) {
        let namespace = about.namespace.clone().unwrap_or_else(|| CLUSTER_NAMESPACE.to_owned());
        let event = event(about, notice, &namespace);
        let api: Api<v1::Event> = Api::namespaced(self.gate.client(), &namespace);
        let _pass = self.gate.enter().await;
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, namespace, "an event could not be written");
        }
    }
}

fn event(about: ObjectReference, notice: Notice, namespace: &str) -> v1::Event {
    let now = clock::now();
    let name: String = about.name.as_deref().unwrap_or_default().chars().take(MAX_NAME_CHARS).collect();
    let stamp = now.timestamp_nanos_opt().unwrap_or_default();
    v1::Event {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(format!("{name}.{stamp:x}")),
            ..ObjectMeta::default()
        },
        action: Some(notice.action.to_owned()),
        event_time: Timestamp::from_nanosecond(i128::from(stamp)).ok().map(MicroTime),
        note: Some(cut(notice.note)),
        reason: Some(notice.reason),
        regarding: Some(about),
        reporting_controller: Some(format!("entitlements.dev/{FIELD_MANAGER}")),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        type_: Some(if notice.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..v1::Event::default()
    }
}

fn cut(mut note: String) -> String {
    if note.len() <= MAX_NOTE_BYTES {
        return note;
    }
    note.truncate(note.floor_char_boundary(MAX_NOTE_BYTES - '…'.len_utf8()));
    note.push('…');
    note
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_note_keeps_to_the_limit() {
        assert_eq!(cut("short".to_owned()), "short");
        assert_eq!(cut("x".repeat(1024)).len(), 1024);
        assert_eq!(cut("x".repeat(1025)), format!("{}…", "x".repeat(1021)));
        assert_eq!(cut("ü".repeat(600)).len(), 1023);
    }
}
