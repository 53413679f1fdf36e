//! What the statuses say against the manifests.

use super::{
    finding::{Finding, Severity},
    manifests::{Document, Manifests, Path},
};
use crate::{
    api::{
        Condition, ConditionStatus, EntitlementInstance, EntitlementInstanceStatus, Phase,
        conditions::{ACCEPTED, FACETS_VALID, READY},
        entitlement_instance::{AmendmentState, State},
    },
    core::grant::Grant,
    offline::{Status, Subject, Survey},
};
use serde::Deserialize;

/// Reasons that say nothing against the manifests themselves: what is missing may be in the cluster.
const BEYOND_MANIFESTS: [&str; 2] = ["SecretNotFound", "NamespaceMissing"];

/// What the statuses of a survey say against the manifests, after that of reading them.
#[must_use]
pub fn judge(manifests: &Manifests, survey: &Survey) -> Vec<Finding> {
    let mut findings = manifests.findings.clone();
    for (subject, document) in &manifests.documents {
        let Some(status) = survey.statuses.get(subject) else { continue };
        Judge { subject, document, findings: &mut findings }.judge(status);
    }
    findings
}

struct Judge<'a> {
    subject: &'a Subject,
    document: &'a Document,
    findings: &'a mut Vec<Finding>,
}

impl Judge<'_> {
    fn judge(&mut self, status: &Status) {
        if let Some(condition) = failed(status, READY) {
            let severity = severity(&condition.reason);
            self.find(severity, &condition.reason, &condition.message, part(&condition.reason));
        }
        if let Status::Instance(status) = status {
            self.judge_instance(status);
        }
    }

    fn judge_instance(&mut self, status: &EntitlementInstanceStatus) {
        let Ok(instance) = EntitlementInstance::deserialize(&self.document.value) else { return };
        if instance.spec.state == State::Draft {
            self.judge_draft(status);
        }
        if instance.spec.state != State::Cancelled && !Grant::has_stated_start(&instance) {
            let message = "neither spec.start nor the annotation entitlements.dev/granted-at says when it starts, so it starts when it is made in the cluster, and anew where it is made again: give one of the two";
            self.find(Severity::Warning, "NoStart", message, &["spec"]);
        }
        let is_over = matches!(status.phase, Some(Phase::Rejected | Phase::Expired | Phase::Cancelled));
        for amendment in
            status.amendments.iter().filter(|amendment| !is_over && amendment.state == AmendmentState::Ignored)
        {
            let message =
                format!("amendment {}: {}", amendment.name, amendment.message.as_deref().unwrap_or("it cannot count"));
            self.find(Severity::Error, "AmendmentIgnored", &message, &["spec", "amendments"]);
        }
    }

    /// Nothing is wrong with a draft that could not be activated yet, but its facets are not to be nonsense.
    fn judge_draft(&mut self, status: &EntitlementInstanceStatus) {
        let condition = |type_: &str| {
            let found = status.conditions.iter().find(|condition| condition.type_ == type_);
            found.filter(|condition| condition.status == ConditionStatus::False)
        };
        if let Some(refused) = condition(ACCEPTED) {
            let message = format!("activating it would be refused: {}", refused.message);
            self.find(Severity::Warning, &refused.reason, &message, part(&refused.reason));
        }
        if let Some(invalid) = condition(FACETS_VALID) {
            self.find(Severity::Error, "FacetsInvalid", &invalid.message, part("FacetsInvalid"));
        }
    }

    fn find(&mut self, severity: Severity, reason: &str, message: &str, part: &[&str]) {
        let subject = self.subject.to_string();
        let path = Path::fields(part);
        self.findings.push(Finding::new(&self.document.origin, &path, severity, &subject, reason, message));
    }
}

fn failed<'a>(status: &'a Status, type_: &str) -> Option<&'a Condition> {
    status.condition(type_).filter(|condition| condition.status == ConditionStatus::False)
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
        "SecretNotFound" => &["spec", "secretFacets"],
        "InvalidTimeZone" => &["spec", "timeZone"],
        "NamespaceRefused" | "NamespaceTaken" | "NamespaceMissing" => &["spec", "namespaces"],
        "FacetsInvalid" | "InvalidSchema" | "FacetNotFound" => &["spec", "facets"],
        _ => &["metadata", "name"],
    }
}
