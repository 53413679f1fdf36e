//! What the code makes of manifests at one moment after the other. It remembers nothing but statuses and what was valid once.

use super::model::{ExceptionOutcome, ExceptionState, ExceptionVerdict};
use crate::{
    core::calendar::{Instant, parse_instant},
    evaluation::{
        catalogue::{CatalogueKind, CompiledDefinition, KeptForm, Present, Revision},
        decision::decide,
        object::{ObjectData, ObjectKey},
    },
    offline::{
        EntitlementKind, Inventory, Status, Survey,
        tests::{subscriptions::operator::keep, summary::file},
    },
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// All that is left of what was seen before.
#[derive(Clone, Default)]
pub struct ExceptionOperator {
    /// By the UID of what they are of.
    pub statuses: BTreeMap<String, Value>,
    revisions: Vec<Arc<Revision>>,
    pub survey: Option<Survey>,
    /// When it wants to look again.
    pub next: Option<Instant>,
}

impl ExceptionOperator {
    pub fn look(&mut self, manifests: &[Value], now: Instant) -> ExceptionState {
        let inventory = self.inventory(manifests, now);
        for (name, _) in inventory.catalogue().iter().filter(|(_, entry)| entry.present == Present::Valid) {
            let form = KeptForm::of::<CompiledDefinition>(&inventory.present(name).unwrap());
            keep(&mut self.revisions, &CatalogueKind::Definition.named(name), form, now);
        }
        let inventory = self.inventory(manifests, now);
        let snapshots = inventory.snapshots(&inventory.catalogue());
        self.next = snapshots.iter().filter_map(|snapshot| decide(snapshot, now).next).min();
        let survey = inventory.survey(now);
        self.statuses.clear();
        let mut requests = BTreeMap::new();
        for (subject, status) in &survey.statuses {
            let is_it = |manifest: &&Value| {
                manifest["kind"] == subject.kind.as_str() && manifest["metadata"]["name"] == *subject.name
            };
            let Some(manifest) = manifests.iter().find(is_it) else { continue };
            self.statuses.insert(uid(manifest), status.to_json().unwrap());
            if let Status::Override(_) = status {
                requests.insert(subject.name.to_string(), verdict(&self.statuses[&uid(manifest)]));
            }
        }
        self.survey = Some(survey);
        ExceptionState { requests, held: self.held() }
    }

    pub fn inventory(&self, manifests: &[Value], now: Instant) -> Inventory {
        let mut inventory = Inventory::new(now, "entitlement-operator");
        for manifest in manifests {
            let mut manifest = manifest.clone();
            if let Some(status) = self.statuses.get(&uid(&manifest)) {
                manifest["status"] = status.clone();
            }
            inventory.add(EntitlementKind::of(manifest["kind"].as_str().unwrap()).unwrap(), &manifest).unwrap();
        }
        for revision in &self.revisions {
            inventory.add_revision(Revision::clone(revision));
        }
        inventory
    }

    /// All statuses are lost.
    pub fn forget(&mut self) {
        self.statuses.clear();
    }

    fn held(&self) -> Option<String> {
        let survey = self.survey.as_ref()?;
        if !survey.objects.keys().any(|key| &*key.name == "entitlements") {
            return None;
        }
        let summary = file(survey, "entitlements.json");
        let seats = &summary["entitlements"]["seats"];
        (seats["entitled"] == true).then(|| seats["amount"].as_str().unwrap_or("on").to_owned())
    }

    /// What flags.json says, if there is one.
    pub fn flags(&self) -> Option<Value> {
        let survey = self.survey.as_ref()?;
        survey.objects.keys().any(|key| &*key.name == "entitlements").then(|| file(survey, "flags.json"))
    }

    /// The objects in the organization's namespace, but for the summary: name, the object that its annotation names, and data.
    pub fn objects(&self) -> Vec<String> {
        let survey = self.survey.as_ref().unwrap();
        let own = survey.objects.iter().filter(|(key, _)| &*key.name != "entitlements");
        let told = own.map(|(key, written): (&ObjectKey, _)| {
            let annotations = written.content.annotations.iter().filter(|(key, _)| {
                ["instance", "subscription", "override"]
                    .iter()
                    .any(|kind| key.strip_prefix("entitlements.dev/") == Some(kind))
            });
            let annotations: Vec<String> = annotations.map(|(key, value)| format!("{key}={value}")).collect();
            let ObjectData::ConfigMap(data) = &written.content.data else { panic!("{key}") };
            let data: Vec<String> = data.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{} [{}] {}", key.name, annotations.join(" "), data.join(", "))
        });
        told.collect()
    }
}

fn uid(manifest: &Value) -> String {
    format!("{}/{}", manifest["kind"], manifest["metadata"]["uid"])
}

/// A status as the model tells it.
fn verdict(status: &Value) -> ExceptionVerdict {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let moment = |value: &Value| value.as_str().map(|text| parse_instant(text).unwrap());
    let phases = ["Cancelled", "Rejected", "Requested", "Expired", "Waiting", "Suspended", "Active"];
    let phase = phases.into_iter().find(|phase| status["phase"] == *phase).unwrap();
    let reasons = [
        "OrganizationNotFound",
        "NamespaceNotAllowed",
        "OrganizationNotReady",
        "DefinitionNotFound",
        "DefinitionNotReady",
        "OverridesRefused",
        "InvalidAmount",
        "InvalidTerm",
        "ApprovalsUnprotected",
        "Denied",
        "ApprovalExpired",
        "ApprovalRequired",
    ];
    let accepted = condition(status, "Accepted").filter(|condition| condition["status"] == "False");
    let reason = accepted.and_then(|accepted| reasons.into_iter().find(|reason| accepted["reason"] == *reason));
    let by = |record: &Value| record["by"].as_array().unwrap().iter().filter_map(&text).collect();
    let settled = match (&status["accepted"], &status["denied"], &status["expired"]) {
        (Value::Null, Value::Null, Value::Null) => None,
        (record, Value::Null, Value::Null) => Some(ExceptionOutcome::Accepted {
            at: moment(&record["at"]).unwrap(),
            by: by(record),
            zone: text(&record["timeZone"]).unwrap(),
        }),
        (Value::Null, record, Value::Null) => {
            Some(ExceptionOutcome::Denied { at: moment(&record["at"]).unwrap(), by: text(&record["by"]).unwrap() })
        }
        (Value::Null, Value::Null, record) => Some(ExceptionOutcome::Expired { at: moment(&record["at"]).unwrap() }),
        _ => panic!("settled twice: {status}"),
    };
    let is_accepted = matches!(settled, Some(ExceptionOutcome::Accepted { .. })) && reason.is_none();
    let term = moment(&status["start"]).zip(moment(&status["end"])).filter(|_| is_accepted);
    let approvals = text(&status["approvals"]).filter(|_| phase == "Requested");
    ExceptionVerdict { phase, reason: reason.filter(|_| phase != "Cancelled"), settled, approvals, term }
}

pub fn condition<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}
