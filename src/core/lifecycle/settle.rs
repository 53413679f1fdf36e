//! Terms and refusals along the lineage: each grant after the one that it renews.

use super::{
    Group, Permission, TakesOver,
    amendments::{Amended, amend},
    descent::Renewed,
    span::Span,
    term::{Term, TermSources, term},
};
use crate::{
    api::lifecycle::State,
    core::{
        acceptance::{Acceptance, Chain},
        calendar::{
            Bound, CalendarDuration, Instant, InvalidMoment, Moment, add, format_instant, format_until, length,
        },
        grant::Stated,
        refusal::{Reason, Refusal},
        source::stated::StatedSource,
    },
};
use std::sync::Arc;

/// A grant settled except for the seat: `Duplicate` is the only reason that may still come.
///
/// One that is not approved is refused, and has the term that it asks for.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Why it is refused.
    pub refusal: Option<Refusal>,
    /// Its term and what amendments make of it; absent where refused.
    pub running: Option<Running>,
    /// The grant that renews what this one renews, should that one be accepted.
    pub rival: Option<usize>,
}

/// A grant that has a term.
#[derive(Clone, Debug)]
pub struct Running {
    /// Before amendments.
    pub term: Term,
    /// After them.
    pub amended: Amended,
    /// The record of its acceptance, should it be accepted.
    pub acceptance: Arc<Acceptance>,
    /// When its phase changes.
    pub span: Span,
}

impl Settled {
    fn refused(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), running: None, rival: None }
    }

    /// The end once all pending amendments count.
    fn final_end(&self) -> Option<Bound> {
        self.running.as_ref().map(|running| running.span.end)
    }
}

/// What a renewal takes over.
struct Inherited {
    follows: Option<Bound>,
    length: Option<CalendarDuration>,
    chain: Chain,
}

/// Settles every grant of a group.
pub fn settle(group: &Group, now: Instant) -> Vec<Settled> {
    let mut settling = ChainSettling { group, now, done: Vec::new() };
    if group.lineage.order().is_empty() {
        return (0..group.cases.len()).map(|index| settling.tentative(index)).collect();
    }
    settling.done.resize(group.cases.len(), None);
    for index in group.lineage.order() {
        settling.visit(*index);
    }
    let unreached =
        || Settled::refused(Refusal::new(Reason::RenewalInvalid, "the chain of renewals cannot be followed"));
    settling.done.into_iter().map(|settled| settled.unwrap_or_else(unreached)).collect()
}

struct ChainSettling<'a> {
    group: &'a Group<'a>,
    now: Instant,
    done: Vec<Option<Settled>>,
}

impl ChainSettling<'_> {
    fn visit(&mut self, index: usize) {
        if self.settled(index).is_none() {
            let settled = self.tentative(index);
            self.keep(index, settled);
        }
        let children = self.group.lineage.children_of(index);
        for child in children.iter().copied() {
            if self.settled(child).is_none() {
                let settled = self.tentative(child);
                self.keep(child, settled);
            }
        }
        self.compete(children);
    }

    fn settled(&self, index: usize) -> Option<&Settled> {
        self.done.get(index).and_then(Option::as_ref)
    }

    fn keep(&mut self, index: usize, settled: Settled) {
        if let Some(slot) = self.done.get_mut(index) {
            *slot = Some(settled);
        }
    }

    /// A grant as if nobody else renewed the same one.
    fn tentative(&self, index: usize) -> Settled {
        let Some(case) = self.group.cases.get(index) else {
            return Settled::refused(Refusal::new(Reason::RenewalInvalid, "no such grant"));
        };
        if let Some(barred) = &case.barred {
            return Settled::refused(barred.clone());
        }
        if let Some(record) = &case.record {
            return self.recorded(index, &self.descended(index, record));
        }
        let inherited = self.inherited(index);
        let is_excused = case.takes_over == TakesOver::Plan && matches!(inherited, Ok(Some(_)));
        let unready = case.unready.as_ref().filter(|unready| !(is_excused && unready.reason.is_of_plan()));
        if let Some(unready) = unready {
            return Settled::refused(unready.clone());
        }
        inherited.and_then(|inherited| self.fresh(index, inherited)).unwrap_or_else(Settled::refused)
    }

    /// An accepted grant goes by its record; only the end that it follows is kept current until it is reached, and the amount
    /// where it is for everyone (unless the grant is over: see `phase`).
    fn recorded(&self, index: usize, record: &Arc<Acceptance>) -> Settled {
        let follows = record.follows.map(|follows| self.current_follows(index, follows));
        let allotment = self.group.cases.get(index).and_then(|case| case.allotment);
        let amount = allotment.map_or(record.amount, |allotment| allotment.of(record.amount));
        let acceptance = if (follows, amount) == (record.follows, record.amount) {
            record.clone()
        } else {
            Arc::new(Acceptance { amount, follows, ..record.as_ref().clone() })
        };
        self.run(index, acceptance, Some(record.chain.day)).unwrap_or_else(Settled::refused)
    }

    /// The record without what it cannot have taken from the grant that it renews.
    fn descended(&self, index: usize, record: &Arc<Acceptance>) -> Arc<Acceptance> {
        let parent = self.group.lineage.parent_of(index).filter(|_| !self.group.lineage.is_cyclic(index));
        let known = parent.and_then(|parent| Some((self.group.cases.get(parent)?, self.settled(parent)?)));
        let renewed = known.zip(self.group.cases.get(index)).and_then(|((parent, settled), child)| {
            let running = settled.running.as_ref().filter(|_| settled.refusal.is_none())?;
            Renewed::of(child.source, parent, running)
        });
        renewed.map_or_else(|| Arc::clone(record), |renewed| renewed.believed(record))
    }

    fn current_follows(&self, index: usize, recorded: Bound) -> Bound {
        if recorded.has_come(self.now) {
            return recorded;
        }
        // On a cycle no end comes before the other.
        let parent = self.group.lineage.parent_of(index).filter(|_| !self.group.lineage.is_cyclic(index));
        parent
            .filter(|parent| self.group.is_active(*parent))
            .and_then(|parent| self.settled(parent))
            .filter(|parent| parent.refusal.is_none())
            .and_then(Settled::final_end)
            .unwrap_or(recorded)
    }

    /// A grant that was not accepted before goes by the present objects.
    fn fresh(&self, index: usize, inherited: Option<Inherited>) -> Result<Settled, Refusal> {
        let no_zone = || Refusal::new(Reason::OrganizationNotReady, "the organization's time zone is unknown");
        let case = self.group.cases.get(index).ok_or_else(no_zone)?;
        let zone = case.zone.ok_or_else(no_zone)?;
        let source = case.source;
        let (follows, length) =
            inherited.as_ref().map_or((None, None), |inherited| (inherited.follows, inherited.length));
        let own_chain =
            Chain { since: source.made(), uid: source.age.uid.clone(), name: source.age.name.clone(), day: 1 };
        let day = inherited.as_ref().map(|inherited| inherited.chain.day);
        let acceptance = Acceptance {
            zone,
            term: case.catalogue_term,
            grace: case.catalogue_grace,
            amount: case.allotment.and_then(|allotment| allotment.of(None)),
            since: (source.start.is_none() && follows.is_none()).then(|| case.since()),
            length: length.filter(|_| case.takes_over != TakesOver::Nothing),
            follows,
            chain: inherited.map_or(own_chain, |inherited| inherited.chain),
            spec: source.written.clone(),
        };
        let settled = self.run(index, Arc::new(acceptance.clone()), day)?;
        refuse_empty(&settled, source)?;
        match &case.permission {
            None => Ok(settled),
            Some(permission) => self.permitted(index, permission, acceptance, settled),
        }
    }

    /// What others have to approve, which has a term as it was asked for: with that from its approval on, or refused.
    fn permitted(
        &self,
        index: usize,
        permission: &Permission,
        asked_for: Acceptance,
        settled: Settled,
    ) -> Result<Settled, Refusal> {
        refuse_long(&settled, permission.longest)?;
        match &permission.approved {
            Ok(at) => {
                self.run(index, Arc::new(Acceptance { since: None, follows: Some(Bound::At(*at)), ..asked_for }), None)
            }
            Err(refusal) => Ok(Settled { refusal: Some(refusal.clone()), ..settled }),
        }
    }

    fn run(&self, index: usize, mut acceptance: Arc<Acceptance>, day: Option<u32>) -> Result<Settled, Refusal> {
        let case = self.group.cases.get(index).ok_or_else(|| Refusal::new(Reason::InvalidTerm, "no such grant"))?;
        let sources = TermSources {
            zone: acceptance.zone,
            since: acceptance.since.unwrap_or_else(|| case.since()),
            follows: acceptance.follows,
            length: acceptance.length,
            term: acceptance.term,
            grace: acceptance.grace,
            day,
        };
        let term = term(case.source, &sources).map_err(|error| Refusal::new(Reason::InvalidTerm, error.to_string()))?;
        if acceptance.chain.day != term.day {
            Arc::make_mut(&mut acceptance).chain.day = term.day;
        }
        let amended = amend(&term, &case.amendments, self.now);
        let span = Span::of(&term, &amended);
        Ok(Settled { refusal: None, running: Some(Running { term, amended, acceptance, span }), rival: None })
    }

    /// What a renewal takes from the grant that it renews; nothing for a grant that renews none.
    fn inherited(&self, index: usize) -> Result<Option<Inherited>, Refusal> {
        let Some(source) = self.group.cases.get(index).map(|case| case.source) else { return Ok(None) };
        let Some(name) = source.renews.as_deref() else { return Ok(None) };
        let refuse = |problem: String| Err(Refusal::new(Reason::RenewalInvalid, problem));
        if self.group.lineage.is_cyclic(index) {
            return refuse(format!(
                "renews {name} is part of a cycle of renewals: let the first grant of the chain renew none"
            ));
        }
        let parent = self.group.lineage.parent_of(index);
        let known = parent.and_then(|parent| Some((self.group.cases.get(parent)?, self.settled(parent)?)));
        let Some((parent_case, parent)) = known else {
            return refuse(format!(
                "there is no {} {name} of organization {} and {} in namespace {} that this could renew",
                source.age.kind.field(),
                source.organization,
                self.group.subject,
                source.age.namespace
            ));
        };
        if parent_case.source.state == State::Draft {
            return refuse(format!("{name} is a Draft, which has nothing to renew: activate it first"));
        }
        let Some(running) = parent.running.as_ref().filter(|_| parent.refusal.is_none()) else {
            return refuse(format!("{name} is refused itself: its condition Accepted says what to mend first"));
        };
        let is_active = parent_case.source.state == State::Active;
        if is_active && running.span.end == Bound::Never {
            return refuse(format!(
                "{name} has no end, so nothing can follow it: give it an end by an amendment first"
            ));
        }
        Ok(Some(Inherited {
            follows: is_active.then_some(running.span.end),
            length: running.term.end.at().map(|end| length(running.term.start, end, running.term.day)),
            chain: running.acceptance.chain.clone(),
        }))
    }

    /// If several renew one grant, the accepted one keeps it; otherwise the oldest in state Active gets it.
    fn compete(&mut self, siblings: &[usize]) {
        let contends = |index: &usize| {
            self.group.is_active(*index) && self.settled(*index).is_some_and(|settled| settled.refusal.is_none())
        };
        if siblings.len() < 2 {
            return;
        }
        let mut contenders = siblings.iter().copied().filter(contends);
        let oldest = contenders.clone().next();
        let Some(winner) = contenders.find(|contender| self.group.record(*contender).is_some()).or(oldest) else {
            return;
        };
        for loser in siblings.iter().copied().filter(|sibling| *sibling != winner) {
            if self.group.record(loser).is_none() && self.may_lose(loser) {
                self.lose(loser, winner);
            }
        }
    }

    /// `RenewalInvalid` goes before `InvalidTerm`.
    fn may_lose(&self, index: usize) -> bool {
        let refusal = self.settled(index).and_then(|settled| settled.refusal.as_ref());
        refusal.is_none_or(|refusal| refusal.reason > Reason::RenewalInvalid)
    }

    /// An older one that does not contend itself, a Draft or one without a valid term, loses only once the winner is accepted.
    fn lose(&mut self, loser: usize, winner: usize) {
        let is_cancelled = self.group.cases.get(loser).is_some_and(|case| case.source.state == State::Cancelled);
        if is_cancelled || self.group.record(winner).is_some() || self.is_older(winner, loser) {
            self.keep(loser, Settled::refused(renewed_already(self.group, loser, winner)));
            return;
        }
        if let Some(Some(settled)) = self.done.get_mut(loser) {
            settled.rival = Some(winner);
        }
    }

    fn is_older(&self, one: usize, other: usize) -> bool {
        let age = |index: usize| self.group.cases.get(index).map(|case| &case.source.age);
        age(one) < age(other)
    }
}

fn renewed_already(group: &Group, loser: usize, winner: usize) -> Refusal {
    let source = |index: usize| group.cases.get(index).map(|case| case.source);
    let renewed = source(loser).and_then(|source| source.renews.as_deref()).unwrap_or_default();
    let winner = source(winner).map_or("", |source| &source.age.name);
    let message = format!("{renewed} is renewed already by {winner}: renew that one instead, or cancel it first");
    Refusal::new(Reason::RenewalInvalid, message)
}

/// Refuses those that renew what a younger one renews that turned out to be accepted.
pub fn refuse_outrun(group: &Group, settled: &mut [Settled]) {
    for loser in 0..settled.len() {
        let Some(winner) = settled.get(loser).and_then(|loser| loser.rival) else { continue };
        if settled.get(winner).is_some_and(|winner| winner.refusal.is_some()) {
            continue;
        }
        if let Some(slot) = settled.get_mut(loser) {
            *slot = Settled::refused(renewed_already(group, loser, winner));
        }
    }
}

/// A moment as it was written, where it was: a day stays that day, which it is in no other zone.
fn written(stated: &Stated<Moment, InvalidMoment>) -> Option<String> {
    stated.as_ref()?.as_ref().ok().map(ToString::to_string)
}

fn refuse_long(settled: &Settled, longest: CalendarDuration) -> Result<(), Refusal> {
    let Some(Running { term, .. }) = &settled.running else { return Ok(()) };
    let latest = add(term.start, longest, term.day);
    if term.end.instant() <= latest.instant() {
        return Ok(());
    }
    let latest = latest.at().map(format_until).unwrap_or_default();
    let message = format!(
        "it lasts longer than {longest}, which its definition allows (spec.overrides.maxTerm): let it end by {latest}, or ask for another later"
    );
    Err(Refusal::new(Reason::InvalidTerm, message))
}

fn refuse_empty(settled: &Settled, source: &StatedSource) -> Result<(), Refusal> {
    let Some(Running { term, .. }) = &settled.running else { return Ok(()) };
    let start = term.start.instant();
    if !term.end.instant().has_come(start) {
        return Ok(());
    }
    let message = format!(
        "the end {} is not after the start {}: give a later end or an earlier start",
        written(&source.end).unwrap_or_else(|| term.end.instant().to_string()),
        written(&source.start).unwrap_or_else(|| format_instant(start))
    );
    Err(Refusal::new(Reason::InvalidTerm, message))
}
