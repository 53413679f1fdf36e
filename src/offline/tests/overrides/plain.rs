//! An organization, one definition, its exceptions and what is decided on them, as the model and the generator see them: plain
//! values, and their manifests.

use crate::core::calendar::{Instant, format_instant, parse_instant};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn at(text: &str) -> Instant {
    parse_instant(text).unwrap()
}

/// All objects that there are at a moment.
#[derive(Clone, Debug, Default)]
pub struct ExceptionWorld {
    pub is_feature: bool,
    pub allow_multiple: bool,
    pub organization: Option<ExceptionClient>,
    pub definition: Option<ExceptionOffer>,
    pub requests: BTreeMap<String, ExceptionRequest>,
    pub votes: BTreeMap<String, ExceptionVote>,
    /// Instances: the amount of each, and the dates from when to when.
    pub holders: BTreeMap<String, (String, String, String)>,
}

#[derive(Clone, Debug)]
pub struct ExceptionClient {
    pub zone: String,
    pub suspended: bool,
    /// Nothing may be granted from where everything lies.
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionOffer {
    pub max: bool,
    /// Not ready, for a reason that is all its own.
    pub broken: bool,
    pub approvals: u32,
    pub max_term: String,
    pub expires_after: String,
    pub refused: bool,
}

#[derive(Clone, Debug)]
pub struct ExceptionRequest {
    pub uid: String,
    pub made: Instant,
    pub amount: Option<String>,
    pub start: Option<String>,
    pub end: String,
    pub by: String,
    pub restored_by: Option<String>,
    pub cancelled: bool,
}

#[derive(Clone, Debug)]
pub struct ExceptionVote {
    pub made: Instant,
    pub on: (String, String),
    pub definition: String,
    pub approve: bool,
    pub by: String,
}

pub fn metadata(name: &str, namespace: &str, uid: &str, made: Instant) -> Value {
    let mut metadata = json!({"name": name, "uid": uid, "creationTimestamp": format_instant(made)});
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    metadata
}

fn manifest(kind: &str, metadata: &Value, spec: &Value) -> Value {
    json!({"apiVersion": "entitlements.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

impl ExceptionWorld {
    pub fn manifests(&self) -> Vec<Value> {
        let long_ago = at("2020-01-01T00:00:00Z");
        let mut all = Vec::new();
        if let Some(client) = &self.organization {
            let from = if client.closed { "elsewhere" } else { "entitlements" };
            let spec = json!({
                "timeZone": client.zone, "suspended": client.suspended, "namespaces": ["acme"], "assignableFrom": [from],
            });
            all.push(manifest("Organization", &metadata("acme", "", "u-acme", long_ago), &spec));
        }
        if let Some(offer) = &self.definition {
            let metadata = metadata("seats", "", "u-seats", long_ago);
            all.push(manifest("EntitlementDefinition", &metadata, &self.offered(offer)));
        }
        for (name, request) in &self.requests {
            let mut metadata = metadata(name, "entitlements", &request.uid, request.made);
            if let Some(by) = &request.restored_by {
                metadata["annotations"] = json!({"entitlements.dev/restored-by": by});
            }
            all.push(manifest("EntitlementOverride", &metadata, &request.spec()));
        }
        for (name, vote) in &self.votes {
            let spec = json!({
                "override": {"name": vote.on.0, "uid": vote.on.1}, "definition": vote.definition,
                "decision": if vote.approve { "Approve" } else { "Deny" }, "decidedBy": vote.by,
            });
            let metadata = metadata(name, "entitlements", &format!("u-{name}"), vote.made);
            all.push(manifest("OverrideDecision", &metadata, &spec));
        }
        for (name, (amount, start, end)) in &self.holders {
            let mut spec = json!({"organization": "acme", "definition": "seats", "start": start, "end": end});
            if !self.is_feature {
                spec["amount"] = amount.as_str().into();
            }
            let metadata = metadata(name, "entitlements", &format!("u-{name}"), long_ago);
            all.push(manifest("EntitlementInstance", &metadata, &spec));
        }
        all
    }

    fn offered(&self, offer: &ExceptionOffer) -> Value {
        let mut spec = json!({
            "type": "Feature", "allowMultiple": self.allow_multiple,
            "aggregation": if offer.max { "Max" } else { "Sum" },
            "overrides": {
                "approvals": offer.approvals, "maxTerm": offer.max_term, "expiresAfter": offer.expires_after,
                "refused": offer.refused,
            },
        });
        if !self.is_feature {
            spec["type"] = "Quantity".into();
            spec["unit"] = "seats".into();
            spec["amount"] = 1.into();
        }
        if offer.broken {
            spec["facets"] = json!([{"name": "f", "definition": "nowhere"}]);
        }
        spec
    }
}

impl ExceptionRequest {
    fn spec(&self) -> Value {
        let mut spec = json!({
            "organization": "acme", "definition": "seats", "end": self.end, "reason": "they ran out of them",
            "requestedBy": self.by, "cancelled": self.cancelled,
        });
        if let Some(amount) = &self.amount {
            spec["amount"] = amount.as_str().into();
        }
        if let Some(start) = &self.start {
            spec["start"] = start.as_str().into();
        }
        spec
    }
}
