//! What a subscription gives as grants, one for each definition, to be held beside those of other sources.

use super::rights::Right;
use crate::{
    api::Phase,
    core::{
        amount::Amount,
        calendar::{Bound, Instant},
        facets::Statement,
        grant::{Grant, GrantId, Remembered, StatedGrant},
        lifecycle::{Change, Verdict},
        schema::Violation,
        source::subscription::Subscription,
        subscription::{Piece, Window},
    },
    evaluation::{
        Snapshot, before::Before, catalogue::CompiledDefinition, course::Later, facets::GrantFacets, holding::Member,
        notices::Reminders,
    },
};
use std::sync::Arc;

/// What a subscription came to, as far as its grants go by it.
pub struct Giver<'a> {
    /// What is read.
    pub snapshot: &'a Snapshot,
    /// What still holds of an earlier decision.
    pub before: Option<&'a Before<'a>>,
    /// The subscription.
    pub subscription: &'a Subscription,
    /// What this moment gives for it.
    pub verdict: &'a Verdict,
    /// Its next change of phase.
    pub change: Option<Change>,
    /// The subscription that renews it.
    pub renewed_by: Option<&'a Arc<str>>,
    /// The spans of time in which it is in force.
    pub spans: &'a [(Instant, Bound)],
    /// The moment.
    pub now: Instant,
}

impl Giver<'_> {
    /// The grant of one definition, with what is wrong with the facets of its later pieces; none where it is never given.
    pub fn member(&self, definition: &Arc<str>, right: &Arc<Right>) -> Option<(Member, Vec<Violation>)> {
        let told = right.told(self.now)?;
        let entry = self.snapshot.catalogue.get(definition);
        let compiled = entry.and_then(|entry| entry.serving.as_ref());
        let grant = Arc::new(self.grant(definition));
        let facets = self.facets(compiled, &grant, self.statement(definition, right, told));
        let phase = phase_of(right, self.verdict.phase, self.now);
        let (later, faults) = self.later(definition, right, told, compiled, &grant);
        let member = Member {
            amount: amount(compiled, right, told),
            later: later.into(),
            spans: self.spans(right),
            change: self.change(right, phase),
            verdict: self.verdict.in_phase(phase),
            renewed_by: self.renewed_by.cloned(),
            amendments: Arc::default(),
            reminders: Reminders::default(),
            right: Some(Arc::clone(right)),
            approval: None,
            facets,
            grant,
        };
        Some((member, faults))
    }

    fn grant(&self, definition: &Arc<str>) -> Grant {
        let Subscription { stated, accepted, remembered, facets, .. } = self.subscription;
        let secret_facets = stated.configure.get(definition).map(|one| one.secret_facets.clone());
        let own = StatedGrant {
            source: stated.source.clone(),
            id: GrantId { source: self.subscription.id(), definition: Arc::clone(definition) },
            amount: None,
            channels: None,
            facets: Arc::default(),
            secret_facets: secret_facets.unwrap_or_default(),
            amendments: Vec::new(),
            request: None,
        };
        let remembered = Remembered { facets: facets.get(definition).cloned(), ..remembered.clone() };
        Grant { stated: Arc::new(own), accepted: accepted.clone(), remembered }
    }

    fn statement(&self, definition: &str, right: &Right, piece: &Piece) -> Statement {
        right.statement(piece, self.subscription.configure.get(definition).map(|one| &one.facets))
    }

    fn facets(&self, compiled: Option<&Arc<CompiledDefinition>>, grant: &Grant, stated: Statement) -> Arc<GrantFacets> {
        let known = self.before.and_then(|before| before.stated_facets(self.snapshot, compiled, grant, &stated));
        let terms = compiled.map(|compiled| &compiled.terms);
        known.unwrap_or_else(|| Arc::new(GrantFacets::of_statement(self.snapshot, terms, grant, stated)))
    }

    /// What it comes to from each later piece on, and what of that is not valid though what comes before is.
    fn later(
        &self,
        definition: &str,
        right: &Right,
        told: &Piece,
        compiled: Option<&Arc<CompiledDefinition>>,
        grant: &Grant,
    ) -> (Vec<Later>, Vec<Violation>) {
        let mut faults: Vec<Violation> = Vec::new();
        let later = right.given().filter(|piece| piece.window.from > self.now && piece.window.from > told.window.from);
        let later = later.map(|piece| {
            let facets = self.facets(compiled, grant, self.statement(definition, right, piece));
            let new = facets.validity.violations().iter().filter(|fault| !faults.contains(fault)).cloned();
            let new: Vec<Violation> = new.collect();
            faults.extend(new);
            Later { at: piece.window.from, amount: amount(compiled, right, piece), statement: facets.statement.clone() }
        });
        let later = later.collect();
        (later, faults)
    }

    /// The spans of time in which it is given and in force.
    fn spans(&self, right: &Right) -> Box<[(Instant, Bound)]> {
        let cut = |window: Window, (start, end): &(Instant, Bound)| {
            let (start, end) = (window.from.max(*start), window.until.min(*end));
            (!end.has_come(start)).then_some((start, end))
        };
        let given = right.given().flat_map(|piece| self.spans.iter().filter_map(move |span| cut(piece.window, span)));
        given.collect()
    }

    /// The next moment at which its phase, its amount or its facets may be others.
    fn change(&self, right: &Right, phase: Phase) -> Option<Change> {
        if matches!(phase, Phase::Draft | Phase::Cancelled | Phase::Expired) {
            return None;
        }
        let bounds = right.given().flat_map(|piece| [Some(piece.window.from), piece.window.until.at()]).flatten();
        let next = bounds.filter(|at| *at > self.now).min();
        let own = self.change.map(|change| (change.at, change.phase));
        let at = [next, own.map(|(at, _)| at)].into_iter().flatten().min()?;
        let of_source = own.filter(|(change, _)| *change <= at).map_or(self.verdict.phase, |(_, phase)| phase);
        Some(Change { at, phase: phase_of(right, of_source, at) })
    }
}

/// As the subscription is, where it is given; what is given only later waits, and what was given is over.
fn phase_of(right: &Right, phase: Phase, at: Instant) -> Phase {
    if !matches!(phase, Phase::Active | Phase::Grace | Phase::Suspended | Phase::Waiting) {
        return phase;
    }
    if right.given().any(|piece| piece.window.has(at)) {
        return phase;
    }
    let is_to_come = right.given().any(|piece| piece.window.from > at);
    if is_to_come { Phase::Waiting } else { Phase::Expired }
}

fn amount(compiled: Option<&Arc<CompiledDefinition>>, right: &Right, piece: &Piece) -> Option<Amount> {
    let sum = piece.amount(&right.parts);
    match compiled {
        Some(compiled) => compiled.terms.amount.map(|preset| sum.unwrap_or(preset)),
        None => sum,
    }
}
