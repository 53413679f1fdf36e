//! A slow, plain model of the contract: each question is answered anew, for one instant, in the contract's own order.

use super::World;
use crate::{
    api::{
        AmountField, EntitlementInstance, Phase,
        accepted_record::{AcceptedRecord, ChainRecord},
        lifecycle::{AmendmentState, State},
    },
    core::{
        amount::Amount,
        calendar::{Bound, Instant, Moment, Nominal, add, format_instant, length, parse_instant, parse_zone},
        refusal::Reason,
    },
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

pub type Records = BTreeMap<String, AcceptedRecord>;

/// One instant, with the records that there are.
pub struct Oracle<'a> {
    world: &'a World,
    things: BTreeMap<&'a str, &'a EntitlementInstance>,
    records: &'a Records,
    now: Instant,
    /// Until which moment the ends that renewals follow count as reached.
    reached: Instant,
    known: RefCell<BTreeMap<String, Option<Agreed>>>,
}

/// What the model says of one grant.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub phase: Phase,
    pub reason: Option<Reason>,
    pub start: Option<Instant>,
    pub end: Option<Bound>,
    pub amendments: Vec<(String, AmendmentState)>,
    /// Of one that has a term.
    pub amount: Option<Amount>,
    pub record: Option<AcceptedRecord>,
    pub renewed_by: Option<String>,
}

#[derive(Clone)]
struct Agreed {
    start: Nominal,
    end: Bound<Nominal>,
    record: AcceptedRecord,
}

pub type Name<'a> = &'a str;

impl<'a> Oracle<'a> {
    pub fn new(world: &'a World, records: &'a Records, now: Instant) -> Self {
        let things = world.instances.iter().map(|thing| (thing.metadata.name.as_deref().unwrap(), thing)).collect();
        Self { world, things, records, now, reached: now, known: RefCell::default() }
    }

    /// The same world at another instant, with the records as they stand.
    pub fn elsewhen(&self, now: Instant) -> Self {
        Self { reached: Instant::MAX_UTC, ..Self::new(self.world, self.records, now) }
    }

    fn names(&self) -> impl Iterator<Item = Name<'a>> + '_ {
        self.things.keys().copied()
    }

    fn state(&self, name: Name) -> State {
        self.things[name].spec.state
    }

    fn is_active(&self, name: Name) -> bool {
        self.state(name) == State::Active
    }

    fn made(&self, name: Name) -> Instant {
        let created = self.things[name].metadata.creation_timestamp.as_ref().unwrap();
        Instant::from_timestamp(created.0.as_second(), 0).unwrap()
    }

    fn age(&self, name: Name) -> (Instant, String, String, String) {
        let metadata = &self.things[name].metadata;
        (self.made(name), metadata.uid.clone().unwrap(), metadata.namespace.clone().unwrap(), name.to_owned())
    }

    /// "the record goes when the state is Draft or when the spec's start, end or renews are no longer those recorded"
    fn record(&self, name: Name) -> Option<&'a AcceptedRecord> {
        let spec = &self.things[name].spec;
        let record = self.records.get(name)?;
        let belongs = record.start == spec.start && record.end == spec.end && record.renews == spec.renews;
        (spec.state != State::Draft && belongs).then_some(record)
    }

    /// The grant that one renews: "in the same namespace".
    pub fn renewed(&self, name: Name) -> Option<Name<'a>> {
        let thing = self.things[name];
        let (found, renewed) = self.things.get_key_value(thing.spec.renews.as_deref()?)?;
        (renewed.metadata.namespace == thing.metadata.namespace).then_some(*found)
    }

    fn renewals(&self, name: Name) -> Vec<Name<'a>> {
        self.names().filter(|other| self.renewed(other) == Some(name)).collect()
    }

    fn is_on_circle(&self, name: Name) -> bool {
        let mut next = self.renewed(name);
        for _ in 0..self.things.len() {
            if next == Some(name) {
                return true;
            }
            next = next.and_then(|next| self.renewed(next));
        }
        false
    }

    fn barred(&self, name: Name) -> Option<Reason> {
        let (namespace, reason) = self.world.barred?;
        (self.things[name].metadata.namespace.as_deref() == Some(namespace)).then_some(reason)
    }

    /// Why it is refused, `Duplicate` and other renewals of what it renews aside.
    fn own_reason(&self, name: Name) -> Option<Reason> {
        if let Some(barred) = self.barred(name) {
            return Some(barred);
        }
        if self.record(name).is_some() {
            return None;
        }
        if let Some(unready) = self.world.unready {
            return Some(unready);
        }
        if self.renewal_is_invalid(name) {
            return Some(Reason::RenewalInvalid);
        }
        match self.agreed(name) {
            Some(agreed) if agreed.end.instant() > Bound::At(agreed.start.instant()) => None,
            _ => Some(Reason::InvalidTerm),
        }
    }

    fn renewal_is_invalid(&self, name: Name) -> bool {
        if self.things[name].spec.renews.is_none() {
            return false;
        }
        let Some(renewed) = self.renewed(name) else { return true };
        self.is_on_circle(name)
            || self.state(renewed) == State::Draft
            || self.reason(renewed).is_some()
            || self.is_active(renewed) && self.final_end(renewed) == Bound::Never
    }

    /// Why it is refused, `Duplicate` aside, as far as that hangs on no `Duplicate` of others.
    fn reason(&self, name: Name) -> Option<Reason> {
        let own = self.own_reason(name);
        if self.record(name).is_some() || own.is_some_and(|own| own <= Reason::RenewalInvalid) {
            return own;
        }
        let rivals = self.rivals(name);
        let goes_before = |rival: &Name| self.record(rival).is_some() || self.age(rival) < self.age(name);
        let is_lost = rivals.iter().any(|rival| goes_before(rival) || self.state(name) == State::Cancelled);
        if is_lost { Some(Reason::RenewalInvalid) } else { own }
    }

    /// Others in state Active, not refused for another reason, that renew what this one renews.
    fn rivals(&self, name: Name) -> Vec<Name<'a>> {
        let Some(renewed) = self.renewed(name) else { return Vec::new() };
        let others = self.renewals(renewed).into_iter().filter(|other| *other != name);
        others.filter(|other| self.is_active(other) && self.own_reason(other).is_none()).collect()
    }

    /// The term before amendments, and what is or would be recorded.
    fn agreed(&self, name: Name) -> Option<Agreed> {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let agreed = self.work_out(name);
        self.known.borrow_mut().insert(name.to_owned(), agreed.clone());
        agreed
    }

    fn work_out(&self, name: Name) -> Option<Agreed> {
        let spec = &self.things[name].spec;
        let mut record = match self.record(name) {
            Some(record) => AcceptedRecord {
                follows: self.current_follows(name, record),
                amount: self.current_amount(record),
                ..record.clone()
            },
            None if self.is_on_circle(name) => return None,
            None => self.what_it_takes(name),
        };
        let zone = parse_zone(record.time_zone.as_deref()?).ok()?;
        let read = |text: &Option<String>| text.as_deref().map(str::parse::<Moment>).transpose().ok();
        let (start, end) = (read(&spec.start)?, read(&spec.end)?);
        let mut starts: Vec<Nominal> = Vec::new();
        if let Some(follows) = record.follows.as_deref() {
            starts.push(Nominal::of_instant(parse_instant(follows).unwrap(), zone));
        }
        if let Some(start) = start {
            starts.push(Nominal::of_start(start, zone));
        }
        if starts.is_empty() {
            starts.push(Nominal::of_instant(
                record.since.as_deref().map_or(self.made(name), |since| parse_instant(since).unwrap()),
                zone,
            ));
        }
        let start = starts.into_iter().max_by_key(|start| start.instant()).unwrap();
        let chain = record.chain.as_mut().unwrap();
        if chain.day == 0 {
            chain.day = start.day();
        }
        let day = chain.day;
        let lasting = record.length.as_deref().or(record.term.as_deref());
        let end = match (end, lasting) {
            (Some(end), _) => Nominal::of_end(end, zone),
            (None, Some(lasting)) => add(start, lasting.parse().unwrap(), day),
            (None, None) => Bound::Never,
        };
        Some(Agreed { start, end, record })
    }

    /// "kept current until that moment is reached", and "a cancellation of the renewed instance afterwards does not pull it
    /// forward"
    fn current_follows(&self, name: Name, record: &AcceptedRecord) -> Option<String> {
        let recorded = record.follows.clone()?;
        let is_reached = recorded.parse::<Bound>().unwrap() <= Bound::At(self.reached);
        let renewed = self.renewed(name).filter(|_| !self.is_on_circle(name) && !is_reached);
        let renewed = renewed.filter(|renewed| self.is_active(renewed) && self.reason(renewed).is_none());
        Some(renewed.map_or(recorded, |renewed| self.final_end(renewed).to_string()))
    }

    /// "the definition's, used where the spec states none and `rollout` is `Agreed`; with `Everyone` kept current"
    fn current_amount(&self, record: &AcceptedRecord) -> Option<AmountField> {
        let preset = self.world.serving.as_ref()?;
        let agreed = record.amount.clone().filter(|_| !preset.everyone);
        Some(agreed.unwrap_or(AmountField::Text(preset.amount.clone())))
    }

    /// A grant that is over was over with what it had then: "what was agreed stays agreed".
    fn as_it_ended(&self, name: Name, mut agreed: Agreed) -> Agreed {
        let recorded = self.record(name).and_then(|record| record.amount.clone());
        if recorded.is_some() && self.world.serving.is_some() {
            agreed.record.amount = recorded;
        }
        agreed
    }

    /// "with `Everyone` kept current", also while it is refused.
    fn for_everyone(&self, record: AcceptedRecord) -> AcceptedRecord {
        let preset = self.world.serving.as_ref().filter(|preset| preset.everyone);
        let amount = preset.map(|preset| AmountField::Text(preset.amount.clone()));
        AcceptedRecord { amount: amount.or(record.amount), ..record }
    }

    /// What it comes to now: "`amount` and `end` replace".
    fn present_amount(&self, name: Name, agreed: &Agreed) -> Option<Amount> {
        let spec = &self.things[name].spec;
        let amended =
            self.amended(name, agreed).into_iter().filter(|(_, state, _)| *state == AmendmentState::Effective);
        let mut given = amended.filter_map(|(amended, _, _)| {
            spec.amendments.iter().find(|amendment| amendment.name == amended).and_then(|one| one.amount.clone())
        });
        let amount = given.next_back().or(spec.amount.clone()).or(agreed.record.amount.clone())?;
        Some(Amount::read(&amount).unwrap())
    }

    /// What a grant without a record takes from elsewhere.
    fn what_it_takes(&self, name: Name) -> AcceptedRecord {
        let spec = &self.things[name].spec;
        let renewed = self.renewed(name).and_then(|renewed| Some((renewed, self.agreed(renewed)?)));
        let follows = renewed
            .as_ref()
            .filter(|(renewed, _)| self.is_active(renewed))
            .map(|(renewed, _)| self.final_end(renewed).to_string());
        let length = renewed.as_ref().and_then(|(_, renewed)| {
            let day = renewed.record.chain.as_ref().unwrap().day;
            Some(length(renewed.start, renewed.end.at()?, day).to_string())
        });
        let own_chain = ChainRecord {
            name: name.to_owned(),
            uid: self.things[name].metadata.uid.clone().unwrap(),
            since: format_instant(self.made(name)),
            day: 0,
        };
        AcceptedRecord {
            time_zone: Some(self.world.zone.clone()),
            term: self.world.term.clone(),
            grace_period: self.world.grace.clone(),
            amount: self.world.serving.as_ref().map(|preset| AmountField::Text(preset.amount.clone())),
            since: (spec.start.is_none() && follows.is_none()).then(|| format_instant(self.made(name))),
            length,
            follows,
            chain: renewed.and_then(|(_, renewed)| renewed.record.chain).or(Some(own_chain)),
            start: spec.start.clone(),
            end: spec.end.clone(),
            renews: spec.renews.clone(),
        }
    }

    /// The amendments in their order, each with what becomes of it, and the end behind it.
    fn amended(&self, name: Name, agreed: &Agreed) -> Vec<(String, AmendmentState, Bound<Nominal>)> {
        let zone = parse_zone(agreed.record.time_zone.as_deref().unwrap()).unwrap();
        let mut all: Vec<_> = self.things[name].spec.amendments.iter().collect();
        let effective =
            |text: &str| text.parse::<Moment>().ok().map(|moment| Nominal::of_start(moment, zone).instant());
        all.sort_by_key(|amendment| (effective(&amendment.effective), amendment.name.clone()));
        let mut end = agreed.end;
        let mut outcomes = Vec::new();
        for amendment in all {
            let name = amendment.name.clone();
            if amendment.revoked {
                outcomes.push((name, AmendmentState::Revoked, end));
                continue;
            }
            let new_end =
                amendment.end.as_deref().map(|text| text.parse::<Moment>().map(|moment| Nominal::of_end(moment, zone)));
            let (Some(effective), Ok(new_end)) = (effective(&amendment.effective), new_end.transpose()) else {
                outcomes.push((name, AmendmentState::Ignored, end));
                continue;
            };
            let is_after = |end: Bound<Nominal>| {
                end.instant() > Bound::At(agreed.start.instant()) && end.instant() > Bound::At(effective)
            };
            let counts =
                Bound::At(effective) < end.instant() && new_end.is_none_or(is_after) && amendment.facets.is_none();
            if !counts {
                outcomes.push((name, AmendmentState::Ignored, end));
                continue;
            }
            end = new_end.unwrap_or(end);
            let state = if effective <= self.now { AmendmentState::Effective } else { AmendmentState::Pending };
            outcomes.push((name, state, end));
        }
        outcomes
    }

    /// "pending amendments counted"
    pub fn final_end(&self, name: Name) -> Bound {
        let Some(agreed) = self.agreed(name) else { return Bound::Never };
        self.amended(name, &agreed).last().map_or(agreed.end, |(_, _, end)| *end).instant()
    }

    fn present_end(&self, name: Name, agreed: &Agreed) -> Bound<Nominal> {
        let amended = self.amended(name, agreed);
        let mut effective = amended.iter().filter(|(_, state, _)| *state == AmendmentState::Effective);
        effective.next_back().map_or(agreed.end, |(_, _, end)| *end)
    }

    /// "now >= end + gracePeriod; or now >= end, and an accepted renewal of it in state Active has come to its start"
    fn is_expired(&self, name: Name, accepted: &BTreeSet<Name>) -> bool {
        let Some(agreed) = self.agreed(name) else { return false };
        let Bound::At(end) = self.present_end(name, &agreed) else { return false };
        if self.now < end.instant() {
            return false;
        }
        let grace = agreed.record.grace_period.as_deref().filter(|_| end.instant() > agreed.start.instant());
        let day = agreed.record.chain.as_ref().unwrap().day;
        let over = grace.map_or(Bound::At(end), |grace| add(end, grace.parse().unwrap(), day));
        let has_started = |renewal: &Name| {
            self.agreed(renewal).is_some_and(|agreed| Bound::from(agreed.start.instant()) <= Bound::At(self.now))
        };
        over.instant() <= Bound::At(self.now)
            || self.renewals(name).iter().any(|renewal| accepted.contains(renewal) && has_started(renewal))
    }

    fn chain(&self, name: Name) -> (Instant, String, String, String) {
        let chain = self.agreed(name).unwrap().record.chain.unwrap();
        (
            parse_instant(&chain.since).unwrap(),
            chain.uid,
            self.things[name].metadata.namespace.clone().unwrap(),
            chain.name,
        )
    }

    /// Those in state Active that no reason refuses.
    fn accepted(&self) -> BTreeSet<Name<'a>> {
        let pool: BTreeSet<Name> =
            self.names().filter(|name| self.is_active(name) && self.reason(name).is_none()).collect();
        if !self.world.unique {
            return pool;
        }
        let before: BTreeSet<Name> = pool.iter().copied().filter(|name| self.record(name).is_some()).collect();
        let keeps = before.iter().filter(|name| !self.is_expired(name, &before)).map(|name| self.chain(name));
        let mut seated: BTreeSet<_> = keeps.collect();
        if seated.is_empty() {
            seated.extend(pool.iter().filter(|name| !self.is_expired(name, &pool)).map(|name| self.chain(name)).min());
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

    pub fn judge(&self) -> BTreeMap<String, Judgement> {
        let accepted = self.accepted();
        self.names().map(|name| (name.to_owned(), self.judgement(name, &accepted))).collect()
    }

    fn final_reason(&self, name: Name, accepted: &BTreeSet<Name>) -> Option<Reason> {
        let reason = self.reason(name);
        if self.is_active(name) && reason.is_none() && !accepted.contains(name) {
            return Some(Reason::Duplicate);
        }
        let is_lost = self.rivals(name).iter().any(|rival| accepted.contains(rival));
        let may_lose = self.record(name).is_none() && reason.is_none_or(|reason| reason > Reason::RenewalInvalid);
        if is_lost && may_lose { Some(Reason::RenewalInvalid) } else { reason }
    }

    fn judgement(&self, name: Name, accepted: &BTreeSet<Name>) -> Judgement {
        let reason = self.final_reason(name, accepted);
        let agreed = self.agreed(name).filter(|_| reason.is_none_or(|reason| reason == Reason::Duplicate));
        let end = agreed.as_ref().map(|agreed| self.present_end(name, agreed).instant());
        let renewals = self.renewals(name).into_iter().filter(|renewal| accepted.contains(renewal));
        let kept = self.record(name).cloned();
        let mut amendments: Vec<(String, AmendmentState)> =
            agreed.iter().flat_map(|agreed| self.amended(name, agreed)).map(|(name, state, _)| (name, state)).collect();
        amendments.sort_by(|one, other| one.0.cmp(&other.0));
        let phase = self.phase(name, reason, agreed.as_ref(), accepted);
        let is_over = matches!(phase, Phase::Expired | Phase::Cancelled);
        let agreed = agreed.map(|agreed| if is_over { self.as_it_ended(name, agreed) } else { agreed });
        let taken = || agreed.as_ref().map(|agreed| agreed.record.clone());
        Judgement {
            phase,
            reason,
            start: agreed.as_ref().map(|agreed| agreed.start.instant()),
            end,
            amendments,
            amount: agreed.as_ref().and_then(|agreed| self.present_amount(name, agreed)),
            record: match (self.state(name), reason) {
                (State::Draft, _) => None,
                (State::Active, None) => taken(),
                (State::Cancelled, None) => kept.and_then(|_| taken()),
                (State::Cancelled, Some(_)) => kept,
                (State::Active, Some(_)) => kept.map(|record| self.for_everyone(record)),
            },
            renewed_by: renewals.min_by_key(|renewal| self.age(renewal)).map(str::to_owned),
        }
    }

    fn phase(&self, name: Name, reason: Option<Reason>, agreed: Option<&Agreed>, accepted: &BTreeSet<Name>) -> Phase {
        match (self.state(name), reason, agreed) {
            (State::Draft, _, _) => Phase::Draft,
            (State::Cancelled, _, _) => Phase::Cancelled,
            (State::Active, None, Some(agreed)) => {
                let is_suspended = self.things[name].spec.suspended || self.world.suspended;
                if self.is_expired(name, accepted) {
                    Phase::Expired
                } else if Bound::from(agreed.start.instant()) > Bound::At(self.now) {
                    Phase::Waiting
                } else if is_suspended {
                    Phase::Suspended
                } else if Bound::At(self.now) < self.present_end(name, agreed).instant() {
                    Phase::Active
                } else {
                    Phase::Grace
                }
            }
            (State::Active, _, _) => Phase::Rejected,
        }
    }

    /// Every moment at which anything could change.
    pub fn moments(&self) -> BTreeSet<Instant> {
        let mut moments = BTreeSet::new();
        for name in self.names() {
            let Some(agreed) = self.agreed(name) else { continue };
            moments.insert(agreed.start.instant());
            let day = agreed.record.chain.as_ref().unwrap().day;
            let zone = agreed.start.zone();
            let ends = self.amended(name, &agreed).into_iter().map(|(_, _, end)| end).chain([agreed.end]);
            for end in ends.filter_map(Bound::at) {
                moments.insert(end.instant());
                let grace =
                    agreed.record.grace_period.as_deref().and_then(|grace| add(end, grace.parse().unwrap(), day).at());
                moments.extend(grace.map(Nominal::instant));
            }
            let effective = self.things[name]
                .spec
                .amendments
                .iter()
                .filter_map(|amendment| amendment.effective.parse::<Moment>().ok());
            moments.extend(effective.map(|moment| Nominal::of_start(moment, zone).instant()));
        }
        moments
    }
}
