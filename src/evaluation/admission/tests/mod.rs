//! Each refusal, each warning, and what a change does not make worse.

mod catalogue;
mod effects;
mod instance;
mod organization;
mod overrides;
mod report;

use super::AdmissionVerdict;
use crate::{
    api::{EntitlementDefinition, EntitlementInstance, EntitlementInstanceStatus, Organization},
    core::{
        authority::ApiAuthority,
        calendar::{Instant, parse_instant},
        namespace::NamespaceFacts,
        problem::Problem,
        reason::ReasonCode,
        source::{self, SourceId},
    },
    evaluation::{
        Limits, Snapshot,
        catalogue::{CatalogueEntry, CompiledDefinition, DefinitionState},
        evaluate,
        status::ideal,
    },
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The moment of every review.
fn now() -> Instant {
    parse_instant("2026-07-01T00:00:00Z").unwrap()
}

fn organization(spec: &Value) -> Organization {
    let mut whole = json!({"namespaces": ["acme"]});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": {"name": "acme", "uid": "u-acme", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1},
        "spec": whole,
    }))
    .unwrap()
}

fn definition(name: &str, spec: &Value) -> EntitlementDefinition {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn entry(name: &str, spec: &Value) -> Arc<CatalogueEntry> {
    let source = DefinitionState::gather(&definition(name, spec).spec, |_| None).unwrap();
    Arc::new(CatalogueEntry::valid(CompiledDefinition::compile(name, &source).unwrap()))
}

fn seats() -> Value {
    json!({
        "type": "Quantity",
        "unit": "seats",
        "amount": 5,
        "facets": [{"name": "limits", "schema": {
            "type": "object",
            "properties": {"depth": {"type": "integer", "maximum": 10}},
            "additionalProperties": false,
        }}],
    })
}

/// A grant of `seats` to `acme` in namespace `entitlements`.
fn instance(name: &str, spec: &Value) -> EntitlementInstance {
    let mut whole = json!({"organization": "acme", "definition": "seats"});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "namespace": "entitlements",
            "uid": format!("u-{name}"),
            "creationTimestamp": "2026-06-01T00:00:00Z",
            "generation": 1,
        },
        "spec": whole,
    }))
    .unwrap()
}

fn id(name: &str) -> SourceId {
    SourceId::instance("entitlements", name)
}

/// Organization `acme` with its namespace and the definitions `seats` and `pool`, of which it may hold several.
fn snapshot(instances: &[EntitlementInstance]) -> Snapshot {
    let present = NamespaceFacts { present: true, ..NamespaceFacts::default() };
    let own = NamespaceFacts { claimed_by: Some("acme".to_owned()), ..present.clone() };
    Snapshot {
        approvals: Arc::default(),
        barred: BTreeMap::new(),
        limits: Limits::DEFAULT,
        offers: Arc::default(),
        authority: ApiAuthority::Absent,
        name: "acme".into(),
        organization: Some(Arc::new(organization(&json!({})))),
        grants: instances.iter().map(|instance| Arc::new(source::instance::grant(instance))).collect(),
        plans: BTreeMap::new(),
        subscriptions: Vec::new(),
        meters: BTreeMap::new(),
        knows_revisions: true,
        catalogue: BTreeMap::from([
            ("seats".into(), entry("seats", &seats())),
            ("pool".into(), entry("pool", &json!({"type": "Feature", "allowMultiple": true, "gracePeriod": "P30D"}))),
        ]),
        secrets: BTreeMap::new(),
        unseen: Arc::default(),
        namespaces: BTreeMap::from([("acme".into(), own), ("entitlements".into(), present)]),
    }
}

/// The instances with the status that the operator gives them at that moment.
fn settled(instances: &[EntitlementInstance], at: Instant) -> Vec<EntitlementInstance> {
    let evaluation = evaluate(&snapshot(instances), at);
    let with_status = |(instance, status): (&EntitlementInstance, EntitlementInstanceStatus)| {
        let mut instance = instance.clone();
        instance.status = Some(status);
        instance
    };
    instances.iter().zip(ideal(&evaluation)).map(with_status).collect()
}

fn refused(reason: &'static str, message: &str) -> AdmissionVerdict {
    let reason = ReasonCode::ALL.iter().find(|known| **known == reason).unwrap();
    AdmissionVerdict { refused: Some(Problem::new(*reason, message)), warnings: Vec::new() }
}

fn warned(warnings: &[&str]) -> AdmissionVerdict {
    AdmissionVerdict { refused: None, warnings: warnings.iter().map(|&warning| warning.to_owned()).collect() }
}

fn fine() -> AdmissionVerdict {
    AdmissionVerdict::default()
}
