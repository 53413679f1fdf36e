//! How what an organization holds of a definition changes with time, as far as that is known now.

use super::{
    Snapshot,
    facets::{GrantFacets, effective},
    holding::{Holding, Member, merge, rank_of},
};
use crate::{
    api::entitlement_instance::AmendmentState,
    core::{
        amount::Amount,
        calendar::{Bound, Instant},
        definition::Definition,
        facets::Statement,
        grant::Grant,
        lifecycle::{PreparedAmendment, Verdict},
        precedence::total,
    },
    render::flags::{Course, Holds, Stage},
};
use std::collections::BTreeSet;

/// The most changes that are looked ahead to.
const MOST_CHANGES: usize = 16;
/// The most members, over all changes, that are looked at.
const MOST_MEMBERS: usize = 4096;

/// What a grant comes to from a pending amendment on.
#[derive(Debug)]
pub struct Later {
    at: Instant,
    amount: Option<Amount>,
    statement: Option<Statement>,
}

/// What the pending amendments of a grant, which stand in the order in which they count, make of its amount and facets.
#[must_use]
pub fn later(
    snapshot: &Snapshot,
    definition: Option<&Definition>,
    grant: &Grant,
    verdict: &Verdict,
    amendments: &[PreparedAmendment],
    now: (Option<Amount>, Option<&Statement>),
) -> Vec<Later> {
    let mut counting = effective(grant, verdict);
    let (mut amount, mut statement) = (now.0, now.1.cloned());
    let mut later = Vec::new();
    for (amendment, outcome) in amendments.iter().zip(&verdict.amendments) {
        let Some(at) = amendment.effective.filter(|_| outcome.state == AmendmentState::Pending) else { continue };
        amount = amount.and(amendment.amount).or(amount);
        if grant.amendments.get(amendment.index).is_some_and(|one| one.facets.is_some()) {
            counting.push(amendment.index);
            statement = GrantFacets::of(snapshot, definition, grant, &counting).statement;
        }
        later.push(Later { at, amount, statement: statement.clone() });
    }
    later
}

impl Member<'_> {
    fn is_in_force_at(&self, at: Instant) -> bool {
        self.spans.iter().any(|(start, end)| *start <= at && !end.has_come(at))
    }

    fn at(&self, at: Instant) -> (Option<Amount>, Option<&Statement>) {
        let later = self.later.iter().rev().find(|later| later.at <= at);
        later.map_or((self.amount, self.facets.statement.as_ref()), |later| (later.amount, later.statement.as_ref()))
    }
}

/// What is held now (`present`), and from each coming change on. Where more changes come than can be looked ahead to, what
/// the last one gives lasts until the end of its run: a right may change late, but never ends late.
#[must_use]
pub fn course(holding: &Holding, present: Option<Holds>, now: Instant) -> Course {
    let Some(definition) = holding.definition() else { return Course::default() };
    let mut stages = Vec::new();
    if let (Some(holds), Some((start, _))) = (present, holding.run(now)) {
        stages.push(Stage { from: start, holds: Some(holds) });
    }
    let changes = changes(holding, now);
    let ahead = (MOST_MEMBERS / holding.members.len().max(1)).clamp(1, MOST_CHANGES);
    for at in changes.iter().take(ahead) {
        add(&mut stages, Stage { from: *at, holds: holds_at(holding, definition, *at) });
    }
    if let Some(last) = changes.iter().take(ahead).next_back().filter(|_| changes.len() > ahead)
        && let Some((_, Bound::At(end))) = holding.run(*last)
    {
        add(&mut stages, Stage { from: end, holds: None });
    }
    Course { stages, has_facets: !definition.facets.is_empty() }
}

fn add(stages: &mut Vec<Stage>, stage: Stage) {
    if stages.last().and_then(|last| last.holds.as_ref()) != stage.holds.as_ref() {
        stages.push(stage);
    }
}

/// The moments to come at which the holding may change.
fn changes(holding: &Holding, now: Instant) -> BTreeSet<Instant> {
    let of_member = |member: &Member| {
        let spans = member.spans.iter().flat_map(|(start, end)| [Some(*start), end.at()]).flatten();
        spans.chain(member.later.iter().map(|later| later.at)).collect::<Vec<_>>()
    };
    holding.members.iter().flat_map(of_member).filter(|at| *at > now).collect()
}

fn holds_at(holding: &Holding, definition: &Definition, at: Instant) -> Option<Holds> {
    let mut members: Vec<&Member> = holding.members.iter().filter(|member| member.is_in_force_at(at)).collect();
    if members.is_empty() {
        return None;
    }
    members.sort_by(|one, other| rank_of(one).cmp(&rank_of(other)));
    let amounts = members.iter().filter_map(|member| member.at(at).0);
    let amount = definition.amount.map(|_| total(definition, amounts).unwrap_or(Amount::ZERO));
    let parts: Vec<(&Member, &Statement)> =
        members.iter().filter_map(|member| Some((*member, member.at(at).1?))).collect();
    let facets = if parts.is_empty() { None } else { Some(merge(definition, &parts).values) };
    Some(Holds { amount, facets: facets.unwrap_or_default() })
}
