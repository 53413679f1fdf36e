//! The contract's text as a slow, plain program: use by use, moment by moment, with nothing summed up or looked up.

use super::scene::Scene;
use crate::{
    api::usage::{UsageAnchor, UsageLimit, UsageMode},
    core::{
        amount::Amount,
        calendar::{Bound, Instant, Moment, Nominal, add},
        usage::{
            allowance::UsageAllowance,
            anchor::PeriodAnchor,
            memory::Memory,
            part::{HeldPart, HeldSpan},
            register::Register,
            share::UsageShare,
            state::UsageState,
        },
    },
};
use chrono::{Datelike, Days, NaiveDate, TimeDelta};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

type Window = (Instant, Bound);

pub struct Model<'a> {
    pub scene: &'a Scene,
    pub memory: &'a Memory,
    pub now: Instant,
}

/// What the contract says of now.
#[derive(Debug, PartialEq)]
pub struct Standing {
    pub allotted: Amount,
    pub used: Decimal,
    pub remaining: Amount,
    pub excess: Decimal,
    pub overage: Decimal,
    pub unentitled: Decimal,
    pub channels: BTreeMap<String, Decimal>,
}

/// How the uses of one period were taken.
#[derive(Default)]
struct Taken {
    /// By part.
    blocks: BTreeMap<String, Decimal>,
    carried: Decimal,
    over: Vec<(Instant, Decimal)>,
    unentitled: Decimal,
}

fn has((from, until): Window, at: Instant) -> bool {
    from <= at && Bound::At(at) < until
}

/// `a(t)`.
fn amount(part: &HeldPart, at: Instant) -> Option<Amount> {
    part.spans.iter().find(|span| has((span.from, span.until), at))?.amount
}

fn is_held(part: &HeldPart, at: Instant) -> bool {
    part.spans.iter().any(|span| has((span.from, span.until), at))
}

fn limited(amount: Amount) -> Option<Decimal> {
    match amount {
        Amount::Limited(amount) => Some(amount),
        Amount::Unlimited => None,
    }
}

fn together(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    amounts.into_iter().map(limited).sum::<Option<Decimal>>().map_or(Amount::Unlimited, Amount::Limited)
}

fn share(share: UsageShare, of: Amount) -> Decimal {
    match share {
        UsageShare::Units(units) => units,
        UsageShare::Percent(percent) => limited(of).map_or(Decimal::ZERO, |of| of * percent / Decimal::ONE_HUNDRED),
    }
}

/// "Boundary k is anchor + k x period, each computed from the anchor by the arithmetic of Term."
pub fn boundary(anchor: &PeriodAnchor, number: i64) -> Bound {
    let (months, days) = (anchor.period.total_months() * number, anchor.period.total_days() * number);
    add(anchor.start, format!("P{months}M{days}D").parse().unwrap(), anchor.day).instant()
}

pub fn period(anchors: &[PeriodAnchor], at: Instant) -> Option<Window> {
    let begun = anchors.iter().filter(|anchor| anchor.since <= at).count();
    let anchor = anchors.get(begun.checked_sub(1)?)?;
    let next = anchors.get(begun).map_or(Bound::Never, |next| Bound::At(next.since));
    let number = (0..1_000_000).find(|number| boundary(anchor, number + 1) > Bound::At(at)).unwrap();
    let from = boundary(anchor, number).at().unwrap().max(anchor.since);
    Some((from, boundary(anchor, number + 1).min(next)))
}

impl Model<'_> {
    fn parts(&self) -> Vec<&HeldPart> {
        let mut parts: Vec<&HeldPart> = self.memory.held.iter().collect();
        parts.sort_by(|one, other| {
            let priority = other.priority.cmp(&one.priority);
            priority.then(one.end.cmp(&other.end)).then(one.start.cmp(&other.start)).then(one.name.cmp(&other.name))
        });
        parts
    }

    fn is_entitled(&self, at: Instant) -> bool {
        self.memory.held.iter().any(|part| amount(part, at).is_some())
    }

    fn period(&self) -> Window {
        self.scene
            .rules
            .period
            .and_then(|_| period(&self.memory.anchors, self.now))
            .unwrap_or((Instant::MIN_UTC, Bound::Never))
    }

    /// The uses that count, in order.
    fn uses(&self, within: Window) -> Vec<&Register> {
        let rules = &self.scene.rules;
        let is_counted = |use_: &&Register| {
            has(within, use_.at)
                && use_.at <= self.now + TimeDelta::minutes(5)
                && rules.covers(use_.channel.as_deref())
                && !use_.deleted
        };
        let mut uses: Vec<&Register> = self.scene.registers.iter().filter(is_counted).collect();
        uses.sort_by_key(|use_| use_.at);
        uses
    }

    /// "max of a(t) over t in [at, min(now, window's end)]"
    fn most(&self, part: &HeldPart, within: Window, at: Instant) -> Amount {
        let mut moments = vec![at];
        moments.extend(part.spans.iter().map(|span| span.from).filter(|from| at < *from && *from <= self.now));
        let amounts = moments.into_iter().filter(|at| has(within, *at)).filter_map(|at| amount(part, at));
        amounts.max().unwrap_or(Amount::ZERO)
    }

    fn take(&self, part: &HeldPart, within: Window, at: Instant, rest: &mut Decimal, taken: &mut Taken) {
        let of_block = taken.blocks.entry(part.name.to_string()).or_default();
        let portion = match self.most(part, within, at) {
            Amount::Unlimited => *rest,
            Amount::Limited(most) => (*rest).min((most - *of_block).max(Decimal::ZERO)),
        };
        *of_block += portion;
        *rest -= portion;
    }

    /// The first moment of a block's window.
    fn begin(part: &HeldPart, within: Window) -> Option<Instant> {
        let spans = part.spans.iter().filter(|span| span.amount.is_some() && span.until > Bound::At(within.0));
        spans.map(|span| span.from.max(within.0)).find(|from| has(within, *from))
    }

    fn taken(&self, within: Window, carried: Decimal) -> Taken {
        let mut taken = Taken::default();
        let mut begun = vec![within.0];
        let mut uses = self.uses(within).into_iter().peekable();
        begun.extend(self.memory.held.iter().filter_map(|part| Self::begin(part, within)));
        begun.retain(|at| *at <= self.now);
        begun.sort();
        begun.dedup();
        for (index, begin) in begun.iter().enumerate() {
            self.absorb(within, *begin, &mut taken);
            while let Some(one) = uses.next_if(|one| begun.get(index + 1).is_none_or(|next| one.at < *next)) {
                self.take_use(within, one, carried, &mut taken);
            }
        }
        taken
    }

    /// "A block that begins later in the period takes of it first."
    fn absorb(&self, within: Window, begin: Instant, taken: &mut Taken) {
        let over = std::mem::take(&mut taken.over);
        let counting: Vec<bool> = over.iter().map(|(used, _)| self.counts(*used, begin)).collect();
        let mut over = over;
        for part in self.parts().into_iter().filter(|part| Self::begin(part, within) == Some(begin)) {
            for ((_, rest), counts) in over.iter_mut().zip(&counting) {
                if *counts {
                    self.take(part, within, begin, rest, taken);
                }
            }
        }
        taken.over = over;
    }

    fn take_use(&self, within: Window, one: &Register, carried: Decimal, taken: &mut Taken) {
        let in_force: Vec<&HeldPart> = self.parts().into_iter().filter(|part| amount(part, one.at).is_some()).collect();
        if in_force.is_empty() {
            taken.unentitled += one.amount;
            return;
        }
        if in_force.iter().any(|part| amount(part, one.at) == Some(Amount::Unlimited)) {
            return;
        }
        let mut rest = one.amount;
        for part in in_force {
            self.take(part, within, one.at, &mut rest, taken);
        }
        let of_carried = rest.min(carried - taken.carried);
        taken.carried += of_carried;
        taken.over.push((one.at, rest - of_carried));
    }

    /// "Without `period`, overage counts while a block is in force that could have taken it."
    fn counts(&self, used: Instant, at: Instant) -> bool {
        let could = |part: &HeldPart| amount(part, used).is_some() && amount(part, at).is_some();
        self.scene.rules.period.is_some() || self.memory.held.iter().any(could)
    }

    /// "Carried over into a period: of the period just before, unbroken: min(carryOver, what its own blocks had left at its end)"
    fn carried(&self, (from, _): Window, depth: u32) -> Decimal {
        let held = &self.memory.held;
        let second_before = from.checked_sub_signed(TimeDelta::seconds(1));
        let before = second_before.and_then(|before| period(&self.memory.anchors, before));
        let (Some(before), Some(last)) = (before, second_before) else { return Decimal::ZERO };
        let is_unbroken = held.iter().any(|part| is_held(part, last)) && held.iter().any(|part| is_held(part, from));
        if depth == 0 || !is_unbroken {
            return Decimal::ZERO;
        }
        let taken = self.taken(before, self.carried(before, depth - 1));
        let (mut own, mut left) = (Vec::new(), Vec::new());
        for part in held.iter().filter(|part| is_held(part, last)) {
            let in_period =
                |span: &&HeldSpan| span.amount.is_some() && span.from < from && span.until > Bound::At(before.0);
            let Some(amount) = part.spans.iter().rfind(in_period).and_then(|span| span.amount) else { continue };
            let of_block = taken.blocks.get(&*part.name).copied().unwrap_or_default();
            own.push(amount);
            left.push(match amount {
                Amount::Unlimited => Amount::Unlimited,
                Amount::Limited(amount) => Amount::Limited((amount - of_block).max(Decimal::ZERO)),
            });
        }
        let most = share(self.scene.rules.carry_over, together(own));
        limited(together(left)).map_or(most, |left| left.min(most))
    }

    pub fn standing(&self) -> Option<Standing> {
        if !self.is_entitled(self.now) {
            return None;
        }
        let in_force = self.memory.held.iter().filter_map(|part| Some((part, amount(part, self.now)?)));
        let in_force: Vec<(&HeldPart, Amount)> = in_force.collect();
        if self.scene.rules.mode == UsageMode::Held {
            let allotted = together(in_force.iter().map(|(_, amount)| *amount));
            let within = (Instant::MIN_UTC, Bound::Never);
            let used = self.uses(within).iter().map(|use_| use_.amount).sum();
            let left = limited(allotted).map(|allotted| allotted - used);
            return Some(Standing {
                allotted,
                used,
                remaining: left.map_or(Amount::Unlimited, |left| Amount::Limited(left.max(Decimal::ZERO))),
                excess: left.map_or(Decimal::ZERO, |left| (-left).max(Decimal::ZERO)),
                overage: Decimal::ZERO,
                unentitled: Decimal::ZERO,
                channels: self.channels(&self.uses(within)),
            });
        }
        let within = self.period();
        let carried = if self.scene.rules.period.is_some() { self.carried(within, 2) } else { Decimal::ZERO };
        let taken = self.taken(within, carried);
        let of = |part: &HeldPart| taken.blocks.get(&*part.name).copied().unwrap_or_default();
        let allotted = together(in_force.iter().map(|(_, amount)| *amount).chain([Amount::Limited(carried)]));
        let left: Decimal = in_force
            .iter()
            .filter_map(|(part, amount)| Some((limited(*amount)? - of(part)).max(Decimal::ZERO)))
            .sum::<Decimal>();
        let counting = taken.over.iter().filter(|(used, _)| self.counts(*used, self.now));
        let since = in_force.iter().filter_map(|(part, _)| Self::begin(part, within)).min().unwrap();
        let uses: Vec<&Register> =
            self.uses(within).into_iter().filter(|use_| use_.at >= since && self.is_entitled(use_.at)).collect();
        Some(Standing {
            allotted,
            used: in_force.iter().map(|(part, _)| of(part)).sum::<Decimal>() + taken.carried,
            remaining: limited(allotted).map_or(Amount::Unlimited, |_| Amount::Limited(left + carried - taken.carried)),
            excess: in_force
                .iter()
                .filter_map(|(part, amount)| Some((of(part) - limited(*amount)?).max(Decimal::ZERO)))
                .sum(),
            overage: counting.map(|(_, one)| *one).sum(),
            unentitled: taken.unentitled + self.before_all(within),
            channels: self.channels(&uses),
        })
    }

    /// What was used before there was any period is told in the first one.
    fn before_all(&self, (from, _): Window) -> Decimal {
        let is_first = self.memory.anchors.first().is_some_and(|anchor| anchor.since == from);
        let before = (Instant::MIN_UTC, Bound::At(from));
        if is_first { self.uses(before).iter().map(|one| one.amount).sum() } else { Decimal::ZERO }
    }

    fn channels(&self, uses: &[&Register]) -> BTreeMap<String, Decimal> {
        let names = self.scene.rules.channels.keys().chain(self.scene.caps.keys());
        let sum = |name: &str| {
            let of_it = uses.iter().filter(|register| register.channel.as_deref() == Some(name));
            of_it.map(|register| register.amount).sum()
        };
        names.map(|name| (name.to_string(), sum(name))).collect()
    }

    /// "Soft, or `overage + r <= remaining + max(0, buffer - excess)`; and the channel's uses, with `r`, are within its cap"
    pub fn allowed(&self, channel: Option<&str>, amount: Decimal) -> bool {
        let (Some(standing), rules) = (self.standing(), &self.scene.rules) else { return false };
        let buffer = share(rules.buffer, standing.allotted);
        let is_within = limited(standing.remaining).is_none_or(|remaining| {
            standing.overage + amount <= remaining + (buffer - standing.excess).max(Decimal::ZERO)
        });
        let cap = channel.and_then(|name| {
            self.scene.caps.get(name).copied().or_else(|| rules.channels.get(name).copied().flatten())
        });
        let of_channel = channel.and_then(|name| standing.channels.get(name)).copied().unwrap_or_default();
        rules.covers(channel)
            && (rules.limit == UsageLimit::Soft || is_within)
            && cap.and_then(limited).is_none_or(|cap| of_channel + amount <= cap)
    }

    /// "by the first that applies"
    pub fn state(&self) -> Option<UsageState> {
        let (standing, rules) = (self.standing()?, &self.scene.rules);
        let buffer = share(rules.buffer, standing.allotted);
        let is_hard = rules.limit == UsageLimit::Hard;
        // Nothing more, not even the least amount that there is.
        let is_at_its_end = limited(standing.remaining)
            .is_some_and(|remaining| remaining + (buffer - standing.excess).max(Decimal::ZERO) <= standing.overage);
        let used = standing.used + standing.overage;
        let is_reached = |percent: &u32| {
            limited(standing.allotted).is_some_and(|allotted| {
                !allotted.is_zero() && used * Decimal::ONE_HUNDRED >= allotted * Decimal::from(*percent)
            })
        };
        Some(if is_hard && is_at_its_end && (!standing.excess.is_zero() || standing.overage > buffer) {
            UsageState::Exceeded
        } else if is_hard && is_at_its_end {
            UsageState::Exhausted
        } else if !is_hard && !(standing.overage + standing.excess).is_zero() {
            UsageState::Overage
        } else if rules.thresholds.iter().any(is_reached) {
            UsageState::Warning
        } else {
            UsageState::Ok
        })
    }
}

/// The period of a moment, by going through time from the first moment at which anything was held: "recorded when the first grant
/// comes into force, and kept until the period is over in which nothing is Active, Grace or Suspended any more".
pub fn period_by_walking(scene: &Scene, now: Instant) -> Option<Window> {
    let is_held_at = |at: Instant| scene.present.parts.iter().any(|part| is_held(part, at));
    let edges = scene.present.parts.iter().flat_map(|part| &part.spans);
    let mut edges: Vec<Instant> = edges.flat_map(|span| [Some(span.from), span.until.at()]).flatten().collect();
    edges.sort();
    let mut anchors: Vec<PeriodAnchor> = Vec::new();
    let mut ended: Option<Instant> = None;
    for at in edges.into_iter().filter(|at| *at <= now) {
        let over = ended.map(|ended| period(&anchors, ended).unwrap().1);
        let is_over = over.is_some_and(|over| over <= Bound::At(at));
        if !is_held_at(at) {
            ended = ended.or(Some(at));
            continue;
        }
        if anchors.is_empty() || is_over {
            let mut anchor = anchor_at(scene, at);
            anchor.since = anchor.since.max(over.and_then(Bound::at).unwrap_or(anchor.since));
            anchors.push(anchor);
        }
        ended = None;
    }
    period(&anchors, now)
}

/// "its nominal start, zone, day"; or "the start of the year, month, week (Monday) or day where the client is".
fn anchor_at(scene: &Scene, at: Instant) -> PeriodAnchor {
    let period = scene.rules.period.unwrap();
    let start = Nominal::of_instant(at, scene.zone);
    if scene.rules.anchor == UsageAnchor::Grant {
        return PeriodAnchor { since: at, start, day: start.day(), period };
    }
    let date = start.local().date();
    let first = match (period.total_months(), period.total_days()) {
        (0, 7) => date - Days::new(date.weekday().num_days_from_monday().into()),
        (0, _) => date,
        (months, _) => {
            let month = date.month0() - date.month0() % u32::try_from(months).unwrap();
            NaiveDate::from_ymd_opt(date.year(), month + 1, 1).unwrap()
        }
    };
    let start = Nominal::of_start(Moment::Date(first), scene.zone);
    PeriodAnchor { since: start.instant(), start, day: 1, period }
}

/// Whether an answer is a yes.
pub fn is_yes(allowance: UsageAllowance) -> bool {
    matches!(allowance, UsageAllowance::Allowed | UsageAllowance::Overage)
}
