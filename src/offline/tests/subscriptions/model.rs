//! A slow, plain model of the contract of subscriptions: each question is answered anew, for one instant, in the contract's own
//! order. It is written from the contract alone, and shares nothing with what it is held against but the calendar.
//!
//! | file | what it models |
//! |---|---|
//! | `shelf` | plans: their entries, readiness, revisions, and what serves |
//! | `memory` | what is carried from one moment to the next |
//! | `model` | acceptance, terms, amendments, lines and seats, phases |
//! | `entries` | the record, and which entries count |
//! | `gifts` | what a subscription gives, and what the organization holds |
//! | `course` | one moment after the other |

use super::{
    memory::{PlainChain, PlainMemory, SubscriptionMemory, Taken},
    plain::{ALLOWED, Made, PlainAmendment, PlainState, PlainSubscription, PlainWorld},
    shelf::Shelf,
};
use crate::core::calendar::{Bound, Instant, Moment, Nominal, add, length, parse_zone};
use std::collections::{BTreeMap, BTreeSet};

pub type Name<'a> = &'a str;

/// The reasons, in their order.
const REASONS: [&str; 9] = [
    "OrganizationNotFound",
    "NamespaceNotAllowed",
    "OrganizationNotReady",
    "PlanNotFound",
    "PlanNotReady",
    "PlanRetired",
    RENEWAL_INVALID,
    "InvalidTerm",
    "Duplicate",
];

pub const RENEWAL_INVALID: &str = "RenewalInvalid";

fn rank(reason: &str) -> usize {
    REASONS.iter().position(|known| *known == reason).unwrap()
}

/// A term before amendments, with what is or would be recorded.
#[derive(Clone, Debug)]
pub struct AgreedTerm {
    pub start: Nominal,
    pub end: Bound<Nominal>,
    pub taken: Taken,
}

impl AgreedTerm {
    pub fn zone(&self) -> crate::core::calendar::Tz {
        self.start.zone()
    }
}

/// An amendment with what becomes of it, and the end and the plan behind it.
#[derive(Clone, Debug)]
pub struct Amended<'a> {
    pub name: Name<'a>,
    pub state: &'static str,
    pub effective: Option<Instant>,
    pub end: Bound<Nominal>,
    pub plan: Name<'a>,
}

/// One instant, with what is remembered.
pub struct PlainModel<'a> {
    pub world: &'a PlainWorld,
    pub memory: &'a PlainMemory,
    pub shelf: Shelf,
    pub now: Instant,
}

impl<'a> PlainModel<'a> {
    pub fn new(world: &'a PlainWorld, memory: &'a PlainMemory, now: Instant) -> Self {
        Self { world, memory, shelf: Shelf::stock(world, &memory.shelf), now }
    }

    pub fn names(&self) -> impl Iterator<Item = Name<'a>> + use<'a> {
        self.world.subscriptions.keys().map(String::as_str)
    }

    fn made(&self, name: Name) -> &'a Made<PlainSubscription> {
        &self.world.subscriptions[name]
    }

    pub fn spec(&self, name: Name) -> &'a PlainSubscription {
        &self.made(name).spec
    }

    fn is_active(&self, name: Name) -> bool {
        self.spec(name).state == PlainState::Active
    }

    fn age(&self, name: Name) -> (Instant, String) {
        (self.made(name).at, name.to_owned())
    }

    /// "Another `start`, `end`, `renews` or `plan` drops it; Draft too."
    pub fn record(&self, name: Name) -> Option<&'a SubscriptionMemory> {
        let spec = self.spec(name);
        let memory = self.memory.subscriptions.get(name)?;
        let taken = memory.taken.as_ref()?;
        let belongs = taken.start == spec.start && taken.end == spec.end && taken.renews == spec.renews;
        (spec.state != PlainState::Draft && belongs && memory.plan == spec.plan).then_some(memory)
    }

    /// The revisions that are still recorded: "`plans` stays while plan and agreement do".
    pub fn kept_plans(&self, name: Name) -> BTreeMap<String, usize> {
        let spec = self.spec(name);
        let memory = self.memory.subscriptions.get(name);
        let kept = memory.filter(|memory| memory.plan == spec.plan && memory.agreement == spec.agreement);
        kept.map(|memory| memory.plans.clone()).unwrap_or_default()
    }

    pub fn renewed(&self, name: Name) -> Option<Name<'a>> {
        let (found, renewed) = self.world.subscriptions.get_key_value(self.spec(name).renews.as_deref()?)?;
        (renewed.namespace == self.made(name).namespace).then_some(found)
    }

    fn renewals(&self, name: Name) -> Vec<Name<'a>> {
        self.names().filter(|other| self.renewed(other) == Some(name)).collect()
    }

    fn is_on_circle(&self, name: Name) -> bool {
        let mut next = self.renewed(name);
        for _ in self.names() {
            if next == Some(name) {
                return true;
            }
            next = next.and_then(|next| self.renewed(next));
        }
        false
    }

    /// The line of its chain. A renewal may name "always the plan that the renewed one had last", which may be of another line by
    /// now: then it goes with what it renews.
    pub fn line(&self, name: Name) -> Option<String> {
        let renewed = self.renewed(name).filter(|_| !self.is_on_circle(name));
        let renewed = renewed.filter(|renewed| {
            self.record(name).is_some() || self.is_of_the_line_of(name, renewed) || self.takes_over_the_plan(name)
        });
        renewed.map_or_else(|| self.own_line(name), |renewed| self.line(renewed))
    }

    /// "the `product` of `spec.plan` if it has one, else the plan's name": "that of the plan's last valid state, and recorded for
    /// when the plan is gone".
    fn own_line(&self, name: Name) -> Option<String> {
        let plan = &self.spec(name).plan;
        match self.record(name) {
            _ if self.shelf.plans.contains_key(plan) => self.shelf.line(plan),
            Some(SubscriptionMemory { taken: Some(taken), .. }) => taken.line.clone(),
            _ => Some(plan.clone()),
        }
    }

    /// "the plan that the renewed one had last (pending amendments counted)"
    pub fn last_plan(&self, name: Name) -> Name<'a> {
        let agreed = self.agreed(name);
        let amended = agreed.iter().flat_map(|agreed| self.amended(name, agreed));
        let mut plans = amended.filter(|one| matches!(one.state, "Effective" | "Pending")).map(|one| one.plan);
        plans.next_back().unwrap_or(&self.spec(name).plan)
    }

    fn takes_over_the_plan(&self, name: Name) -> bool {
        let renewed = self.renewed(name).filter(|_| !self.is_on_circle(name));
        renewed.is_some_and(|renewed| self.last_plan(renewed) == self.spec(name).plan)
    }

    /// Why it is refused also once it was accepted.
    fn barred(&self, name: Name) -> Option<&'static str> {
        if self.world.organization.is_none() {
            return Some("OrganizationNotFound");
        }
        (self.made(name).namespace != ALLOWED).then_some("NamespaceNotAllowed")
    }

    /// Why it is refused, `Duplicate` and other renewals of what it renews aside.
    fn own_reason(&self, name: Name) -> Option<&'static str> {
        let barred = self.barred(name);
        if barred.is_some() || self.record(name).is_some() {
            return barred;
        }
        if parse_zone(&self.world.organization.as_ref()?.zone).is_err() {
            return Some("OrganizationNotReady");
        }
        let renewal_is_invalid = self.renewal_is_invalid(name);
        let refused = self.shelf.refusal(&self.spec(name).plan, false);
        let is_its_own = self.spec(name).renews.is_some() && !renewal_is_invalid && self.takes_over_the_plan(name);
        if refused.is_some() && !is_its_own {
            return refused;
        }
        if renewal_is_invalid {
            return Some(RENEWAL_INVALID);
        }
        match self.agreed(name) {
            Some(agreed) if agreed.end.instant() > Bound::At(agreed.start.instant()) => None,
            _ => Some("InvalidTerm"),
        }
    }

    fn renewal_is_invalid(&self, name: Name) -> bool {
        if self.spec(name).renews.is_none() {
            return false;
        }
        let Some(renewed) = self.renewed(name).filter(|_| !self.is_on_circle(name)) else { return true };
        !(self.is_of_the_line_of(name, renewed) || self.takes_over_the_plan(name))
            || self.spec(renewed).state == PlainState::Draft
            || self.reason(renewed).is_some()
            || self.is_active(renewed) && self.final_end(renewed) == Bound::Never
    }

    /// "of the same namespace, organization and line (where there is none: the same plan)"
    fn is_of_the_line_of(&self, name: Name, renewed: Name) -> bool {
        match (self.own_line(name), self.own_line(renewed)) {
            (Some(own), Some(line)) => own == line || Some(own) == self.line(renewed),
            (None, None) => self.spec(name).plan == self.spec(renewed).plan,
            _ => false,
        }
    }

    /// Why it is refused, `Duplicate` aside, as far as that hangs on no `Duplicate` of others.
    fn reason(&self, name: Name) -> Option<&'static str> {
        let own = self.own_reason(name);
        if self.record(name).is_some() || own.is_some_and(|own| rank(own) <= rank(RENEWAL_INVALID)) {
            return own;
        }
        let goes_before = |rival: &Name| self.record(rival).is_some() || self.age(rival) < self.age(name);
        let is_cancelled = self.spec(name).state == PlainState::Cancelled;
        let is_lost = self.rivals(name).iter().any(|rival| goes_before(rival) || is_cancelled);
        if is_lost { Some(RENEWAL_INVALID) } else { own }
    }

    /// Others in state Active, not refused for another reason, that renew what this one renews.
    fn rivals(&self, name: Name) -> Vec<Name<'a>> {
        let Some(renewed) = self.renewed(name) else { return Vec::new() };
        let others = self.renewals(renewed).into_iter().filter(|other| *other != name);
        others.filter(|other| self.is_active(other) && self.own_reason(other).is_none()).collect()
    }

    /// The term before amendments; none where it cannot be read.
    pub fn agreed(&self, name: Name) -> Option<AgreedTerm> {
        let spec = self.spec(name);
        let mut taken = match self.record(name).and_then(|record| record.taken.clone()) {
            Some(taken) => Taken { follows: self.current_follows(name, &taken), ..taken },
            None if self.is_on_circle(name) => return None,
            None => self.what_it_takes(name)?,
        };
        let zone = parse_zone(&taken.zone).ok()?;
        let read = |text: &Option<String>| text.as_deref().map(str::parse::<Moment>).transpose().ok();
        let (start, end) = (read(&spec.start)?, read(&spec.end)?);
        let mut starts: Vec<Nominal> = start.map(|start| Nominal::of_start(start, zone)).into_iter().collect();
        // What follows one that never ends is refused for it.
        let follows = taken.follows.and_then(Bound::at);
        starts.extend(follows.map(|follows| Nominal::of_instant(follows, zone)));
        if starts.is_empty() {
            starts.push(Nominal::of_instant(taken.since.unwrap_or(self.made(name).at), zone));
        }
        let start = starts.into_iter().max_by_key(|start| start.instant())?;
        if taken.chain.day == 0 {
            taken.chain.day = start.day();
        }
        let lasting = taken.length.as_deref().or(taken.term.as_deref());
        let end = match (end, lasting) {
            (Some(end), _) => Nominal::of_end(end, zone),
            (None, Some(lasting)) => add(start, lasting.parse().ok()?, taken.chain.day),
            (None, None) => Bound::Never,
        };
        Some(AgreedTerm { start, end, taken })
    }

    /// "kept current until that moment is reached", and "a cancellation of the renewed instance afterwards does not pull it
    /// forward".
    fn current_follows(&self, name: Name, taken: &Taken) -> Option<Bound> {
        let recorded = taken.follows?;
        let is_reached = recorded <= Bound::At(self.now);
        let renewed = self.renewed(name).filter(|_| !self.is_on_circle(name) && !is_reached);
        let renewed = renewed.filter(|renewed| self.is_active(renewed) && self.reason(renewed).is_none());
        Some(renewed.map_or(recorded, |renewed| self.final_end(renewed)))
    }

    /// What one without a record takes from elsewhere.
    fn what_it_takes(&self, name: Name) -> Option<Taken> {
        let spec = self.spec(name);
        let valid = self.shelf.plans.get(&spec.plan).map(|memory| &memory.valid);
        let renewed = self.renewed(name).and_then(|renewed| Some((renewed, self.agreed(renewed)?)));
        let follows = renewed.as_ref().filter(|(renewed, _)| self.is_active(renewed));
        let follows = follows.map(|(renewed, _)| self.final_end(renewed));
        // "the length of the renewed one's term if it names the plan that that one had last, else its own plan's `term`"
        let length = renewed.as_ref().filter(|_| self.takes_over_the_plan(name)).and_then(|(_, renewed)| {
            Some(length(renewed.start, renewed.end.at()?, renewed.taken.chain.day).to_string())
        });
        let own_chain = PlainChain { since: self.made(name).at, name: name.to_owned(), day: 0 };
        Some(Taken {
            zone: self.world.organization.as_ref()?.zone.clone(),
            term: valid.and_then(|plan| plan.term.clone()),
            grace: valid.and_then(|plan| plan.grace_period.clone()),
            since: (spec.start.is_none() && follows.is_none()).then_some(self.made(name).at),
            length,
            follows,
            chain: renewed.map_or(own_chain, |(_, renewed)| renewed.taken.chain),
            line: self.line(name),
            start: spec.start.clone(),
            end: spec.end.clone(),
            renews: spec.renews.clone(),
        })
    }

    /// The amendments in their order.
    pub fn amended(&self, name: Name, agreed: &AgreedTerm) -> Vec<Amended<'a>> {
        let zone = agreed.zone();
        let spec = self.spec(name);
        let effective = |amendment: &PlainAmendment| {
            amendment.effective.parse::<Moment>().ok().map(|moment| Nominal::of_start(moment, zone).instant())
        };
        let mut all: Vec<_> = spec.amendments.iter().map(|one| (effective(one), &one.name, one)).collect();
        all.sort_by_key(|(effective, name, _)| (*effective, *name));
        let (mut end, mut plan) = (agreed.end, spec.plan.as_str());
        let mut outcomes = Vec::new();
        for (effective, amended, amendment) in all {
            let read = amendment.end.as_deref().map(str::parse::<Moment>).transpose();
            let new_end = read.clone().ok().flatten().map(|moment| Nominal::of_end(moment, zone));
            let is_after = |new: Bound<Nominal>, effective| {
                new.instant() > Bound::At(agreed.start.instant()) && new.instant() > Bound::At(effective)
            };
            let counts = read.is_ok()
                && effective.is_some_and(|effective| {
                    Bound::At(effective) < end.instant() && new_end.is_none_or(|new| is_after(new, effective))
                })
                && amendment.plan.as_deref().is_none_or(|plan| self.may_change_to(name, plan));
            let state = match (amendment.revoked, counts, effective.is_some_and(|effective| effective <= self.now)) {
                (true, _, _) => "Revoked",
                (false, false, _) => "Ignored",
                (false, true, true) => "Effective",
                (false, true, false) => "Pending",
            };
            if matches!(state, "Effective" | "Pending") {
                end = new_end.unwrap_or(end);
                plan = amendment.plan.as_deref().unwrap_or(plan);
            }
            outcomes.push(Amended { name: amended, state, effective, end, plan });
        }
        outcomes
    }

    /// "An amendment's `plan` that does not exist, is not ready, is retired, an `AddOn`, or of another line (or of one while this
    /// has none) is ignored, with the message, unless it was recorded."
    fn may_change_to(&self, name: Name, plan: Name) -> bool {
        if self.has_recorded(name, plan) || plan == self.spec(name).plan {
            return true;
        }
        let line = self.shelf.line(plan);
        self.shelf.refusal(plan, false).is_none()
            && (line.is_none() || line == self.line(name) || line == self.own_line(name))
    }

    /// Whether a plan's revision is recorded: its own, or as a renewal what "the renewed one has recorded under the same
    /// `agreement`".
    fn has_recorded(&self, name: Name, plan: Name) -> bool {
        if let Some(record) = self.record(name) {
            return record.plans.contains_key(plan);
        }
        let renewed = self.renewed(name).filter(|_| !self.is_on_circle(name));
        self.kept_plans(name).contains_key(plan)
            || renewed.is_some_and(|renewed| {
                self.spec(renewed).agreement == self.spec(name).agreement && self.kept_plans(renewed).contains_key(plan)
            })
    }

    /// "pending amendments counted"
    pub fn final_end(&self, name: Name) -> Bound {
        let Some(agreed) = self.agreed(name) else { return Bound::Never };
        self.amended(name, &agreed).last().map_or(agreed.end, |amended| amended.end).instant()
    }

    /// The end and the plan that hold at a moment.
    pub fn holding_at(&self, name: Name, agreed: &AgreedTerm, moment: Instant) -> (Bound<Nominal>, Name<'a>) {
        let amended = self.amended(name, agreed);
        let has_come = |one: &&Amended| {
            matches!(one.state, "Effective" | "Pending") && one.effective.is_some_and(|effective| effective <= moment)
        };
        let last = amended.iter().rev().find(has_come);
        last.map_or((agreed.end, self.spec(name).plan.as_str()), |last| (last.end, last.plan))
    }

    /// Where grace after an end is over.
    pub fn after_grace(agreed: &AgreedTerm, end: Nominal) -> Bound {
        let grace = agreed.taken.grace.as_deref().filter(|_| end.instant() > agreed.start.instant());
        grace.map_or(Bound::At(end), |grace| add(end, grace.parse().unwrap(), agreed.taken.chain.day)).instant()
    }

    /// "now >= end + gracePeriod; or now >= end, and an accepted renewal of it in state Active has come to its start"
    fn is_expired(&self, name: Name, accepted: &BTreeSet<Name>) -> bool {
        let Some(agreed) = self.agreed(name) else { return false };
        let Bound::At(end) = self.holding_at(name, &agreed, self.now).0 else { return false };
        let has_started = |renewal: &Name| {
            accepted.contains(renewal) && self.agreed(renewal).is_some_and(|agreed| agreed.start.instant() <= self.now)
        };
        end.instant() <= self.now
            && (Self::after_grace(&agreed, end) <= Bound::At(self.now) || self.renewals(name).iter().any(has_started))
    }

    fn chain(&self, name: Name) -> PlainChain {
        PlainChain { day: 0, ..self.agreed(name).unwrap().taken.chain }
    }

    /// Those in state Active that no reason refuses.
    pub fn accepted(&self) -> BTreeSet<Name<'a>> {
        let pool: BTreeSet<Name> =
            self.names().filter(|name| self.is_active(name) && self.reason(name).is_none()).collect();
        let lines: BTreeSet<Option<String>> = pool.iter().map(|name| self.line(name)).collect();
        let of_line = |line: &Option<String>| pool.iter().copied().filter(|name| self.line(name) == *line).collect();
        lines.iter().flat_map(|line| if line.is_some() { self.seated(&of_line(line)) } else { of_line(line) }).collect()
    }

    /// "one that has an accepted member in state Active that is not Expired keeps the seat (should there be several such, all
    /// stay); a free seat goes to the oldest"
    fn seated(&self, pool: &BTreeSet<Name<'a>>) -> BTreeSet<Name<'a>> {
        let before: BTreeSet<Name> = pool.iter().copied().filter(|name| self.record(name).is_some()).collect();
        let keeps = before.iter().filter(|name| !self.is_expired(name, &before)).map(|name| self.chain(name));
        let mut seated: BTreeSet<PlainChain> = keeps.collect();
        if seated.is_empty() {
            seated.extend(pool.iter().filter(|name| !self.is_expired(name, pool)).map(|name| self.chain(name)).min());
        }
        let mut refused: BTreeSet<Name> =
            pool.iter().copied().filter(|name| !seated.contains(&self.chain(name))).collect();
        loop {
            let accepted: BTreeSet<Name> = pool.difference(&refused).copied().collect();
            let still: BTreeSet<Name> =
                refused.iter().copied().filter(|name| !self.is_expired(name, &accepted)).collect();
            if still == refused {
                return accepted;
            }
            refused = still;
        }
    }

    pub fn final_reason(&self, name: Name, accepted: &BTreeSet<Name>) -> Option<&'static str> {
        let reason = self.reason(name);
        if self.is_active(name) && reason.is_none() && !accepted.contains(name) {
            return Some("Duplicate");
        }
        let is_lost = self.rivals(name).iter().any(|rival| accepted.contains(rival));
        let may_lose = self.record(name).is_none() && reason.is_none_or(|reason| rank(reason) > rank(RENEWAL_INVALID));
        if is_lost && may_lose { Some(RENEWAL_INVALID) } else { reason }
    }

    pub fn phase(&self, name: Name, accepted: &BTreeSet<Name>) -> &'static str {
        let spec = self.spec(name);
        let agreed = self.agreed(name).filter(|_| self.final_reason(name, accepted).is_none());
        match (spec.state, agreed) {
            (PlainState::Draft, _) => "Draft",
            (PlainState::Cancelled, _) => "Cancelled",
            (PlainState::Active, None) => "Rejected",
            (PlainState::Active, Some(_)) if self.is_expired(name, accepted) => "Expired",
            (PlainState::Active, Some(agreed)) if agreed.start.instant() > self.now => "Waiting",
            (PlainState::Active, Some(_)) if spec.suspended || self.is_organization_suspended() => "Suspended",
            (PlainState::Active, Some(agreed)) => {
                let end = self.holding_at(name, &agreed, self.now).0.instant();
                if Bound::At(self.now) < end { "Active" } else { "Grace" }
            }
        }
    }

    pub fn is_organization_suspended(&self) -> bool {
        self.world.organization.as_ref().is_some_and(|organization| organization.suspended)
    }

    pub fn renewed_by(&self, name: Name, accepted: &BTreeSet<Name>) -> Option<String> {
        let renewals = self.renewals(name).into_iter().filter(|renewal| accepted.contains(renewal));
        renewals.min_by_key(|renewal| self.age(renewal)).map(str::to_owned)
    }
}
