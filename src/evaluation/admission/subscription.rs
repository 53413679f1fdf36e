//! A subscription among those of its organization.

use super::{
    AdmissionVerdict, Candidate, Findings, costs, harmed,
    source::{IgnoredParts, deletion, find, of_amendments, of_draft, of_refusal, of_term},
};
use crate::{
    api::lifecycle::State,
    core::{
        calendar::Instant,
        problem::Problem,
        reason::ReasonCode,
        source::{SourceId, subscription::Subscription},
    },
    evaluation::{
        Snapshot,
        decided::DecidedSource,
        decision::{Decision, decide},
        facets::{Validity, sentences},
        subscriptions::{EntryNote, SubscriptionDecision},
    },
};
use std::sync::Arc;

/// What is said of a change of one subscription. Both candidates are of its organization, with the subscription as it is before and
/// after the change: absent from the first where it is made, from the second where it is deleted.
#[must_use]
pub fn review_subscription(before: &Candidate, after: &Candidate, id: &SourceId, now: Instant) -> AdmissionVerdict {
    let (before, after) = (before.snapshot(), after.snapshot());
    let (old, new) = (stored(before, id), stored(after, id));
    let (earlier, later) = (decide(before, now), decide(after, now));
    let mut others = harmed(&earlier, &later);
    others.retain(|(other, _)| other != id);
    if new.is_none() {
        return if old.is_none() { AdmissionVerdict::default() } else { deletion(before, &earlier, id, &others) };
    }
    let known = findings(&earlier, id, &IgnoredParts::Warn, old.is_some());
    let added = old.map_or(IgnoredParts::Warn, |old| IgnoredParts::added_to(old.amendments.iter()));
    let mut found = findings(&later, id, &added, old.is_some());
    found.warnings.extend(costs(&others));
    found.since(&known)
}

fn stored<'a>(snapshot: &'a Snapshot, id: &SourceId) -> Option<&'a Arc<Subscription>> {
    snapshot.subscriptions.iter().find(|subscription| subscription.id() == *id)
}

/// Of one that is there already, an entry that comes to be left out is wrong; one that is made, perhaps anew, may have such.
fn findings(decision: &Decision, id: &SourceId, amendments: &IgnoredParts, was_there: bool) -> Findings {
    let mut findings = Findings::default();
    let Some(decided) = decision.subscriptions.iter().find(|one| one.subscription.id() == *id) else { return findings };
    let Some(source) = find(decision, id) else { return findings };
    match decided.subscription.state {
        // Taking something back is always right.
        State::Cancelled => {}
        State::Draft => {
            of_draft(&mut findings, &source, true);
            of_facets(&mut findings, decided, false);
            for note in &decided.notes {
                findings.warn(told(note));
            }
        }
        State::Active => of_active(&mut findings, decided, &source, amendments, was_there),
    }
    findings
}

fn of_active(
    findings: &mut Findings,
    decided: &SubscriptionDecision,
    source: &DecidedSource,
    amendments: &IgnoredParts,
    was_there: bool,
) {
    of_refusal(findings, source);
    of_term(findings, source, decided.at);
    of_amendments(findings, source, &decided.subscription.amendments, amendments);
    if decided.verdict.refusal.is_some() {
        return;
    }
    of_facets(findings, decided, true);
    for note in &decided.notes {
        match note.is_ignored && was_there {
            true => {
                let about = format!("{}/{}", note.list.as_str(), note.name);
                findings.flaws.push((about, Problem::new(ReasonCode::EntryIgnored, told(note))));
            }
            false if note.is_ignored => findings.warn(format!("it is left out: {}", told(note))),
            false => findings.warn(told(note)),
        }
    }
}

fn told(note: &EntryNote) -> String {
    format!("{} {}: {}", note.list.as_str(), note.name, note.message)
}

fn of_facets(findings: &mut Findings, decided: &SubscriptionDecision, is_active: bool) {
    for (definition, facets) in &decided.facets {
        match &facets.validity {
            Validity::Invalid(violations) => {
                let message = format!("{definition}: {}", sentences(violations));
                match is_active {
                    true => findings
                        .flaws
                        .push((format!("facets of {definition}"), Problem::new(ReasonCode::FacetsInvalid, message))),
                    false => findings.warn(format!("its facets are invalid: {message}")),
                }
            }
            Validity::Valid(doubts) => {
                findings.warnings.extend(doubts.iter().map(|doubt| format!("{definition}: {doubt}")));
            }
            Validity::Unknown => {}
        }
    }
}
