//! How an organization's holding of a definition changes with time, as far as it is known now.

use super::{
    Snapshot,
    facets::{GrantFacets, effective},
    holding::{Holding, Member, merge, rank_of},
};
use crate::{
    api::{facet_fields::FacetFields, lifecycle::AmendmentState},
    core::{
        amount::Amount,
        calendar::{Bound, Instant},
        definition::Definition,
        facets::Statement,
        grant::Grant,
        lifecycle::{PreparedAmendment, Verdict},
        precedence::{Adding, Tally},
    },
    render::flags::{FlagCourse, HeldRight, Stage},
};
use std::collections::BTreeSet;

/// The most changes to come that a flag shows. A moment at which what it shows stays as it is counts for nothing.
const MOST_CHANGES: usize = 16;
/// The most statements, over all moments, that are merged to find the changes of facets.
const MOST_MERGED: usize = 4096;

/// What a grant comes to from a pending amendment on.
#[derive(Clone, Debug)]
pub struct Later {
    /// From when on.
    pub at: Instant,
    /// Its amount then.
    pub amount: Option<Amount>,
    /// What it states then.
    pub statement: Option<Statement>,
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
        let Some(stated) = grant.amendments.get(amendment.index) else { continue };
        amount = amount.and(stated.amount()).or(amount);
        if stated.facets.is_some() {
            counting.push(amendment.index);
            statement = GrantFacets::of(snapshot, definition, grant, &counting).statement;
        }
        later.push(Later { at, amount, statement: statement.clone() });
    }
    later
}

/// What a grant in force gives.
#[derive(Clone, Copy, PartialEq)]
struct Gives<'a> {
    amount: Option<Amount>,
    statement: Option<&'a Statement>,
}

impl Member {
    /// What it gives at a moment; None where it is not in force.
    fn gives(&self, at: Instant) -> Option<Gives<'_>> {
        if !self.spans.iter().any(|(start, end)| *start <= at && !end.has_come(at)) {
            return None;
        }
        let come = self.later.partition_point(|later| later.at <= at);
        let later = come.checked_sub(1).and_then(|last| self.later.get(last));
        Some(match later {
            Some(later) => Gives { amount: later.amount, statement: later.statement.as_ref() },
            None => Gives { amount: self.amount, statement: self.facets.statement.as_ref() },
        })
    }
}

/// What is held now.
pub struct Held<'a> {
    /// The total; absent for a Feature.
    pub amount: Option<Amount>,
    /// The merged facets.
    pub facets: &'a FacetFields,
}

/// What is held now (`present`), and from each coming change on. Where more changes come than are looked ahead to, what the
/// last one gives lasts until the end of its run: a right may change late, but never ends late.
#[must_use]
pub fn course(holding: &Holding, present: Option<&Held>, now: Instant) -> FlagCourse {
    let Some(definition) = holding.definition() else { return FlagCourse::default() };
    let since = holding.run(now).map(|(start, _)| start);
    let has_facets = !definition.facets.is_empty();
    let mut rights = Track::begin(since, present.and_then(|held| right(held.amount)));
    let held = present.filter(|held| has_facets && !held.facets.is_empty());
    let mut facets = Track::begin(since, held.map(|held| held.facets.clone()));
    facets.is_open = has_facets;
    let mut sweep = Sweep::new(holding, definition, now);
    while rights.is_open || facets.is_open {
        let Some(step) = sweep.go_on() else { break };
        rights.see(holding, step.at, || sweep.right());
        if step.changes_facets {
            facets.see(holding, step.at, || sweep.facets());
        }
        if sweep.merged >= MOST_MERGED {
            facets.close(holding, step.at);
        }
    }
    FlagCourse { rights: rights.stages, facets: has_facets.then_some(facets.stages), allowed: None }
}

/// What is held, with that total, which a Feature has not. A total of nothing shows like nothing held.
fn right(total: Option<Amount>) -> Option<HeldRight> {
    match total {
        None => Some(HeldRight::On),
        Some(amount) => (amount != Amount::ZERO).then_some(HeldRight::Amount(amount)),
    }
}

/// What one flag shows, from each change of it on.
struct Track<T> {
    stages: Vec<Stage<T>>,
    /// How many of the stages are to come.
    to_come: usize,
    /// Whether more is looked for.
    is_open: bool,
}

impl<T: PartialEq> Track<T> {
    /// Begins with what is held now, since the beginning of its run.
    fn begin(since: Option<Instant>, present: Option<T>) -> Self {
        let present = since.zip(present).map(|(from, holds)| Stage { from, holds: Some(holds) });
        Self { stages: present.into_iter().collect(), to_come: 0, is_open: true }
    }

    fn last(&self) -> Option<&T> {
        self.stages.last().and_then(|last| last.holds.as_ref())
    }

    /// Adds what is held from a moment on, if that is a change.
    fn see(&mut self, holding: &Holding, at: Instant, holds: impl FnOnce() -> Option<T>) {
        if !self.is_open {
            return;
        }
        let holds = holds();
        if self.last() == holds.as_ref() {
            return;
        }
        if self.to_come == MOST_CHANGES {
            let known = self.stages.last().map_or(at, |last| last.from);
            self.close(holding, known);
            return;
        }
        self.to_come += 1;
        self.stages.push(Stage { from: at, holds });
    }

    /// Looks no further than `known`, the last moment for which it is known what is held.
    fn close(&mut self, holding: &Holding, known: Instant) {
        let end = holding.run(known).map(|(_, end)| end);
        if let (true, Some(_), Some(Bound::At(end))) = (self.is_open, self.last(), end) {
            self.stages.push(Stage { from: end, holds: None });
        }
        self.is_open = false;
    }
}

/// The grants of a holding on their way through the moments at which one of them changes. Each moment costs what changes at
/// it, but for facets, which are merged anew.
struct Sweep<'a> {
    definition: &'a Definition,
    /// In the order of precedence.
    members: Vec<&'a Member>,
    /// What each gives.
    gives: Vec<Option<Gives<'a>>>,
    /// The moments to come, with the member that changes. The last one comes first.
    moments: Vec<(Instant, usize)>,
    amounts: Tally,
    in_force: BTreeSet<usize>,
    /// How many statements were merged.
    merged: usize,
}

/// A moment at which a grant changes.
struct Step {
    at: Instant,
    /// Whether what is stated may be otherwise.
    changes_facets: bool,
}

impl<'a> Sweep<'a> {
    fn new(holding: &'a Holding, definition: &'a Definition, now: Instant) -> Self {
        let mut members: Vec<&Member> = holding.members.iter().filter(|member| !member.spans.is_empty()).collect();
        members.sort_by(|one, other| rank_of(one).cmp(&rank_of(other)));
        let mut moments: Vec<(Instant, usize)> = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let spans = member.spans.iter().flat_map(|(start, end)| [Some(*start), end.at()]).flatten();
            let all = spans.chain(member.later.iter().map(|later| later.at));
            moments.extend(all.filter(|at| *at > now).map(|at| (at, index)));
        }
        moments.sort_unstable_by(|one, other| other.cmp(one));
        let mut sweep = Self {
            definition,
            gives: vec![None; members.len()],
            members,
            moments,
            amounts: Tally::new(definition.aggregation),
            in_force: BTreeSet::new(),
            merged: 0,
        };
        for index in 0..sweep.members.len() {
            sweep.update(index, now);
        }
        sweep
    }

    /// Goes on to the next moment at which a grant changes.
    fn go_on(&mut self) -> Option<Step> {
        let (at, _) = self.moments.last().copied()?;
        let mut step = Step { at, changes_facets: false };
        while let Some((_, index)) = self.moments.pop_if(|(next, _)| *next == at) {
            step.changes_facets |= self.update(index, at);
        }
        Some(step)
    }

    /// Brings one grant up to date. Whether what is stated may be otherwise.
    fn update(&mut self, index: usize, at: Instant) -> bool {
        let after = self.members.get(index).and_then(|member| member.gives(at));
        let Some(slot) = self.gives.get_mut(index) else { return false };
        let before = std::mem::replace(slot, after);
        let addition = self.members.get(index).map_or(Adding::ByAggregation, |member| member.addition());
        if let Some(amount) = before.and_then(|gives| gives.amount) {
            self.amounts.remove(addition, amount);
        }
        if let Some(amount) = after.and_then(|gives| gives.amount) {
            self.amounts.add(addition, amount);
        }
        if after.is_some() {
            self.in_force.insert(index);
        } else {
            self.in_force.remove(&index);
        }
        before.map(|gives| gives.statement) != after.map(|gives| gives.statement)
    }

    /// What is held; None where nothing is.
    fn right(&self) -> Option<HeldRight> {
        if self.in_force.is_empty() {
            return None;
        }
        right(self.definition.amount.map(|_| self.amounts.total().unwrap_or(Amount::ZERO)))
    }

    /// The merged facets; None where there are none.
    fn facets(&mut self) -> Option<FacetFields> {
        let part = |index: &usize| {
            Some((*self.members.get(*index)?, self.gives.get(*index)?.as_ref().and_then(|gives| gives.statement)?))
        };
        let parts: Vec<(&Member, &Statement)> = self.in_force.iter().filter_map(part).collect();
        if parts.is_empty() {
            return None;
        }
        let merged = merge(self.definition, &parts);
        // Each that is left out is one more try.
        self.merged += parts.len() * (parts.len() - merged.taking_part.min(parts.len()) + 1);
        Some(merged.values)
    }
}
