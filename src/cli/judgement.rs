//! What the statuses say against the manifests.

use super::{
    diagnostics::{Excerpt, Finding, Label, Severity},
    manifests::{Aim, Document, Manifests, Node, Path},
    suggestions::Suggestions,
};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementInstance, EntitlementInstanceStatus, Phase,
        conditions::{ACCEPTED, FACETS_VALID, READY},
        lifecycle::{AmendmentState, State},
    },
    core::source::{SourceId, SourceKind, instance},
    offline::{Flaw, Inventory, Status, Subject, Survey},
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// Reasons that say nothing against the manifests themselves: what is missing may be in the cluster.
const BEYOND_MANIFESTS: [&str; 3] = ["SecretNotFound", "SecretNotSeen", "NamespaceMissing"];
/// The reason of a warning that a grant does not say when it starts.
pub const NO_START: &str = "NoStart";
/// The reason of facets that cannot be used.
const FACETS_INVALID: &str = "FacetsInvalid";

/// What the statuses of a survey say against the manifests.
#[must_use]
pub fn judge(manifests: &Manifests, survey: &Survey) -> Vec<Finding> {
    let suggestions = Suggestions::of(&manifests.inventory);
    let mut findings = Vec::new();
    for (subject, document) in &manifests.documents {
        let Some(status) = survey.statuses.get(subject) else { continue };
        let inventory = &manifests.inventory;
        let flaws = &survey.flaws;
        let mut judge =
            DocumentJudge { subject, document, inventory, flaws, suggestions: &suggestions, findings: &mut findings };
        judge.judge(status);
        for doubt in survey.doubts.get(subject).into_iter().flatten() {
            judge.judge_doubt(doubt);
        }
    }
    findings
}

struct DocumentJudge<'a, 'b> {
    subject: &'a Subject,
    document: &'a Document,
    inventory: &'a Inventory,
    flaws: &'a BTreeMap<Subject, Vec<Flaw>>,
    suggestions: &'a Suggestions<'b>,
    findings: &'a mut Vec<Finding>,
}

impl DocumentJudge<'_, '_> {
    fn judge(&mut self, status: &Status) {
        if let Status::Instance(status) = status {
            self.judge_instance(status);
            return;
        }
        let Some(condition) = failed(status.conditions(), READY) else { return };
        match self.flaws.get(self.subject) {
            Some(flaws) => flaws.iter().for_each(|flaw| self.judge_flaw(flaw)),
            None => self.judge_condition(condition),
        }
    }

    fn judge_flaw(&mut self, flaw: &Flaw) {
        let path = Path::of_pointer(&flaw.pointer, &self.document.origin.object);
        self.find(severity(flaw.reason), flaw.reason, &flaw.message, &path, flaw.aim);
        let suggestion = flaw.suggestion.clone();
        self.suggest(&path, |_| suggestion);
    }

    fn judge_doubt(&mut self, doubt: &Flaw) {
        let path = Path::of_pointer(&doubt.pointer, &self.document.origin.object);
        self.find(Severity::Warning, doubt.reason, &doubt.message, &path, Aim::Value);
    }

    fn judge_condition(&mut self, condition: &Condition) {
        let reason = condition.reason.as_str();
        self.find(severity(reason), reason, &condition.message, &Path::fields(part(reason)), Aim::Value);
        self.suggest_name(reason);
    }

    fn judge_instance(&mut self, status: &EntitlementInstanceStatus) {
        let Ok(instance) = EntitlementInstance::deserialize(&self.document.value) else { return };
        if let Some(condition) = failed(&status.conditions, READY).filter(|one| one.reason != FACETS_INVALID) {
            self.judge_condition(condition);
        }
        if instance.spec.state == State::Draft {
            self.judge_draft(status);
        }
        let is_over = matches!(status.phase, Some(Phase::Expired | Phase::Cancelled));
        if let Some(condition) = failed(&status.conditions, FACETS_VALID).filter(|_| !is_over) {
            self.judge_facets(&condition.message);
        }
        // What is in a cluster has its start already.
        let is_made = self.document.origin.is_in_cluster();
        if instance.spec.state != State::Cancelled && !is_made && !instance::has_stated_start(&instance) {
            let message = "neither spec.start nor the annotation entitlements.dev/granted-at says when it starts, so it starts when it is made in the cluster, and anew where it is made again: give one of the two";
            self.find(Severity::Warning, NO_START, message, &Path::fields(&["spec"]), Aim::Name);
        }
        if !is_over {
            self.judge_meaning();
        }
        let is_rejected = status.phase == Some(Phase::Rejected);
        let ignored = status.amendments.iter().enumerate();
        for (index, amendment) in
            ignored.filter(|(_, one)| !is_over && !is_rejected && one.state == AmendmentState::Ignored)
        {
            let message =
                format!("amendment {}: {}", amendment.name, amendment.message.as_deref().unwrap_or("it cannot count"));
            let path = Path::of_pointer(&format!("/spec/amendments/{index}/name"), &self.document.origin.object);
            self.find(Severity::Error, "AmendmentIgnored", &message, &path, Aim::Value);
        }
    }

    /// What is legal, but hardly meant.
    fn judge_meaning(&mut self) {
        let Some(namespace) = &self.subject.namespace else { return };
        let id = SourceId {
            kind: SourceKind::Instance,
            namespace: Arc::clone(namespace),
            name: Arc::clone(&self.subject.name),
        };
        for doubt in self.inventory.doubts(&id) {
            let path = Path::of_pointer(&doubt.pointer, &self.document.origin.object);
            self.find(Severity::Warning, doubt.reason, &doubt.message, &path, Aim::Value);
        }
    }

    /// Nothing is wrong with a draft that could not be activated yet, but its facets are not to be nonsense.
    fn judge_draft(&mut self, status: &EntitlementInstanceStatus) {
        let Some(refused) = failed(&status.conditions, ACCEPTED) else { return };
        let message = format!("activating it would be refused: {}", refused.message);
        self.find(Severity::Warning, &refused.reason, &message, &Path::fields(part(&refused.reason)), Aim::Value);
        self.suggest_name(&refused.reason);
    }

    fn judge_facets(&mut self, message: &str) {
        match self.flaws.get(self.subject) {
            Some(flaws) => {
                for flaw in flaws {
                    self.judge_flaw(flaw);
                }
            }
            None => {
                self.find(Severity::Error, FACETS_INVALID, message, &Path::fields(part(FACETS_INVALID)), Aim::Value);
            }
        }
    }

    fn find(&mut self, severity: Severity, reason: &str, message: &str, path: &Path, aim: Aim) {
        let Subject { kind, namespace, name } = self.subject;
        self.findings.push(Finding {
            location: self.document.origin.location(path, aim),
            severity,
            label: Some(Label {
                kind: kind.as_str().to_owned(),
                namespace: namespace.clone(),
                name: Some(name.to_string()),
            }),
            reason: reason.to_owned(),
            field: path.to_string(),
            message: message.to_owned(),
            suggestion: None,
            rewrite: None,
            excerpt: Excerpt::LineOf(Arc::clone(&self.document.origin.object)),
        });
    }

    /// Adds to the last finding what was probably meant.
    fn suggest(&mut self, path: &Path, suggestion: impl FnOnce(&Suggestions) -> Option<String>) {
        let suggestion = suggestion(self.suggestions);
        let rewrite = suggestion.as_ref().and_then(|text| path.rewrite(&self.document.origin.object, Aim::Value, text));
        if let Some(finding) = self.findings.last_mut() {
            (finding.suggestion, finding.rewrite) = (suggestion, rewrite);
        }
    }

    fn suggest_name(&mut self, reason: &str) {
        let path = Path::fields(part(reason));
        let written = path.find(&self.document.origin.object).and_then(Node::text);
        let (Some(written), namespace) = (written, self.subject.namespace.as_deref()) else { return };
        self.suggest(&path, |suggestions| suggestions.closest(reason, written, namespace));
    }
}

fn failed<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    let is_failed = |one: &&Condition| one.type_ == type_ && one.status == ConditionStatus::False;
    conditions.iter().find(is_failed)
}

fn severity(reason: &str) -> Severity {
    if BEYOND_MANIFESTS.contains(&reason) { Severity::Warning } else { Severity::Error }
}

/// The part of the manifest that a reason is about.
fn part(reason: &str) -> &'static [&'static str] {
    match reason {
        "OrganizationNotFound" | "OrganizationNotReady" => &["spec", "organization"],
        "NamespaceNotAllowed" => &["metadata", "namespace"],
        "DefinitionNotFound" | "DefinitionNotReady" => &["spec", "definition"],
        "InvalidAmount" => &["spec", "amount"],
        "RenewalInvalid" => &["spec", "renews"],
        "InvalidTerm" | "NeverInForce" => &["spec", "end"],
        "SecretNotFound" | "SecretNotSeen" => &["spec", "secretFacets"],
        FACETS_INVALID => &["spec", "facets"],
        _ => &["metadata", "name"],
    }
}
