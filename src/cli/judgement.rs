//! What is decided against the manifests.

use super::{
    diagnostics::{Excerpt, Finding, Label, Severity},
    manifests::{Aim, Document, Manifests, Node, Path},
    suggestions::Suggestions,
};
use crate::{
    api::{Phase, lifecycle::State},
    core::{age::has_granted_at, problem::Problem, reason::ReasonCode},
    offline::{EntitlementKind, Flaw, Inventory, SourceFindings, Subject, Survey},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Reasons that say nothing against the manifests themselves: what is missing may be in the cluster.
const BEYOND_MANIFESTS: [ReasonCode; 3] =
    [ReasonCode::SecretNotFound, ReasonCode::SecretNotSeen, ReasonCode::NamespaceMissing];

/// What a survey has against the manifests.
#[must_use]
pub fn judge(manifests: &Manifests, survey: &Survey) -> Vec<Finding> {
    let suggestions = Suggestions::of(&manifests.inventory);
    let mut findings = Vec::new();
    for (subject, document) in &manifests.documents {
        let inventory = &manifests.inventory;
        let flaws = &survey.flaws;
        let mut judge =
            DocumentJudge { subject, document, inventory, flaws, suggestions: &suggestions, findings: &mut findings };
        judge.judge(survey);
        judge.judge_decision();
        for doubt in survey.doubts.get(subject).into_iter().flatten() {
            let Problem { reason, message, .. } = doubt.problem.clone();
            let path = judge.path_of(&doubt.problem);
            judge.find(Severity::Warning, reason, &message, &path, Aim::Value);
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
    fn judge(&mut self, survey: &Survey) {
        if let Some(findings) = survey.sources.get(self.subject) {
            self.judge_source(findings);
            return;
        }
        match (self.flaws.get(self.subject), survey.problems.get(self.subject)) {
            (Some(flaws), _) => flaws.iter().for_each(|flaw| self.judge_flaw(flaw)),
            (None, Some(problem)) => self.judge_problem(severity(problem.reason), problem),
            (None, None) => {}
        }
    }

    /// A decision that never counts harms nobody, and was hardly meant so.
    fn judge_decision(&mut self) {
        let (EntitlementKind::OverrideDecision, Some(namespace)) = (self.subject.kind, &self.subject.namespace) else {
            return;
        };
        if let Some(doubt) = self.inventory.decision_doubt(namespace, &self.subject.name) {
            self.judge_problem(Severity::Warning, &doubt);
        }
    }

    fn judge_flaw(&mut self, flaw: &Flaw) {
        let Problem { reason, message, pointer } = &flaw.problem;
        let path = Path::of_pointer(pointer, &self.document.origin.object);
        self.find(severity(*reason), *reason, message, &path, flaw.aim);
        let suggestion = flaw.suggestion.clone();
        let written = path.find(&self.document.origin.object).and_then(Node::text);
        let Subject { kind, namespace, .. } = self.subject;
        let near = |suggestions: &Suggestions| suggestions.closest(*kind, *reason, written?, namespace.as_deref());
        self.suggest(&path, |suggestions| suggestion.or_else(|| near(suggestions)));
    }

    /// What is wrong, where it stands, or else of the object as a whole.
    fn judge_problem(&mut self, severity: Severity, problem: &Problem) {
        let Problem { reason, message, .. } = problem;
        let path = self.path_of(problem);
        self.find(severity, *reason, message, &path, Aim::Value);
        let written = path.find(&self.document.origin.object).and_then(Node::text);
        let (Some(written), Subject { kind, namespace, .. }) = (written, self.subject) else { return };
        self.suggest(&path, |suggestions| suggestions.closest(*kind, *reason, written, namespace.as_deref()));
    }

    fn path_of(&self, problem: &Problem) -> Path {
        let pointer = if problem.pointer.is_empty() { "/metadata/name" } else { &problem.pointer };
        Path::of_pointer(pointer, &self.document.origin.object)
    }

    fn judge_source(&mut self, findings: &SourceFindings) {
        for problem in findings.unready.iter().filter(|problem| problem.reason != ReasonCode::FacetsInvalid) {
            self.judge_problem(severity(problem.reason), problem);
        }
        // Nothing is wrong with a draft that could not be activated yet, but its facets are not to be nonsense.
        if let Some(refusal) = findings.refusal.as_ref().filter(|_| findings.state == State::Draft) {
            let message = format!("activating it would be refused: {}", refusal.message);
            self.judge_problem(Severity::Warning, &Problem { message, ..refusal.clone() });
        }
        if !findings.is_over() {
            self.flaws.get(self.subject).into_iter().flatten().for_each(|flaw| self.judge_flaw(flaw));
        }
        // What is in a cluster has its start already.
        let is_made = self.document.origin.is_in_cluster();
        let is_override = self.subject.kind == EntitlementKind::EntitlementOverride;
        if findings.state != State::Cancelled && !is_made && !is_override && !has_stated_start(&self.document.value) {
            let message = "neither spec.start nor the annotation entitlements.dev/granted-at says when it starts, so it starts when it is made in the cluster, and anew where it is made again: give one of the two";
            self.find(Severity::Warning, ReasonCode::NoStart, message, &Path::fields(&["spec"]), Aim::Name);
        }
        if findings.is_over() {
            return;
        }
        self.judge_meaning();
        for problem in findings.ignored.iter().filter(|_| findings.phase != Phase::Rejected) {
            let path = self.path_of(problem);
            self.find(Severity::Error, problem.reason, &problem.message, &path, Aim::Value);
        }
        for problem in &findings.remarks {
            self.judge_problem(Severity::Warning, problem);
        }
    }

    /// What is legal, but hardly meant.
    fn judge_meaning(&mut self) {
        let Some(id) = self.subject.source_id() else { return };
        for doubt in self.inventory.doubts(&id) {
            let path = self.path_of(&doubt);
            self.find(Severity::Warning, doubt.reason, &doubt.message, &path, Aim::Value);
        }
    }

    fn find(&mut self, severity: Severity, reason: ReasonCode, message: &str, path: &Path, aim: Aim) {
        let Subject { kind, namespace, name } = self.subject;
        self.findings.push(Finding {
            location: self.document.origin.location(path, aim),
            severity,
            label: Some(Label {
                kind: kind.as_str().to_owned(),
                namespace: namespace.clone(),
                name: Some(name.to_string()),
            }),
            reason: reason.to_string(),
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
}

/// Whether start, `granted-at` or what it renews say when a source of grants starts, so that it does not hang on the moment at which
/// the object happens to be created.
fn has_stated_start(object: &Value) -> bool {
    let is_stated = |field: &str| object.pointer(field).is_some_and(|value| !value.is_null());
    let metadata = object.get("metadata").and_then(|metadata| ObjectMeta::deserialize(metadata).ok());
    is_stated("/spec/start") || is_stated("/spec/renews") || metadata.is_some_and(|metadata| has_granted_at(&metadata))
}

fn severity(reason: ReasonCode) -> Severity {
    if BEYOND_MANIFESTS.contains(&reason) { Severity::Warning } else { Severity::Error }
}

#[cfg(test)]
mod tests {
    use super::has_stated_start;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[rstest]
    #[case::nothing(json!({}), json!({"end": "2027-01-31"}), false)]
    #[case::granted_at(json!({"entitlements.dev/granted-at": "2027-01-01T00:00:00Z"}), json!({}), true)]
    #[case::another_annotation(json!({"note": "x"}), json!({}), false)]
    #[case::start(json!({}), json!({"start": "2027-01-01"}), true)]
    #[case::renews(json!({}), json!({"renews": "b"}), true)]
    fn a_start_is_stated_by_start_granted_at_or_what_is_renewed(
        #[case] annotations: Value,
        #[case] spec: Value,
        #[case] expected: bool,
    ) {
        let object = json!({"metadata": {"name": "a", "annotations": annotations}, "spec": spec});
        assert_eq!(has_stated_start(&object), expected);
    }
}
