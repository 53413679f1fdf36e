//! A grant among those of its organization and definition.

use super::{
    AdmissionVerdict, Candidate, Findings, costs, harmed,
    source::{IgnoredParts, deletion, of_amendments, of_draft, of_refusal, of_term},
};
use crate::{
    api::{Phase, lifecycle::State},
    core::{calendar::Instant, problem::Problem, reason::ReasonCode, source::SourceId},
    evaluation::{
        Snapshot,
        decision::{Decision, decide_alone},
        doubts::{doubts, is_renewed_by},
        facets::{Validity, sentences},
        holding::{Holding, Member},
        standing::Standing,
    },
};

/// What is said of a change of one grant. Both candidates are of its organization, with the grant as it is before and after
/// the change: absent from the first where it is made, from the second where it is deleted.
#[must_use]
pub fn review_instance(before: &Candidate, after: &Candidate, id: &SourceId, now: Instant) -> AdmissionVerdict {
    let (before, after) = (before.snapshot(), after.snapshot());
    let find = |snapshot: &'_ Snapshot| snapshot.grants.iter().find(|grant| grant.id.source == *id).cloned();
    let (old, new) = (find(before), find(after));
    let Some(definition) = new.as_ref().or(old.as_ref()).map(|grant| &grant.id.definition) else {
        return AdmissionVerdict::default();
    };
    let (earlier, later) = (decide_alone(before, definition, now), decide_alone(after, definition, now));
    let mut others = harmed(&earlier, &later);
    others.retain(|(other, _)| other != id);
    if new.is_none() {
        return deletion(before, &earlier, id, &others);
    }
    let known = findings(&earlier, id, &IgnoredParts::Warn);
    let added = old.as_ref().map_or(IgnoredParts::Warn, |old| IgnoredParts::added_to(old.amendments.iter()));
    let mut found = findings(&later, id, &added);
    found.warnings.extend(costs(&others));
    found.since(&known)
}

fn findings(decision: &Decision, id: &SourceId, amendments: &IgnoredParts) -> Findings {
    let mut findings = Findings::default();
    let Some((holding, member)) = decision.grants().find(|(_, member)| member.grant.id.source == *id) else {
        return findings;
    };
    match member.grant.state {
        // Taking something back is always right.
        State::Cancelled => {}
        State::Draft => {
            of_draft(&mut findings, &member.into(), !matches!(member.grant.amount, Some(Err(_))));
            if let Validity::Invalid(violations) = &member.facets.validity {
                findings.warn(format!("its facets are invalid: {}", sentences(violations)));
            }
            of_doubts(&mut findings, member);
        }
        State::Active => {
            of_refusal(&mut findings, &member.into());
            if let Validity::Invalid(violations) = &member.facets.validity {
                findings.flaw(Problem::new(ReasonCode::FacetsInvalid, sentences(violations)));
            }
            of_doubts(&mut findings, member);
            of_term(&mut findings, &member.into(), decision.at);
            of_amendments(&mut findings, &member.into(), &member.grant.amendments, amendments);
        }
    }
    if !matches!(member.verdict.phase, Phase::Cancelled | Phase::Expired) {
        of_meaning(&mut findings, &decision.standing, holding, member);
    }
    findings
}

/// What is legal, but hardly meant.
fn of_meaning(findings: &mut Findings, standing: &Standing, holding: &Holding, member: &Member) {
    let mut grants = holding.members.iter().map(|member| &member.grant);
    let renewed = grants.find(|grant| is_renewed_by(grant, &member.grant));
    let preset = holding.definition().and_then(|definition| definition.amount);
    let doubts = doubts(&member.grant, renewed.map(AsRef::as_ref), preset, standing.zone);
    findings.warnings.extend(doubts.into_iter().map(|doubt| doubt.message));
}

fn of_doubts(findings: &mut Findings, member: &Member) {
    if let Validity::Valid(doubts) = &member.facets.validity {
        findings.warnings.extend(doubts.iter().map(ToString::to_string));
    }
}
