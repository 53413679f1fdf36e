//! The balance and the state of each metered definition that an organization holds.

use super::{Heard, MeterFacts, gave, present};
use crate::{
    api::{Organization, entitlement_definition::Aggregation, usage::OnUnknown},
    core::{
        amount::Amount,
        calendar::{Bound, Instant, Nominal, add, parse_instant},
        usage::{
            allowance::{UsageAllowance, UsageRequest},
            anchor::Periods,
            balance::Balance,
            entitled::EntitledTime,
            ledger::Ledger,
            memory::Memory,
            meter::Meter,
            rules::UsageRules,
            state::UsageState,
        },
    },
    evaluation::{
        Snapshot,
        holding::{Holding, Member},
        memo::EntryUsage,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// What is decided of each metered definition that is or was held, by its name.
pub type Meters = BTreeMap<Arc<str>, Arc<MeterDecision>>;

/// What is known of the use of metered definitions, by their names.
pub type KnownMeters = BTreeMap<Arc<str>, Arc<MeterFacts>>;

/// Of which moment something is asked, and when. Of one that is over, what is remembered counts, and only where nothing is do the
/// present objects.
#[derive(Clone, Copy, Debug)]
pub struct AskedMoment {
    /// The moment that is asked for.
    pub at: Instant,
    /// The present one.
    pub now: Instant,
}

impl AskedMoment {
    /// What is asked of this very moment.
    #[must_use]
    pub fn present(now: Instant) -> Self {
        Self { at: now, now }
    }

    /// When it is looked at what there is: what will be held is not remembered yet.
    fn looked(self) -> Instant {
        self.at.max(self.now)
    }

    fn is_over(self) -> bool {
        self.at < self.now
    }
}

/// What was held at a moment that is over, as far as is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldThen {
    /// How much.
    pub amount: Amount,
    /// From when to when it was in force without a break; none where it was not.
    pub run: Option<(Instant, Bound)>,
}

/// How the use of one definition stands.
#[derive(Clone, Debug)]
pub struct MeterDecision {
    /// What the definition says.
    pub rules: Arc<UsageRules>,
    /// What was known.
    pub facts: Option<Arc<MeterFacts>>,
    /// What is to be remembered from now on.
    pub memory: Memory,
    /// When anything of it was in force.
    pub entitled: EntitledTime,
    /// How much of the total each channel is, as the grants in force say.
    pub caps: BTreeMap<Arc<str>, Amount>,
    /// How much is used and left; none where nothing is in force, or nothing is known.
    pub balance: Option<Balance>,
    /// The state; none where nothing is in force.
    pub state: Option<UsageState>,
    /// What was held at a moment that is over; absent of the present one, which the objects tell.
    pub held_then: Option<HeldThen>,
    /// What was said of it last, where nothing has been heard since the operator's start.
    pub last_said: Option<SaidMeter>,
    /// Nothing has been heard for longer than the definition lets count.
    pub is_stale: bool,
    /// Whoever was asked for it did not answer.
    pub is_silent: bool,
    /// The next moment at which any of it changes by time alone.
    pub next: Option<Instant>,
}

/// How a meter stood when that was said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaidMeter {
    /// The state.
    pub state: UsageState,
    /// When the allotment is new.
    pub resets_at: Option<Instant>,
}

impl SaidMeter {
    /// As the organization's status says, if that still counts: a new allotment has a state of its own.
    fn of(organization: Option<&Organization>, definition: &str, now: Instant) -> Option<Self> {
        let all = &organization?.status.as_ref()?.usage;
        let said = all.iter().find(|said| said.definition == definition)?;
        let resets_at = said.resets_at.as_deref().and_then(|at| parse_instant(at).ok());
        resets_at.is_none_or(|at| at > now).then_some(Self { state: said.state, resets_at })
    }
}

impl MeterDecision {
    /// Decides all metered definitions of a snapshot, by what is known of them.
    #[must_use]
    pub fn all(snapshot: &Snapshot, known: &KnownMeters, holdings: &[Arc<Holding>], asked: AskedMoment) -> Meters {
        let metered = holdings.iter().filter_map(|holding| {
            let rules = holding.definition()?.usage.as_ref()?;
            let facts = known.get(&holding.name);
            let is_silent = facts.is_some_and(|facts| matches!(facts.heard, Some(Heard::NotSince(_))));
            let organization = snapshot.organization.as_deref().filter(|_| is_silent);
            let said = SaidMeter::of(organization, &holding.name, asked.at);
            Some((Arc::clone(&holding.name), Arc::new(Self::of(holding, rules, facts, said, asked)?)))
        });
        metered.collect()
    }

    fn of(
        holding: &Holding,
        rules: &Arc<UsageRules>,
        facts: Option<&Arc<MeterFacts>>,
        last_said: Option<SaidMeter>,
        asked: AskedMoment,
    ) -> Option<Self> {
        let nothing = Memory::default();
        let known = facts.map_or(&nothing, |facts| &facts.memory);
        let heard = facts.and_then(|facts| facts.heard);
        let (at, looked) = (asked.at, asked.looked());
        let definition = holding.definition()?;
        let present = present(holding, definition, rules, known, looked);
        let mut decision = Self {
            rules: Arc::clone(rules),
            facts: None,
            caps: BTreeMap::new(),
            held_then: None,
            last_said,
            is_stale: is_stale(rules, heard, asked.now),
            is_silent: matches!(heard, Some(Heard::Until(_))),
            balance: None,
            state: None,
            next: None,
            entitled: EntitledTime::of(known, &present, looked),
            memory: known.after_for(rules, &present, looked, at),
        };
        let was_held = |member: &Member| gave(member, definition, rules, &decision.memory, at);
        let is_largest = definition.aggregation == Aggregation::Max;
        // Of what was the largest, it is not remembered which grant that was.
        decision.caps = if asked.is_over() && !is_largest {
            holding.channel_caps_of(was_held, at)
        } else {
            holding.channel_caps(at)
        };
        let is_in_force = if asked.is_over() { decision.entitled.has(at) } else { !holding.in_force.is_empty() };
        decision.state = is_in_force.then_some(UsageState::Unknown);
        decision.held_then = asked.is_over().then(|| decision.held_at(at));
        decision.recount(facts.cloned(), at);
        Some(decision)
    }

    /// Decides once more what follows from what is used: at its moment, or at a later one before which nothing begins or ends.
    pub fn recount(&mut self, facts: Option<Arc<MeterFacts>>, now: Instant) {
        self.facts = facts;
        self.balance = self.meter(now).as_ref().and_then(Balance::of);
        self.state = self.state.map(|_| self.state_now(now));
        self.next = self.next_change(now);
    }

    fn held_at(&self, at: Instant) -> HeldThen {
        let amounts = self.memory.held.iter().filter_map(|part| part.amount(at));
        HeldThen {
            amount: amounts.fold(Amount::ZERO, |one, other| one.together(other, Aggregation::Sum)),
            run: self.entitled.run(at),
        }
    }

    /// Whether something was suspended at a moment, as far as is remembered.
    #[must_use]
    pub fn was_suspended(&self, at: Instant) -> bool {
        self.memory.held.iter().any(|part| part.span(at).is_some_and(|span| span.amount.is_none()))
    }

    /// What its balance is reckoned from; none where nothing is known.
    #[must_use]
    pub fn meter(&self, now: Instant) -> Option<Meter<'_>> {
        let facts = self.facts.as_deref()?;
        if matches!(facts.heard, None | Some(Heard::NotSince(_))) {
            return None;
        }
        Some(Meter { rules: &self.rules, memory: &self.memory, ledger: &facts.ledger, caps: &self.caps, now })
    }

    /// What would be answered to a request if nothing were used yet, which bounds it where nothing is known of what is; none where
    /// nothing is in force.
    #[must_use]
    pub fn allowance_of_unused(&self, request: UsageRequest, now: Instant) -> Option<UsageAllowance> {
        let ledger = &Ledger::default();
        let meter = Meter { rules: &self.rules, memory: &self.memory, ledger, caps: &self.caps, now };
        Some(UsageAllowance::of(&meter, &Balance::of(&meter)?, request))
    }

    fn state_now(&self, now: Instant) -> UsageState {
        let known = self.meter(now).zip(self.balance.as_ref());
        let said = || self.last_said.map_or(UsageState::Unknown, |said| said.state);
        known.map_or_else(said, |(meter, balance)| UsageState::of(&meter, balance))
    }

    /// Since when uses count now: the start of the open period, or of what is held first. None where nothing is held.
    #[must_use]
    pub fn counts_since(&self, now: Instant) -> Option<Instant> {
        match self.rules.period {
            Some(_) => Periods::of(&self.memory.anchors).at(now).map(|period| period.from),
            None => self.memory.held.iter().map(|part| part.start).min(),
        }
    }

    /// Whether more may be used, of what is held.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        !self.is_denied_unknown() && !matches!(self.state, Some(UsageState::Exceeded | UsageState::Exhausted))
    }

    /// Whether nothing may be used because nothing is known of what is.
    #[must_use]
    pub fn is_denied_unknown(&self) -> bool {
        let is_known = self.state.is_some_and(|state| state != UsageState::Unknown) && !self.is_stale;
        !is_known && self.rules.on_unknown == OnUnknown::Deny
    }

    /// Whether what is told of it is not of now: nothing has been heard for long, or is heard now, or nothing but what was said last is
    /// known.
    #[must_use]
    pub fn is_of_before(&self) -> bool {
        self.is_stale || self.is_silent || (self.balance.is_none() && self.last_said.is_some())
    }

    /// What the summary tells of it.
    #[must_use]
    pub fn told(&self) -> EntryUsage {
        EntryUsage { state: self.state, is_allowed: self.is_allowed(), resets_at: self.resets_at() }
    }

    /// When the allotment is new.
    #[must_use]
    pub fn resets_at(&self) -> Option<Instant> {
        match &self.balance {
            Some(balance) => balance.resets_at(),
            None => self.last_said?.resets_at,
        }
    }

    /// When the allotment is new, where any of it is used: otherwise that changes nothing.
    #[must_use]
    pub fn next_reset(&self) -> Option<Instant> {
        let balance = self.balance.as_ref()?;
        let used = [balance.used, balance.excess, balance.overage];
        balance.resets_at().filter(|_| used.iter().any(|used| !used.is_zero()))
    }

    /// The same, where anything will be used by then: what lies ahead of a moment counts as it comes.
    #[must_use]
    pub fn next_reset_foreseen(&self, now: Instant) -> Option<Instant> {
        self.next_reset().or_else(|| {
            let used = self.facts.as_deref()?.ledger.first_after(now)?;
            Periods::of(&self.memory.anchors).at(used)?.until.at()
        })
    }

    /// Blocks begin and end when what gives them does, which the lifecycle tells; periods, and what counts as heard, do so here.
    fn next_change(&self, now: Instant) -> Option<Instant> {
        let heard = self.facts.as_ref().and_then(|facts| facts.heard).filter(|_| !self.is_stale);
        let stale = heard.and_then(|heard| stale_from(&self.rules, heard));
        [self.resets_at(), stale].into_iter().flatten().filter(|at| *at > now).min()
    }
}

fn is_stale(rules: &UsageRules, heard: Option<Heard>, now: Instant) -> bool {
    heard.and_then(|heard| stale_from(rules, heard)).is_some_and(|from| from <= now)
}

/// From when on what was heard no longer counts as known.
fn stale_from(rules: &UsageRules, heard: Heard) -> Option<Instant> {
    let (Heard::At(at) | Heard::Until(at) | Heard::NotSince(at)) = heard else { return None };
    match add(Nominal::of_instant(at, crate::core::calendar::Tz::UTC), rules.stale_after, 1).instant() {
        Bound::At(from) => Some(from),
        Bound::Never => None,
    }
}
