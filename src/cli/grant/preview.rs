//! What a manifest would bring, before it is applied: the operator's verdict, and what the client gets differently.

use crate::{
    api::{Phase, conditions::ACCEPTED, lifecycle::LifecycleStatus},
    cli::{
        diagnostics::{Finding, Severity},
        judgement::judge,
        manifests::{self, Manifests, ReadOptions},
        moment::shown,
        offline::Examination,
        outcome::CommandFailure,
        timeline::{Anchor, MOST_WORK, difference_text},
    },
    core::{
        calendar::{Tz, parse_instant},
        source::{SourceId, SourceKind},
    },
    offline::{Bounds, Differences, Status, Subject, When},
};
use serde_json::Value;

/// More moments are not compared.
const MOST_STEPS: usize = 10_000;

/// What a manifest would bring.
pub struct Preview {
    /// The grant or subscription.
    pub id: SourceId,
    /// The zone of its organization.
    pub zone: Tz,
    /// What would be wrong that is not wrong now.
    pub errors: Vec<String>,
    /// What is wrong with a Draft, which is no error: it would be if it were activated.
    pub flaws: Vec<String>,
    /// What is legal, but hardly meant.
    pub warnings: Vec<String>,
    /// Why the grant would be refused.
    pub refusal: Option<String>,
    /// What the grant or subscription would come to.
    pub status: Option<Status>,
    /// What the client gets otherwise, as a table; empty where that is nothing.
    pub table: String,
}

impl Preview {
    /// What the manifest of a grant of an organization would bring to what is there.
    pub fn of(
        before: &Manifests,
        id: &SourceId,
        organization: &str,
        manifest: &str,
        when: When,
    ) -> Result<Self, CommandFailure> {
        let options = ReadOptions {
            created: when,
            namespace: id.namespace.clone(),
            operator_namespace: before.inventory.operator_namespace().to_owned(),
        };
        let mut after = manifests::read(&["-".into()], &mut manifest.as_bytes(), &options)?;
        let known = judge(before, &before.inventory.survey(when));
        after.known = known.iter().map(Finding::gist).collect();
        after.lay_over(before, when)?;
        let bounds = Bounds { from: when, to: None, steps: MOST_STEPS, work: MOST_WORK };
        let is_chosen = |name: &str| name == organization;
        let old = before.inventory.timeline(&bounds, is_chosen);
        let new = after.inventory.timeline_after(&old, &bounds, is_chosen, &mut |_| {});
        let differences = Differences::between(&old, &new);
        let departures = new.departures.get(organization).or_else(|| old.departures.get(organization));
        let zone = departures.map_or(Tz::UTC, |departure| departure.zone);
        let known = std::mem::take(&mut after.known);
        let examination = Examination::of(after, when);
        let mut preview = Self {
            id: id.clone(),
            zone,
            errors: Vec::new(),
            flaws: Vec::new(),
            warnings: Vec::new(),
            refusal: None,
            status: status(&examination, id),
            table: difference_text(&differences, Anchor::Now(when.first(zone)), zone),
        };
        preview.take(&examination, &known);
        Ok(preview)
    }

    fn take(&mut self, examination: &Examination, known: &std::collections::BTreeSet<String>) {
        let accepted = self.status.as_ref().and_then(|status| status.condition(ACCEPTED));
        let lifecycle = self.status.as_ref().and_then(Status::lifecycle);
        let is_draft = lifecycle.is_some_and(|status| status.phase == Some(Phase::Draft));
        let own = Subject::source(&self.id).to_string();
        for finding in examination.findings.iter().filter(|finding| !known.contains(&finding.gist())) {
            let label = finding.label.as_ref().map(ToString::to_string).unwrap_or_default();
            let is_own = label == own;
            // What could not be seen was said when it was read.
            if finding.reason == "NotSeen" || (is_own && finding.reason == "NoStart") {
                continue;
            }
            let whose = if is_own { String::new() } else { format!("{label}: ") };
            let sentence = format!("{whose}{}: {}", finding.reason, finding.message);
            match finding.severity {
                Severity::Warning => self.warnings.push(sentence),
                Severity::Error if is_own && is_draft => self.flaws.push(sentence),
                Severity::Error | Severity::Unreadable => {
                    if is_own && accepted.is_some_and(|accepted| accepted.reason == finding.reason) {
                        self.refusal = Some(finding.reason.clone());
                    }
                    self.errors.push(sentence);
                }
            }
        }
    }
}

fn status(examination: &Examination, id: &SourceId) -> Option<Status> {
    examination.survey.as_ref()?.statuses.get(&Subject::source(id)).cloned()
}

/// What a grant or a subscription is now, in words: `Active until 2027-01-01 00:00 CET`.
pub fn standing(status: LifecycleStatus<'_>, zone: Tz) -> String {
    let time = |text: Option<&str>| {
        let instant = text.and_then(|text| parse_instant(text).ok());
        instant.map(|instant| shown(instant, zone))
    };
    let until = || time(status.end).map_or_else(|| "for good".to_owned(), |end| format!("until {end}"));
    match status.phase {
        Some(Phase::Waiting) => {
            format!("Waiting: it starts {}, and lasts {}", time(status.start).unwrap_or_default(), until())
        }
        Some(Phase::Active) => format!("Active {}", until()),
        Some(Phase::Suspended) => format!("Suspended, with a term that lasts {}", until()),
        Some(Phase::Grace) => format!("in its grace period, as it ended {}", time(status.end).unwrap_or_default()),
        Some(Phase::Expired) => format!("over, as it ended {}", time(status.end).unwrap_or_default()),
        Some(Phase::Draft) => "a Draft, which gives nothing".to_owned(),
        Some(Phase::Cancelled) => "Cancelled".to_owned(),
        Some(Phase::Rejected) => "Rejected".to_owned(),
        Some(Phase::Requested) => "Requested".to_owned(),
        None => "not judged yet".to_owned(),
    }
}

/// The grants that an organization holds of a definition.
pub fn held(before: &Manifests, organization: &str, definition: &str, when: When) -> Vec<SourceId> {
    let survey = before.inventory.survey(when);
    let is_held = |subject: &Subject, value: &Value| {
        let status = survey.statuses.get(subject);
        let phase = match status {
            Some(Status::Instance(status)) => status.phase,
            _ => None,
        };
        let names = |field: &str| value.pointer(&format!("/spec/{field}")).and_then(Value::as_str);
        matches!(phase, Some(Phase::Waiting | Phase::Active | Phase::Grace | Phase::Suspended))
            && (names("organization"), names("definition")) == (Some(organization), Some(definition))
    };
    let held = before.documents.iter().filter(|(subject, document)| is_held(subject, &document.value));
    held.filter_map(|(subject, _)| {
        Some(SourceId { kind: SourceKind::Instance, namespace: subject.namespace.clone()?, name: subject.name.clone() })
    })
    .collect()
}
