//! Which chain has the seat of a definition that an organization can hold only once, and which chain gets it next.

use super::{Group, GroupSubject, span::Span};
use crate::core::{
    acceptance::Chain,
    calendar::{Bound, Instant},
    refusal::{Reason, Refusal},
    source::SourceKind,
};
use std::{collections::BTreeMap, sync::Arc};

/// Before every moment.
const EVER: Bound = Bound::At(Instant::MIN_UTC);

/// A grant in state Active that nothing but `Duplicate` can refuse.
#[derive(Clone, Copy, Debug)]
pub struct Contestant<'a> {
    /// When it starts, ends and is over.
    pub span: Span,
    /// The chain that it belongs to.
    pub chain: &'a Chain,
    /// Whether it was accepted before.
    pub is_recorded: bool,
}

/// The grants of a group as contestants, by index; none for those that have no part in it.
#[derive(Debug)]
pub struct Contest<'a> {
    group: &'a Group<'a>,
    contestants: Vec<Option<Contestant<'a>>>,
}

/// What tells chains apart, in the order of age.
type ChainKey<'a> = (Instant, SourceKind, &'a Arc<str>, &'a Arc<str>, &'a Arc<str>);

impl<'a> Contest<'a> {
    /// The contest of a group.
    #[must_use]
    pub fn new(group: &'a Group<'a>, contestants: Vec<Option<Contestant<'a>>>) -> Self {
        Self { group, contestants }
    }

    /// A member of the group, if it has a part in the contest.
    #[must_use]
    pub fn contestant(&self, index: usize) -> Option<&Contestant<'a>> {
        self.contestants.get(index).and_then(Option::as_ref)
    }

    /// When a member is Expired, if of its renewals those that `counts` has count.
    #[must_use]
    pub fn expires(&self, index: usize, counts: impl Fn(&Contestant<'a>) -> bool) -> Bound {
        let Some(Contestant { span, .. }) = self.contestant(index) else { return Bound::Never };
        let renewals = self.group.lineage.children_of(index).iter().filter_map(|child| self.contestant(*child));
        renewals
            .filter(|renewal| counts(renewal))
            .map(|renewal| span.passes_to(renewal.span))
            .fold(span.over, Bound::min)
    }

    fn key(&self, index: usize) -> Option<ChainKey<'a>> {
        let Chain { since, uid, name, .. } = self.contestant(index)?.chain;
        let age = &self.group.cases.get(index)?.source.age;
        Some((*since, age.kind, uid, &age.namespace, name))
    }

    /// When each member is Expired as long as its chain does not have the seat: then a renewal that was not accepted before
    /// is refused while it is alive, and counts only once it is Expired itself.
    fn expires_unseated(&self) -> Vec<Bound> {
        let over = |contestant: &Option<Contestant>| contestant.map_or(Bound::Never, |contestant| contestant.span.over);
        let mut expires: Vec<Bound> = self.contestants.iter().map(over).collect();
        for child in self.group.lineage.order().iter().rev().copied() {
            let Some(parent) = self.group.lineage.parent_of(child) else { continue };
            let Some((renewed, renewal)) = self.contestant(parent).zip(self.contestant(child)) else { continue };
            let counts = if renewal.is_recorded { EVER } else { expires.get(child).copied().unwrap_or(Bound::Never) };
            if let Some(slot) = expires.get_mut(parent) {
                *slot = renewed.span.passes_to(renewal.span).max(counts).min(*slot);
            }
        }
        expires
    }
}

/// A chain and its times on the seat.
#[derive(Debug)]
struct Contender {
    members: Vec<usize>,
    /// Until then it has an accepted living member, and keeps the seat.
    kept_until: Bound,
    /// Until then it has a living member.
    alive_until: Bound,
    /// From then on, until it is over, it has the seat that others left.
    takes_over: Bound,
}

impl Default for Contender {
    fn default() -> Self {
        Self { members: Vec::new(), kept_until: EVER, alive_until: EVER, takes_over: Bound::Never }
    }
}

impl Contender {
    fn has_seat(&self, now: Instant) -> bool {
        !self.kept_until.has_come(now) || self.takes_over.has_come(now) && !self.alive_until.has_come(now)
    }
}

/// All chains of a group and their times on the seat, with the records as they are.
///
/// A chain with an accepted living member keeps the seat (should there be several such, all stay); a free seat goes to the
/// oldest living chain. A chain that has died does not come alive again by time alone, so the seat passes through the chains
/// in the order of their age, each keeping it until it is over.
#[derive(Debug)]
pub struct Seat<'a> {
    contest: &'a Contest<'a>,
    chains: BTreeMap<ChainKey<'a>, Contender>,
    expires_unseated: Vec<Bound>,
}

impl<'a> Seat<'a> {
    /// The seat that a contest is for.
    #[must_use]
    pub fn of(contest: &'a Contest<'a>) -> Self {
        let mut chains: BTreeMap<ChainKey, Contender> = BTreeMap::new();
        for index in 0..contest.contestants.len() {
            let Some((key, contestant)) = contest.key(index).zip(contest.contestant(index)) else { continue };
            let chain = chains.entry(key).or_default();
            chain.members.push(index);
            chain.alive_until = chain.alive_until.max(contest.expires(index, |_| true));
            if contestant.is_recorded {
                // A renewal that was not accepted yet has not ended what its chain keeps.
                chain.kept_until = chain.kept_until.max(contest.expires(index, |renewal| renewal.is_recorded));
            }
        }
        pass_on(&mut chains);
        let expires_unseated = if chains.len() < 2 { Vec::new() } else { contest.expires_unseated() };
        Self { contest, chains, expires_unseated }
    }

    /// Why members that are alive are refused, by index.
    #[must_use]
    pub fn refusals(&self, now: Instant) -> Vec<(usize, Refusal)> {
        if self.chains.len() < 2 {
            return Vec::new();
        }
        let losing: Vec<&Contender> = self.chains.values().filter(|chain| !chain.has_seat(now)).collect();
        let winner = self.winner(now);
        let losers = losing.into_iter().flat_map(|chain| &chain.members).copied();
        losers
            .filter(|loser| !self.expires_unseated(*loser).has_come(now))
            .map(|loser| (loser, Refusal::new(Reason::Duplicate, self.message(loser, &winner))))
            .collect()
    }

    /// The living member that starts first in the oldest chain on the seat.
    fn winner(&self, now: Instant) -> String {
        let chain = self.chains.values().find(|chain| chain.has_seat(now));
        let members = chain.into_iter().flat_map(|chain| &chain.members).copied();
        let alive = members.filter(|member| !self.contest.expires(*member, |_| true).has_come(now));
        let named = alive.filter_map(|member| {
            let age = &self.contest.group.cases.get(member)?.source.age;
            Some((self.contest.contestant(member)?.span.start, age))
        });
        named.min().map(|(_, age)| age.id().to_string()).unwrap_or_default()
    }

    fn message(&self, loser: usize, winner: &str) -> String {
        let Group { cases, subject, .. } = self.contest.group;
        let held = match subject {
            GroupSubject::Definition(name) => (*name).to_owned(),
            GroupSubject::Line(name) | GroupSubject::Plan(name) => format!("a subscription to {name}"),
        };
        let organization = cases.get(loser).map_or("", |case| &case.source.organization);
        format!(
            "organization {organization} holds {held} already by {winner}: this takes over when that one is over; renew it, amend it, or cancel one of the two"
        )
    }

    /// When a member is Expired as long as its chain does not have the seat.
    #[must_use]
    pub fn expires_unseated(&self, index: usize) -> Bound {
        self.expires_unseated.get(index).copied().unwrap_or(Bound::Never)
    }

    /// Until when a member's chain keeps the seat, and from when on, until it is over, it has that which others left.
    #[must_use]
    pub fn times(&self, index: usize) -> (Bound, Bound) {
        let chain = self.contest.key(index).and_then(|key| self.chains.get(&key));
        chain.map_or((EVER, Bound::Never), |chain| (chain.kept_until, chain.takes_over))
    }
}

/// Gives the seat to one chain after the other, from when on nobody keeps it.
fn pass_on(chains: &mut BTreeMap<ChainKey, Contender>) {
    let mut free = chains.values().map(|chain| chain.kept_until).max().unwrap_or(EVER);
    for chain in chains.values_mut() {
        if free < chain.alive_until {
            chain.takes_over = free;
            free = chain.alive_until;
        }
    }
}
