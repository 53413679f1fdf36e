//! What is noted of the store in the cluster, and whether it is still the one that it was.
//!
//! The note lies outside of the store, so that another store, or one that was restored from a backup, is told from the right one. Who
//! works writes it; the other replicas read it, and compare for themselves, as they answer decisions too. Counting goes on in any case.

use super::{
    clock,
    context::ControllerContext,
    events::{self, Announcement},
    failure::RequestRefusal,
    metering,
    output::FIELD_MANAGER,
};
use crate::{
    core::reason::ReasonCode, evaluation::status::metered::replaced, installation::STORE_NOTE, metering::MeteringNews,
    store::note::StoreNote,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How often it is looked, and how often the store was written is noted.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often it is looked whether somebody has confirmed what was found, and again after a failure.
const SHORT_INTERVAL: Duration = Duration::from_secs(5);
/// The longest that one look takes.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How long the last one may take.
const LAST_LIMIT: Duration = Duration::from_secs(2);
/// How long the store may take to say which it is, and how often it was written.
const ANSWER: Duration = Duration::from_secs(2);
/// What the ConfigMap is known by as the operator's.
const LABEL: (&str, &str) = ("app.kubernetes.io/name", "entitlement-operator");

/// The ConfigMap, as it was read.
struct NotedStore {
    uid: String,
    note: Option<StoreNote>,
    labels: BTreeMap<String, String>,
}

/// Looks after it as long as the controller runs.
pub async fn run(context: Arc<ControllerContext>) {
    if !context.meters.has_store() {
        return std::future::pending().await;
    }
    let mut is_failing = false;
    let mut sighting = None;
    loop {
        let looked = timeout(TIME_LIMIT, look(&context, &mut sighting)).await.unwrap_or_else(|_| Err(too_slow()));
        let is_quick = match looked {
            Ok(is_complaint) => {
                is_failing = false;
                is_complaint
            }
            Err(problem) => {
                if !is_failing && context.candidacy.leads() {
                    let namespace = &context.options.namespace;
                    tracing::warn!(
                        "it could not be noted which store is used, in the ConfigMap {namespace}/{STORE_NOTE}: {problem}"
                    );
                    is_failing = true;
                }
                true
            }
        };
        let pause = if is_quick { SHORT_INTERVAL } else { INTERVAL };
        // One that is opened is compared at once.
        let _ = timeout(pause, context.meters.is_opened()).await;
    }
}

/// Notes how often the store was written by the end. Where it does not answer, that is what is known.
pub async fn note_last(context: &ControllerContext) {
    if context.meters.has_store() && context.gate.is_open() {
        // The API has counted uses since, and perhaps other replicas.
        let _ = timeout(ANSWER, context.meters.ask_for_identity()).await;
        let _ = timeout(LAST_LIMIT, look(context, &mut None)).await;
    }
}

fn too_slow() -> String {
    format!("it took longer than {} s", TIME_LIMIT.as_secs())
}

/// Reads the note, and writes it where this replica works and knows better. Whether something is wrong. The sighting is the note with
/// what this replica saw while another one was to write it.
async fn look(context: &ControllerContext, sighting: &mut Option<StoreNote>) -> Result<bool, String> {
    let noted = read(context).await?;
    let before = noted.as_ref().and_then(|noted| noted.note.clone());
    let (identity, opened) = context.meters.identity();
    let works = context.gate.is_open() && context.gate.intentions().is_none();
    let Some(current) = identity.filter(|_| works) else {
        *sighting = see(context, before, sighting.as_ref()).await;
        return Ok(take_in(context, sighting.as_ref()));
    };
    let known = before.clone().map(|note| note.sighted(sighting.as_ref()));
    let after = match (known, &opened) {
        (None, _) => StoreNote::of(current),
        (Some(note), Some(opened)) => {
            let note = note.reached(context.meters.replaced().map(|replaced| replaced.before));
            note.opened(opened, clock::now()).kept(&current)
        }
        (Some(note), None) => note.kept(&current),
    };
    let mut uid = noted.as_ref().map(|noted| noted.uid.clone()).unwrap_or_default();
    if before.as_ref() != Some(&after) {
        uid = write(context, noted.as_ref(), &after).await?;
    }
    if let Some(opened) = &opened {
        context.meters.compared(opened);
    }
    *sighting = None;
    tell(context, &uid, before.as_ref(), &after);
    Ok(take_in(context, Some(&after)))
}

/// The note with what the store says of itself now: it is asked once the note is known, as it goes on being written.
async fn see(context: &ControllerContext, noted: Option<StoreNote>, sighting: Option<&StoreNote>) -> Option<StoreNote> {
    let noted = noted?;
    let Ok(Some(current)) = timeout(ANSWER, context.meters.ask_for_identity()).await else {
        return Some(noted.sighted(sighting));
    };
    // Others here may have written to it since they found it. It counts until something is noted, and not again: that may be that it
    // was confirmed.
    let found = context.meters.replaced().map(|replaced| replaced.first);
    if let Some(first) = &found {
        context.meters.compared(first);
    }
    Some(noted.seen(found.as_ref().unwrap_or(&current), sighting, clock::now()))
}

/// Has it said where it is asked for. Whether something is wrong.
fn take_in(context: &ControllerContext, note: Option<&StoreNote>) -> bool {
    let complaint = note.and_then(StoreNote::complaint);
    let is_wrong = complaint.is_some();
    if context.meters.complain(complaint) {
        metering::hear(context, &MeteringNews::Standing(context.meters.standing()));
    }
    is_wrong
}

/// Tells of what was found, and of its end.
fn tell(context: &ControllerContext, uid: &str, before: Option<&StoreNote>, after: &StoreNote) {
    let found = |note: Option<&StoreNote>| note.and_then(|note| note.found.clone());
    if found(before) == after.found {
        return;
    }
    let Some(complaint) = after.complaint() else {
        tracing::info!("the store is the right one: what was found is confirmed, or the right one is back");
        return;
    };
    let note = replaced(&complaint);
    tracing::warn!("the store was replaced: {note}");
    let about = events::reference::<ConfigMap>(Some(&context.options.namespace), STORE_NOTE, uid);
    let reason = ReasonCode::StoreReplaced.to_string();
    context.announcer.announce(about, Announcement { is_warning: true, reason, action: "Count", note });
}

async fn read(context: &ControllerContext) -> Result<Option<NotedStore>, String> {
    let _pass = context.gate.enter_to_read().await;
    let api: Api<ConfigMap> = Api::namespaced(context.gate.reader(), &context.options.namespace);
    let found = api.get_opt(STORE_NOTE).await.map_err(|error| RequestRefusal::of(&error).to_string())?;
    Ok(found.map(|object| NotedStore {
        uid: object.metadata.uid.unwrap_or_default(),
        note: object.data.as_ref().and_then(StoreNote::read),
        labels: object.metadata.labels.unwrap_or_default(),
    }))
}

/// Writes the note, and returns the object's UID.
async fn write(context: &ControllerContext, noted: Option<&NotedStore>, note: &StoreNote) -> Result<String, String> {
    let _pass = context.gate.enter().await;
    let api: Api<ConfigMap> = Api::namespaced(context.gate.client(), &context.options.namespace);
    let written = if let Some(noted) = noted {
        if noted.labels.get(LABEL.0).is_none_or(|name| name != LABEL.1) {
            return Err(format!("it is somebody else's: its label {} is not {}", LABEL.0, LABEL.1));
        }
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        api.patch(STORE_NOTE, &parameters, &Patch::Merge(json!({ "data": note.data() }))).await
    } else {
        let labels = BTreeMap::from([(LABEL.0.to_owned(), LABEL.1.to_owned())]);
        let metadata = ObjectMeta { name: Some(STORE_NOTE.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let data = note.data().into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        let object = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        api.create(&parameters, &object).await
    };
    let object = written.map_err(|error| RequestRefusal::of(&error).to_string())?;
    Ok(object.metadata.uid.unwrap_or_default())
}
