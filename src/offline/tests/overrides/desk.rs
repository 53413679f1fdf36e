//! Where exceptions are asked for and decided: manifests as people write them, seen by the code alone.

use super::{
    model::{ExceptionOutcome, ExceptionVerdict},
    operator::{ExceptionOperator, condition},
    plain::{at, metadata},
};
use crate::core::calendar::Instant;
use serde_json::{Value, json};

/// When everything is made of which nothing else is said.
pub const ASKED: &str = "2027-03-10T09:00:00Z";

#[derive(Clone)]
pub struct ExceptionDesk {
    manifests: Vec<Value>,
    pub operator: ExceptionOperator,
}

impl ExceptionDesk {
    /// Nothing is there.
    pub fn bare() -> Self {
        Self { manifests: Vec::new(), operator: ExceptionOperator::default() }
    }

    /// An organization in Berlin, and seats of which one has 1 unless more is said.
    pub fn new() -> Self {
        let mut desk = Self::bare();
        desk.organize(&json!({})).define("seats", &json!({}));
        desk
    }

    fn put(&mut self, kind: &str, metadata: &Value, spec: &Value, more: &Value) -> &mut Self {
        let mut spec = spec.clone();
        merge(&mut spec, more);
        self.manifests.retain(|one| one["kind"] != kind || one["metadata"]["name"] != metadata["name"]);
        self.manifests.push(json!({"kind": kind, "metadata": metadata, "spec": spec}));
        self
    }

    pub fn organize(&mut self, more: &Value) -> &mut Self {
        let spec = json!({"namespaces": ["acme"], "timeZone": "Europe/Berlin"});
        self.put("Organization", &metadata("acme", "", "u-acme", at("2020-01-01T00:00:00Z")), &spec, more)
    }

    /// What is null is left out.
    pub fn define(&mut self, name: &str, more: &Value) -> &mut Self {
        let spec = json!({"type": "Quantity", "unit": "seats", "amount": 1});
        let made = at("2020-01-01T00:00:00Z");
        self.put("EntitlementDefinition", &metadata(name, "", &format!("u-{name}"), made), &spec, more)
    }

    /// Alice asks for 10 seats until the end of the month.
    pub fn ask(&mut self, name: &str, more: &Value) -> &mut Self {
        self.ask_at(name, ASKED, more)
    }

    pub fn ask_at(&mut self, name: &str, made: &str, more: &Value) -> &mut Self {
        let spec = json!({
            "organization": "acme", "definition": "seats", "amount": 10, "end": "2027-03-31",
            "reason": "a fair needs more of them", "requestedBy": "alice",
        });
        let metadata = metadata(name, "entitlements", &format!("u-{name}"), at(made));
        self.put("EntitlementOverride", &metadata, &spec, more)
    }

    pub fn decide(&mut self, on: &str, by: &str, decision: &str, made: &str) -> &mut Self {
        self.decide_with(on, by, decision, made, &json!({}))
    }

    pub fn decide_with(&mut self, on: &str, by: &str, decision: &str, made: &str, more: &Value) -> &mut Self {
        let spec = json!({
            "override": {"name": on, "uid": format!("u-{on}")}, "definition": "seats", "decision": decision,
            "decidedBy": by,
        });
        let name = format!("d{}", self.manifests.len());
        self.put("OverrideDecision", &metadata(&name, "entitlements", &format!("u-{name}"), at(made)), &spec, more)
    }

    pub fn approve(&mut self, on: &str, made: &str) -> &mut Self {
        self.decide(on, "bob", "Approve", made)
    }

    pub fn instance(&mut self, name: &str, made: &str, more: &Value) -> &mut Self {
        let spec = json!({"organization": "acme", "definition": "seats"});
        let metadata = metadata(name, "entitlements", &format!("u-{name}"), at(made));
        self.put("EntitlementInstance", &metadata, &spec, more)
    }

    /// The manifest of what was said last.
    pub fn last(&mut self) -> &mut Value {
        self.manifests.last_mut().unwrap()
    }

    pub fn remove(&mut self, kind: &str) -> &mut Self {
        self.manifests.retain(|one| one["kind"] != kind);
        self
    }

    pub fn look(&mut self, now: Instant) -> Option<String> {
        self.operator.look(&self.manifests, now).held
    }

    /// What is held at a moment.
    pub fn held(&mut self, now: &str) -> Option<String> {
        self.look(at(now))
    }

    /// What is told of the override x.
    pub fn verdict(&mut self, now: &str) -> ExceptionVerdict {
        let state = self.operator.look(&self.manifests, at(now));
        state.requests["x"].clone()
    }

    /// The phase of x, and why.
    pub fn phase(&mut self, now: &str) -> (&'static str, Option<&'static str>) {
        let verdict = self.verdict(now);
        (verdict.phase, verdict.reason)
    }

    pub fn status(&self, name: &str) -> &Value {
        let statuses = &self.operator.statuses;
        &statuses[&format!("\"EntitlementOverride\"/\"u-{name}\"")]
    }

    /// A condition of an override: its status and reason.
    pub fn condition(&self, name: &str, type_: &str) -> (String, String) {
        let condition = condition(self.status(name), type_).unwrap();
        (condition["status"].as_str().unwrap().to_owned(), condition["reason"].as_str().unwrap().to_owned())
    }
}

pub fn accepted(moment: &str, by: &[&str]) -> ExceptionOutcome {
    let by = by.iter().map(|by| (*by).to_owned()).collect();
    ExceptionOutcome::Accepted { at: at(moment), by, zone: "Europe/Berlin".to_owned() }
}

pub fn denied(moment: &str, by: &str) -> ExceptionOutcome {
    ExceptionOutcome::Denied { at: at(moment), by: by.to_owned() }
}

fn merge(value: &mut Value, more: &Value) {
    let fields = value.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
}
