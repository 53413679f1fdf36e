//! Whether a use is counted, and what is answered.

use super::{
    UseChange, UsePut, UseQuestion, UseRefusal, UseVerdict,
    moment::{asked_at, check_lateness, is_unlimited, period},
};
use crate::{
    api::usage::UsageMode,
    core::{
        calendar::Instant,
        definition::Definition,
        usage::{
            allowance::{UsageAllowance, UsageRequest},
            ledger::Ledger,
            memory::Memory,
            register::{AHEAD, Register},
        },
    },
    evaluation::{
        Snapshot,
        check::{AnswerParts, CheckAnswer, CheckQuestion, CheckReason, CheckVerdict},
        decision::{Decision, decide_metered},
        usage::{AskedMoment, Heard, MeterDecision, MeterFacts},
    },
};
use chrono::SubsecRound as _;
use rust_decimal::Decimal;
use std::sync::{Arc, Weak};

/// What was decided of a use.
#[derive(Clone, Debug)]
pub struct UseJudgement {
    /// What becomes of it.
    pub verdict: UseVerdict,
    /// It is kept and does not count, as nothing was held then: it does should a grant come to cover it.
    pub is_unentitled: bool,
    decision: Decision,
    said: CheckVerdict,
    channel: Option<Arc<str>>,
}

/// What is told of a use, once its meter comes to what it does by then.
#[derive(Clone, Debug)]
pub struct SettledUse {
    parts: AnswerParts,
    said: CheckVerdict,
    entitlement: Arc<str>,
    channel: Option<Arc<str>>,
}

impl SettledUse {
    /// What is answered, of a use of that definition.
    #[must_use]
    pub fn answer(&self, definition: &Definition) -> CheckAnswer {
        let Self { parts, said, entitlement, channel } = self;
        parts.answer(&asked(entitlement, definition, channel.as_deref()), *said)
    }
}

/// A use as a check.
fn asked<'a>(entitlement: &'a str, definition: &'a Definition, channel: Option<&'a str>) -> CheckQuestion<'a> {
    CheckQuestion { entitlement, definition: Some(definition), request: UsageRequest { amount: Decimal::ONE, channel } }
}

/// Judges uses of one entitlement, one after the other.
#[derive(Debug)]
pub struct UseJudge<'a> {
    /// What is known of the organization; what it says of the meter is not looked at.
    snapshot: &'a Arc<Snapshot>,
    /// What was decided last.
    decided: Option<KeptDecision>,
}

/// What was decided of a meter, without what is known of it: within a second, only what is used is reckoned anew, unless something
/// begins or ends meanwhile.
#[derive(Clone, Debug)]
pub struct KeptDecision {
    snapshot: Arc<Snapshot>,
    decision: Decision,
    memory: Arc<Memory>,
    heard: Option<Heard>,
    /// By what it was reckoned.
    by: Weak<MeterFacts>,
}

impl KeptDecision {
    fn is_of(&self, snapshot: &Arc<Snapshot>, facts: &MeterFacts, question: &UseQuestion) -> bool {
        let Self { decision, memory, heard, .. } = self;
        let Some(meter) = decision.meters.get(question.entitlement) else { return false };
        // What is still to be written down is remembered to the microsecond.
        let is_of_now = decision.at == question.now
            || (decision.at.trunc_subsecs(0) == question.now.trunc_subsecs(0)
                && decision.lasts_until(question.now)
                && meter.memory == **memory);
        is_of_now
            && *heard == facts.heard
            && (Arc::ptr_eq(memory, &facts.memory) || *memory == facts.memory)
            && (Arc::ptr_eq(&self.snapshot, snapshot) || self.snapshot.says_the_same(snapshot))
    }
}

impl<'a> UseJudge<'a> {
    /// By what is known of an organization, and what was decided before, of whatever moment.
    #[must_use]
    pub fn after(snapshot: &'a Arc<Snapshot>, decided: Option<KeptDecision>) -> Self {
        Self { snapshot, decided }
    }

    /// What was decided last, for whoever judges next.
    #[must_use]
    pub fn into_kept(self) -> Option<KeptDecision> {
        self.decided
    }

    /// Decides a use by what is known of its meter.
    ///
    /// # Errors
    /// Where nothing can be decided.
    pub fn judge(&mut self, facts: &Arc<MeterFacts>, question: &UseQuestion) -> Result<UseJudgement, UseRefusal> {
        judge(self, facts, question)
    }

    /// What is told of it, with what is known of the meter once it is done.
    #[must_use]
    pub fn settle(&mut self, judgement: UseJudgement, question: &UseQuestion, facts: &Arc<MeterFacts>) -> SettledUse {
        let UseJudgement { decision, said, channel, .. } = judgement;
        let decision = released(recounted(decision, question.entitlement, facts), question.entitlement);
        let asked = asked(question.entitlement, question.definition, channel.as_deref());
        let parts = AnswerParts::of(&decision, &asked);
        if decision.at == question.now {
            self.keep(decision, facts);
        }
        SettledUse { parts, said, entitlement: Arc::clone(question.entitlement), channel }
    }

    fn decide(&mut self, facts: &Arc<MeterFacts>, question: &UseQuestion) -> Decision {
        let known = self.decided.take().filter(|known| known.is_of(self.snapshot, facts, question));
        let Some(KeptDecision { mut decision, by, .. }) = known else {
            let present = AskedMoment::present(question.now);
            return decide_metered(self.snapshot, question.entitlement, Arc::clone(facts), present);
        };
        if decision.at == question.now && Weak::as_ptr(&by) == Arc::as_ptr(facts) {
            return knowing(decision, question.entitlement, facts);
        }
        decision.at = question.now;
        recounted(decision, question.entitlement, facts)
    }

    /// Of a decision that was reckoned by what is known of the meter.
    fn keep(&mut self, decision: Decision, facts: &Arc<MeterFacts>) {
        self.decided = Some(KeptDecision {
            snapshot: Arc::clone(self.snapshot),
            decision,
            memory: Arc::clone(&facts.memory),
            heard: facts.heard,
            by: Arc::downgrade(facts),
        });
    }
}

/// The same decision where that is known of the meter.
fn recounted(decision: Decision, entitlement: &str, facts: &Arc<MeterFacts>) -> Decision {
    let at = decision.at;
    changed(decision, entitlement, |meter| meter.recount(Some(Arc::clone(facts)), at))
}

/// With that by which it was reckoned.
fn knowing(decision: Decision, entitlement: &str, facts: &Arc<MeterFacts>) -> Decision {
    changed(decision, entitlement, |meter| meter.facts = Some(Arc::clone(facts)))
}

/// Lets go of what is known of the meter, so that nothing has to be copied as that changes.
fn released(decision: Decision, entitlement: &str) -> Decision {
    changed(decision, entitlement, |meter| meter.facts = None)
}

fn changed(mut decision: Decision, entitlement: &str, change: impl FnOnce(&mut MeterDecision)) -> Decision {
    if let Some(meter) = decision.meters.get_mut(entitlement) {
        change(Arc::make_mut(meter));
    }
    decision
}

fn judge(judge: &mut UseJudge, facts: &Arc<MeterFacts>, question: &UseQuestion) -> Result<UseJudgement, UseRefusal> {
    let rules = question.definition.usage.as_deref().ok_or(UseRefusal::NotMetered)?;
    if rules.prometheus.is_some() {
        return Err(UseRefusal::FromPrometheus);
    }
    let wanted = WantedUse::of(question)?;
    let decided = judge.decide(facts, question);
    let Some(meter) = decided.meters.get(question.entitlement) else { return Err(UseRefusal::NotMetered) };
    let is_known = wanted.verdict.is_some();
    if !is_known {
        if !facts.memory.foresaw(&meter.memory, question.now) {
            return Err(UseRefusal::Unnoted);
        }
        check_lateness(meter, wanted.at, question.now)?;
        question.counted().map_or(Ok(()), |known| check_lateness(meter, known.at, question.now))?;
    }
    let is_unentitled = rules.mode == UsageMode::Consumed && !meter.entitled.has(wanted.at);
    let asked_at = asked_at(meter, wanted.at, question.now);
    let mut ask = UseAsk::of(&wanted, question.counted(), meter);
    let decision = if asked_at == question.now && ask.basis.is_none() {
        decided
    } else {
        judge.keep(released(decided, question.entitlement), facts);
        let snapshot = judge.snapshot;
        let basis = ask.basis.as_ref().map_or_else(|| Arc::clone(facts), |taken| without(facts, taken));
        let decide = |facts| {
            let asked = AskedMoment { at: asked_at, now: question.now };
            decide_metered(snapshot, question.entitlement, facts, asked)
        };
        let over = |facts: Arc<MeterFacts>| over(&decide(facts));
        if ask.is_moved_less {
            let (before, after) = (over(Arc::clone(facts)), over(with(&basis, &wanted.register)));
            ask.is_less = before.zip(after).is_some_and(|(before, after)| after <= before);
        }
        decide(basis)
    };
    let said = said(&decision, question.entitlement, &ask, is_unentitled);
    let verdict = wanted.verdict.unwrap_or_else(|| {
        // Uses by a channel that is not covered never count, so none is told that it does.
        let is_counted = said.allowed || (wanted.always && rules.covers(wanted.register.channel.as_deref()));
        if is_counted { UseVerdict::Count(wanted.register) } else { UseVerdict::Denied }
    });
    let channel = ask.channel;
    Ok(UseJudgement { verdict, is_unentitled, decision: released(decision, question.entitlement), said, channel })
}

impl UseQuestion<'_> {
    /// What the key counts so far.
    fn counted(&self) -> Option<&Register> {
        self.known.filter(|known| !known.deleted)
    }
}

/// What the key is to come to.
struct WantedUse {
    at: Instant,
    always: bool,
    register: Register,
    /// What becomes of it, where nothing has to be asked.
    verdict: Option<UseVerdict>,
}

impl WantedUse {
    fn of(question: &UseQuestion) -> Result<Self, UseRefusal> {
        match question.change {
            UseChange::Put(put) => Self::put(question, put),
            UseChange::TakeBack => Self::take_back(question),
        }
    }

    fn put(question: &UseQuestion, put: &UsePut) -> Result<Self, UseRefusal> {
        let UseQuestion { known, now, .. } = *question;
        // What was taken back begins anew.
        let first = question.counted().map(|known| known.at);
        let at = put.at.or(first).or(put.as_of).unwrap_or(now).trunc_subsecs(0);
        // What is said as of a moment that lies far ahead could be corrected by nobody until then.
        let latest = put.as_of.map_or(at, |as_of| as_of.max(at));
        if latest.signed_duration_since(now) > AHEAD {
            return Err(UseRefusal::Ahead(latest));
        }
        let as_of = put.as_of.unwrap_or_else(|| known.map_or(now, |known| known.as_of.max(now)));
        let (channel, amount) = (put.channel.clone(), put.amount.normalize());
        let register = Register { at, channel, amount, as_of, deleted: false };
        let verdict = match known {
            Some(known) if !register.replaces(known) => Some(UseVerdict::Older),
            Some(known) if says_the_same(known, &register) => Some(UseVerdict::Same),
            _ => None,
        };
        Ok(Self { at, always: put.always, register, verdict })
    }

    fn take_back(question: &UseQuestion) -> Result<Self, UseRefusal> {
        let known = question.known.ok_or(UseRefusal::Unknown)?;
        let register = Register { deleted: true, as_of: known.as_of.max(question.now), ..known.clone() };
        let verdict = known.deleted.then_some(UseVerdict::Same);
        Ok(Self { at: known.at, always: false, register, verdict })
    }
}

fn says_the_same(known: &Register, said: &Register) -> bool {
    let parts = |register: &Register| (register.at, register.channel.clone(), register.amount, register.deleted);
    parts(known) == parts(said)
}

/// What is asked for.
struct UseAsk {
    /// How much more; negative where it is less.
    amount: Decimal,
    channel: Option<Arc<str>>,
    /// It is no more than it was.
    is_less: bool,
    /// What is taken back first, as it was by another channel, or at another moment: what it counted there may be none of what it
    /// comes to here.
    basis: Option<Register>,
    /// It is no more than it was, and by another channel or at another moment of the same period: then it is less if no more than
    /// before is beyond what was held.
    is_moved_less: bool,
    /// There was no limit at its moment.
    is_unlimited: bool,
}

impl UseAsk {
    fn of(wanted: &WantedUse, counted: Option<&Register>, meter: &MeterDecision) -> Self {
        let register = &wanted.register;
        let channel = register.channel.clone();
        let whole = register.counted();
        let is_unlimited = meter.rules.mode == UsageMode::Consumed && is_unlimited(meter, register.at);
        let ask = Self { amount: whole, channel, is_less: false, basis: None, is_moved_less: false, is_unlimited };
        let Some(counted) = counted else { return Self { is_less: register.deleted, ..ask } };
        let is_same_moment = meter.rules.mode == UsageMode::Held || counted.at == register.at;
        let (more, is_same_channel) = (whole - counted.amount, counted.channel == register.channel);
        if is_same_channel && is_same_moment {
            return Self { amount: more, is_less: more <= Decimal::ZERO, ..ask };
        }
        let is_same_period = is_same_moment || period(meter, counted.at) == period(meter, register.at);
        let is_moved_less = is_same_period && more <= Decimal::ZERO;
        Self { basis: Some(counted.clone()), is_moved_less, ..ask }
    }

    /// It was by another channel, which may have had room where this one has none.
    fn is_channel_new(&self) -> bool {
        self.basis.as_ref().is_some_and(|before| before.channel != self.channel)
    }
}

/// The same without a use.
fn without(facts: &MeterFacts, taken: &Register) -> Arc<MeterFacts> {
    with(facts, &Register { amount: -taken.amount, ..taken.clone() })
}

/// The same with a use.
fn with(facts: &MeterFacts, added: &Register) -> Arc<MeterFacts> {
    let mut ledger = Ledger::clone(&facts.ledger);
    // What was added can be taken away; and what is too much to be counted is refused where it is kept.
    let _ = ledger.add(added.at, added.channel.as_ref(), added.amount);
    Arc::new(MeterFacts { ledger: Arc::new(ledger), ..facts.clone() })
}

/// How much is used beyond what is held; none where nothing is in force.
fn over(decision: &Decision) -> Option<Decimal> {
    let mut balances = decision.meters.values().filter_map(|meter| meter.balance.as_ref());
    balances.next().map(|balance| balance.overage + balance.excess)
}

fn said(decision: &Decision, entitlement: &str, ask: &UseAsk, is_unentitled: bool) -> CheckVerdict {
    let request = UsageRequest { amount: ask.amount, channel: ask.channel.as_deref() };
    let said = CheckVerdict::of(decision, entitlement, request);
    if ask.is_less && ask.is_channel_new() {
        let metered = decision.meters.get(entitlement).and_then(|meter| Some((meter, meter.balance.as_ref()?)));
        let by_channel = metered.map(|(meter, balance)| UsageAllowance::by_channel(&meter.rules, balance, request));
        if let Some(refused) = by_channel.filter(|said| !said.is_allowed()) {
            return CheckVerdict { reason: refused.into(), allowed: false };
        }
    }
    if ask.is_less {
        // Less is always allowed.
        let reason = if said.allowed { said.reason } else { CheckReason::Allowed };
        return CheckVerdict { reason, allowed: true };
    }
    if ask.is_unlimited && said.reason == CheckReason::Exhausted {
        return CheckVerdict { reason: CheckReason::Allowed, allowed: true };
    }
    if is_unentitled && said.allowed {
        // What was suspended or cancelled then is remembered; the objects may tell it no more.
        return CheckVerdict { reason: CheckReason::NotHeld, allowed: false };
    }
    said
}
