//! Manifests on top of others, as `kubectl apply` would put them there.

use super::{Document, Manifests, ReadError};
use crate::{api::LAST_APPLIED, offline::When};
use serde_json::{Map, Value};

/// Metadata that the API server gives an object, and that it keeps.
const KEPT: [&str; 4] = ["uid", "creationTimestamp", "generation", "resourceVersion"];

impl Manifests {
    /// Lays these manifests over `base` at a moment. What is there already is replaced, but keeps its status and what the API
    /// server has given it; what the API server would refuse (`Locked`) stays as it is in `base`; all others stay.
    ///
    /// # Errors
    /// When the checks cannot be made.
    pub fn lay_over(&mut self, base: &Self, when: When) -> Result<(), ReadError> {
        let secrets = self.inventory.take_secrets();
        self.inventory = base.inventory.clone();
        self.inventory.add_secrets(secrets);
        for (subject, document) in &mut self.documents {
            if let Some(before) = base.documents.get(subject) {
                replace(document, &before.value);
            }
            // It was read before, so it can be read again.
            let _ = self.inventory.add(subject.kind, &document.value);
        }
        self.follow(base, when)?;
        for (subject, document) in &base.documents {
            self.documents.entry(subject.clone()).or_insert_with(|| document.clone());
        }
        self.findings.extend(base.findings.iter().cloned());
        Ok(())
    }
}

/// Makes an object the one that is there already, with what it says itself.
fn replace(document: &mut Document, before: &Value) {
    let is_edited = before.get("spec") != document.value.get("spec");
    let Some(fields) = document.value.as_object_mut() else { return };
    // It is written by the operator alone.
    match before.get("status") {
        Some(status) => fields.insert("status".to_owned(), status.clone()),
        None => fields.remove("status"),
    };
    let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let Some(old) = before.get("metadata").and_then(Value::as_object) else { return };
    for key in KEPT {
        match old.get(key) {
            Some(value) => metadata.insert(key.to_owned(), value.clone()),
            None => metadata.remove(key),
        };
    }
    if let Some(generation) = old.get("generation").and_then(Value::as_i64).filter(|_| is_edited) {
        metadata.insert("generation".to_owned(), (generation + 1).into());
    }
    let applied = last_applied(old);
    for part in ["annotations", "labels"] {
        let mut entries = old.get(part).and_then(Value::as_object).cloned().unwrap_or_default();
        let dropped = applied.as_ref().and_then(|applied| applied.pointer(&format!("/metadata/{part}"))?.as_object());
        entries.retain(|key, _| dropped.is_none_or(|dropped| !dropped.contains_key(key)));
        entries.extend(metadata.get(part).and_then(Value::as_object).cloned().unwrap_or_default());
        if !entries.is_empty() {
            metadata.insert(part.to_owned(), Value::Object(entries));
        }
    }
}

fn last_applied(metadata: &Map<String, Value>) -> Option<Value> {
    let text = metadata.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    serde_json::from_str(text).ok()
}
