//! A suspension, its end, a cancellation, an extension.

use super::{TermDate, Unclear, name::free_name, term_date::day};
use crate::{
    api::{
        LAST_APPLIED, REASON,
        lifecycle::{LifecycleStatus, State},
    },
    core::{
        calendar::{Bound, Instant, Moment, Nominal, Tz, parse_instant, parse_zone},
        schema::merge,
        source::{
            SourceId,
            stated::{StatedAmendment, StatedSource},
        },
    },
    offline::Inventory,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

/// Keeps the reason of a grant while that of its suspension stands in its place.
const REASON_BEFORE: &str = "entitlements.dev/reason-before-suspension";
/// What a manifest of an object that is there already has no need of.
const OF_THE_CLUSTER: [&str; 6] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"];

/// What is to become of a grant or a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedChange {
    /// Withdrawn for now.
    Suspend,
    /// Delivered again.
    Resume,
    /// Taken back for good.
    Cancel,
    /// It ends later.
    Extend {
        /// When.
        to: TermDate,
        /// From when on that counts; absent: from now on, or from the last day of a grant that has ended.
        from: Option<TermDate>,
    },
}

/// What is to become of a grant or a subscription, and why.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// What.
    pub change: RequestedChange,
    /// Why, for people.
    pub reason: Option<String>,
}

/// A change of a grant or a subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// It is so already; a sentence.
    Nothing(String),
    /// Something changes.
    Change {
        /// The whole manifest with the change.
        manifest: Value,
        /// The change alone, as a JSON merge patch.
        patch: Value,
        /// What has to be known besides, in sentences.
        remarks: Vec<String>,
    },
}

impl Inventory {
    /// The change of a grant or a subscription: `object` is its manifest, and `status` its present status.
    ///
    /// # Errors
    /// Where it cannot be, or is not clear.
    pub fn propose_change(
        &self,
        id: &SourceId,
        object: &Value,
        status: LifecycleStatus<'_>,
        request: &ChangeRequest,
        now: Instant,
    ) -> Result<Proposal, Unclear> {
        let noun = id.kind.noun();
        let Some((source, amendments)) = self.stated(id) else {
            return Err(Unclear::Usage(format!("there is no {noun} {id}")));
        };
        if source.state == State::Cancelled && request.change != RequestedChange::Cancel {
            return Err(Unclear::Impossible(format!("{id} is cancelled, and stays so: make a new {noun}")));
        }
        let mut remarks: Vec<String> = Vec::new();
        if let Some(sentence) = self.suspended_above(source).filter(|_| request.change == RequestedChange::Resume) {
            if !source.suspended {
                return Err(Unclear::Impossible(format!("{id} is not suspended itself: {sentence}")));
            }
            remarks.push(sentence);
        }
        if let Some(sentence) = is_so_already(source, request.change) {
            return Ok(Proposal::Nothing(sentence));
        }
        let mut patch = match request.change {
            RequestedChange::Suspend => json!({ "spec": { "suspended": true } }),
            RequestedChange::Resume => json!({ "spec": { "suspended": false } }),
            RequestedChange::Cancel => json!({ "spec": { "state": "Cancelled" } }),
            RequestedChange::Extend { to, from } => {
                let zone = self.zone_of(source, status);
                let extension = Extension { source, amendments, status, zone, now, to, from };
                extension.patch(object, request.reason.as_deref())?
            }
        };
        let is_told = patch.pointer("/spec/amendments").is_some();
        if let Some(reason) = request.reason.as_ref().filter(|_| !is_told) {
            patch["metadata"] = json!({ "annotations": { REASON: reason } });
        }
        annotate(&mut patch, object, request, &mut remarks);
        let mut manifest = as_written(object);
        if let (Some(fields), Some(changes)) = (manifest.as_object_mut(), patch.as_object()) {
            merge(fields, changes);
        }
        drop_removed(&mut manifest);
        Ok(Proposal::Change { manifest, patch, remarks })
    }

    /// What a source states of its own lifecycle.
    fn stated(&self, id: &SourceId) -> Option<(&StatedSource, Vec<&StatedAmendment>)> {
        if let Some(subscription) = self.subscriptions.get(id) {
            let amendments = subscription.amendments.iter().map(|amendment| &amendment.stated);
            return Some((&subscription.stated.source, amendments.collect()));
        }
        let grant = self.grants.get(id)?;
        Some((&grant.source, grant.amendments.iter().map(|amendment| &amendment.stated).collect()))
    }

    /// A sentence if the organization of a source is suspended, with what ends that.
    fn suspended_above(&self, source: &StatedSource) -> Option<String> {
        let name = &source.organization;
        self.organizations.get(name).filter(|organization| organization.spec.suspended)?;
        let patch = r#"'{"spec":{"suspended":false}}'"#;
        Some(format!(
            "its organization {name} is suspended, and all its grants with it; to resume that: kubectl patch org {name} --type merge --patch {patch}"
        ))
    }

    /// The zone that a source reckons in.
    pub(super) fn zone_of(&self, source: &StatedSource, status: LifecycleStatus<'_>) -> Tz {
        let recorded = status.time_zone;
        let organization = self.organizations.get(&source.organization);
        let zone = recorded.or_else(|| organization.map(|organization| organization.spec.time_zone.as_str()));
        zone.and_then(|zone| parse_zone(zone).ok()).unwrap_or(Tz::UTC)
    }
}

/// Why a grant is suspended counts for as long as it is: the reason that it had before comes back when it is resumed.
fn annotate(patch: &mut Value, object: &Value, request: &ChangeRequest, remarks: &mut Vec<String>) {
    let annotation = |name: &str| object["metadata"]["annotations"][name].as_str();
    let (reason, before) = (annotation(REASON), annotation(REASON_BEFORE));
    match request.change {
        RequestedChange::Suspend => {
            if let Some(reason) = reason {
                patch["metadata"]["annotations"][REASON_BEFORE] = reason.into();
            }
        }
        RequestedChange::Resume => {
            if before.is_some() {
                patch["metadata"]["annotations"][REASON_BEFORE] = Value::Null;
            }
            if request.reason.is_none() && reason != before {
                patch["metadata"]["annotations"][REASON] = before.into();
                let after = before.map_or_else(String::new, |before| format!("; it is {before:?} again"));
                remarks.push(format!("its reason {:?} goes with the suspension{after}", reason.unwrap_or_default()));
            }
        }
        RequestedChange::Cancel | RequestedChange::Extend { .. } => {}
    }
}

/// A merge patch removes annotations by null; a manifest does not have them.
fn drop_removed(manifest: &mut Value) {
    let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    annotations.retain(|_, value| !value.is_null());
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}

fn is_so_already(source: &StatedSource, change: RequestedChange) -> Option<String> {
    let id = source.age.id();
    match change {
        RequestedChange::Suspend if source.suspended => Some(format!("{id} is suspended already")),
        RequestedChange::Resume if !source.suspended => Some(format!("{id} is not suspended")),
        RequestedChange::Cancel if source.state == State::Cancelled => Some(format!("{id} is cancelled already")),
        _ => None,
    }
}

/// What an extension is decided by.
struct Extension<'a> {
    source: &'a StatedSource,
    amendments: Vec<&'a StatedAmendment>,
    status: LifecycleStatus<'a>,
    zone: Tz,
    now: Instant,
    to: TermDate,
    from: Option<TermDate>,
}

impl Extension<'_> {
    fn patch(&self, object: &Value, reason: Option<&str>) -> Result<Value, Unclear> {
        let to = self.to.moment(self.now, self.zone);
        if self.source.state == State::Draft {
            return Ok(json!({ "spec": { "end": to.to_string() } }));
        }
        let end = self.status.end.and_then(|end| parse_instant(end).ok());
        self.check_is_later(to, end)?;
        let mut amendment = json!({
            "name": self.name(to),
            "effective": self.effective(end).to_string(),
            "end": to.to_string(),
        });
        if let Some(reason) = reason {
            amendment["reason"] = reason.into();
        }
        let mut amendments = object.pointer("/spec/amendments").and_then(Value::as_array).cloned().unwrap_or_default();
        amendments.push(amendment);
        Ok(json!({ "spec": { "amendments": amendments } }))
    }

    fn check_is_later(&self, to: Moment, end: Option<Instant>) -> Result<(), Unclear> {
        let id = self.source.age.id();
        // What is refused has no end yet, and the evaluation says why.
        if self.status.start.is_none() {
            return Ok(());
        }
        let Some(end) = end else {
            return Err(Unclear::Impossible(format!("{id} has no end, so there is nothing to extend")));
        };
        match Nominal::of_end(to, self.zone).instant() {
            Bound::At(to) if to <= end => Err(Unclear::Usage(format!(
                "{id} lasts until {} already: give a later --to; to end it earlier, add an amendment with kubectl edit, or cancel it",
                last_day(end, self.zone)
            ))),
            Bound::At(_) | Bound::Never => Ok(()),
        }
    }

    /// An amendment counts only if its moment lies before the end that it changes, and after those that it is to outdo.
    fn effective(&self, end: Option<Instant>) -> Moment {
        let ended = end.filter(|end| *end <= self.now);
        match (self.from, ended) {
            (Some(from), _) => from.moment(self.now, self.zone),
            (None, None) => Moment::Time(self.now),
            (None, Some(end)) => {
                let last = end - TimeDelta::seconds(1);
                let day = day(last, self.zone);
                let begin = Nominal::of_start(day, self.zone).instant();
                let others = self.amendments.iter().filter(|other| !other.revoked);
                let is_latest = others.filter_map(|other| self.moment_of(other)).all(|other| other < begin);
                if is_latest { day } else { Moment::Time(last) }
            }
        }
    }

    fn moment_of(&self, amendment: &StatedAmendment) -> Option<Instant> {
        let moment = amendment.effective.as_ref().ok()?;
        Some(Nominal::of_start(*moment, self.zone).instant())
    }

    fn name(&self, to: Moment) -> String {
        let day = match to {
            Moment::Date(date) => date,
            Moment::Time(instant) => self.zone.local(instant).date(),
        };
        let wanted = match Nominal::of_end(to, self.zone).instant() {
            Bound::Never => "extended-for-good".to_owned(),
            Bound::At(_) => format!("extended-to-{day}"),
        };
        free_name(&wanted, |name| self.amendments.iter().any(|other| other.name == name))
    }
}

/// `2026-12-31` for an end at midnight, else the moment.
fn last_day(end: Instant, zone: Tz) -> String {
    let last = day(end - TimeDelta::seconds(1), zone);
    match Nominal::of_end(last, zone).instant() {
        Bound::At(midnight) if midnight == end => last.to_string(),
        _ => Moment::Time(end).to_string(),
    }
}

/// An object of a cluster as somebody would write it.
pub(super) fn as_written(object: &Value) -> Value {
    let mut manifest = object.clone();
    let Some(fields) = manifest.as_object_mut() else { return manifest };
    fields.remove("status");
    let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) else { return manifest };
    for name in OF_THE_CLUSTER {
        metadata.remove(name);
    }
    let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
    let is_empty = annotations.is_some_and(|annotations| {
        annotations.remove(LAST_APPLIED);
        annotations.is_empty()
    });
    if is_empty {
        metadata.remove("annotations");
    }
    manifest
}
