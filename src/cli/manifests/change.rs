//! Manifests as a change of others: what the API server would refuse, and what therefore stays as it was.

use super::{Label, Manifests, ReadError, finding, resource::Resources};
use crate::{
    cli::diagnostics::{Finding, Severity},
    offline::{Subject, When},
};

/// The reason of a change that the API server would refuse, though it would take the object were it made anew.
const LOCKED: &str = "Locked";

impl Manifests {
    /// Lets these manifests come after `old` at a moment. What the API server would refuse stays as it was in `old`, and is
    /// said; an object that is not there any more is deleted.
    ///
    /// # Errors
    /// When the checks cannot be made.
    pub fn follow(&mut self, old: &Self, when: When) -> Result<(), ReadError> {
        let findings = self.locked(old, &Resources::new()?);
        for (subject, finding) in findings {
            self.documents.remove(&subject);
            self.refused.insert(subject);
            self.findings.push(finding);
        }
        for subject in &self.refused {
            if let Some(before) = old.documents.get(subject) {
                // It was read before, so it can be read again.
                let _ = self.inventory.add(subject.kind, &before.value);
            }
        }
        self.inventory.follow(&old.inventory, when);
        Ok(())
    }

    fn locked(&self, old: &Self, resources: &Resources) -> Vec<(Subject, Finding)> {
        let mut findings = Vec::new();
        for (subject, document) in &self.documents {
            let Some(before) = old.documents.get(subject) else { continue };
            if document.origin.is_in_cluster() {
                continue;
            }
            let label = Label {
                kind: subject.kind.as_str().to_owned(),
                namespace: subject.namespace.clone(),
                name: Some(subject.name.to_string()),
            };
            let remarks = resources.check_change(subject.kind, &before.value, &document.value);
            findings.extend(remarks.iter().map(|remark| {
                let found = finding(&document.origin, Some(label.clone()), Severity::Error, LOCKED, remark);
                (subject.clone(), found)
            }));
        }
        findings
    }
}
