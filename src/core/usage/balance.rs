//! What is used and what is left: a pure function of registers, grants, and what was held.
//!
//! Uses are taken in the order of time from the blocks that were in force then: by higher priority, then the earlier end, the
//! earlier start, the name; last from what was carried over. What no block takes is overage. Each block gives as much as it has at
//! most from the use on, up to now: so raising an amount absorbs overage, and lowering takes nothing back.

use super::{anchor::Period, block::Block, meter::Meter, part::HeldPart};
use crate::{
    api::{entitlement_definition::Aggregation, usage::UsageMode},
    core::{
        amount::Amount,
        calendar::{Bound, Instant},
    },
};
use rust_decimal::Decimal;
use std::{collections::BTreeMap, sync::Arc};

/// How much of one allotment is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBalance {
    /// The part that gives it; none of what was carried over from the period before.
    pub part: Option<Arc<str>>,
    /// From when on it can be used, in this period.
    pub from: Instant,
    /// When it is over, as far as is known.
    pub until: Bound,
    /// How much it is now.
    pub amount: Amount,
    /// How much of it is used.
    pub taken: Decimal,
}

impl BlockBalance {
    /// What is left of it, where it has a bound.
    #[must_use]
    pub fn left(&self) -> Decimal {
        self.over(|amount| amount - self.taken)
    }

    fn excess(&self) -> Decimal {
        self.over(|amount| self.taken - amount)
    }

    fn over(&self, difference: impl Fn(Decimal) -> Decimal) -> Decimal {
        match self.amount {
            Amount::Limited(amount) => difference(amount).max(Decimal::ZERO),
            Amount::Unlimited => Decimal::ZERO,
        }
    }
}

/// How one meter stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// All that can be used now, together: `Unlimited` if anything in force is.
    pub allotted: Amount,
    /// What the blocks in force took; of what is Held, all that is in use.
    pub used: Decimal,
    /// What is left of it.
    pub remaining: Amount,
    /// What was taken of blocks in force beyond what they have now.
    pub excess: Decimal,
    /// What no block took.
    pub overage: Decimal,
    /// What was used when nothing was held: it is not counted.
    pub unentitled: Decimal,
    /// The period that this is of.
    pub period: Option<Period>,
    /// The blocks in force, in the order in which they are taken from.
    pub blocks: Vec<BlockBalance>,
    /// What was used by each channel since the earliest beginning of the blocks in force.
    pub channels: BTreeMap<Arc<str>, ChannelBalance>,
}

/// How one channel stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelBalance {
    /// How much of the total it is at most; none where all of it is.
    pub cap: Option<Amount>,
    /// What was used.
    pub used: Decimal,
}

impl Balance {
    /// How a meter stands. None where nothing is in force: then nothing is allotted either.
    #[must_use]
    pub fn of(meter: &Meter) -> Option<Self> {
        let is_held = meter.memory.held.iter().any(|part| part.amount(meter.now).is_some());
        if !is_held {
            return None;
        }
        Some(match meter.rules.mode {
            UsageMode::Held => held(meter),
            UsageMode::Consumed => consumed(meter),
        })
    }

    /// What is left, where it has a bound.
    #[must_use]
    pub fn left(&self) -> Option<Decimal> {
        match self.remaining {
            Amount::Limited(left) => Some(left),
            Amount::Unlimited => None,
        }
    }

    /// When the allotment is new.
    #[must_use]
    pub fn resets_at(&self) -> Option<Instant> {
        self.period?.until.at()
    }

    fn with(period: Option<Period>, blocks: Vec<BlockBalance>, rest: Rest) -> Self {
        let amounts = blocks.iter().map(|block| block.amount);
        let allotted = amounts.fold(Amount::ZERO, |one, other| one.together(other, Aggregation::Sum));
        let sum = |of: fn(&BlockBalance) -> Decimal| blocks.iter().map(of).fold(Decimal::ZERO, Decimal::saturating_add);
        let remaining = match allotted {
            Amount::Unlimited => Amount::Unlimited,
            Amount::Limited(_) => Amount::Limited(sum(BlockBalance::left)),
        };
        Self {
            allotted,
            used: sum(|block| block.taken),
            remaining,
            excess: sum(BlockBalance::excess),
            overage: rest.overage,
            unentitled: rest.unentitled,
            period,
            channels: BTreeMap::new(),
            blocks,
        }
    }
}

/// What of uses no block took.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    overage: Decimal,
    unentitled: Decimal,
}

fn held(meter: &Meter) -> Balance {
    let in_force = meter.memory.held.iter().filter_map(|part| Some((part, part.amount(meter.now)?)));
    let mut parts: Vec<(&HeldPart, Amount)> = in_force.collect();
    parts.sort_by(|(one, _), (other, _)| one.order().cmp(&other.order()));
    let blocks = parts.into_iter().map(|(part, amount)| BlockBalance {
        part: Some(part.name.clone()),
        from: part.start,
        until: part.end,
        amount,
        taken: Decimal::ZERO,
    });
    let balance = Balance::with(None, blocks.collect(), Rest::default());
    let used = meter.used(Instant::MIN_UTC, Bound::Never);
    let (remaining, excess) = match balance.allotted {
        Amount::Unlimited => (Amount::Unlimited, Decimal::ZERO),
        Amount::Limited(allotted) => {
            (Amount::Limited((allotted - used).max(Decimal::ZERO)), (used - allotted).max(Decimal::ZERO))
        }
    };
    let channels = channels(meter, [(Instant::MIN_UTC, Bound::Never)]);
    Balance { used, remaining, excess, channels, ..balance }
}

fn consumed(meter: &Meter) -> Balance {
    let period = meter.periods().at(meter.now);
    let (from, until) = period.map_or((Instant::MIN_UTC, Bound::Never), |period| (period.from, period.until));
    let carried = period.and_then(|period| carried(meter, period, CARRYING));
    let mut taking = Taking::new(meter, from, until, carried);
    taking.run();
    let before_all = meter.before_all_periods(period);
    let rest = Rest { overage: taking.overage(), unentitled: taking.unentitled.saturating_add(before_all) };
    let in_force = taking.blocks.iter().filter_map(|block| {
        Some(BlockBalance {
            part: Some(block.part.name.clone()),
            from: block.from(),
            until: block.part.end,
            amount: block.amount(meter.now)?,
            taken: block.taken,
        })
    });
    let mut blocks: Vec<BlockBalance> = in_force.collect();
    let since = blocks.iter().map(|block| block.from).min().unwrap_or(meter.now);
    blocks.extend(carried.map(|carried| BlockBalance {
        part: None,
        from,
        until,
        amount: Amount::Limited(carried),
        taken: taking.of_carried,
    }));
    let entitled = meter.entitled().into_iter().map(|(from, end)| (from.max(since), end.min(until)));
    Balance { channels: channels(meter, entitled), ..Balance::with(period, blocks, rest) }
}

/// How many periods before the present one are looked at for what was carried over: as many as are remembered. What is carried
/// over into one changes what its own blocks had left only where one of them began once it was used up.
const CARRYING: u32 = 2;

/// What is usable of the period before: `min(carryOver, what its own blocks had left at its end)`. None where nothing was held in
/// between.
fn carried(meter: &Meter, period: Period, most: u32) -> Option<Decimal> {
    if most == 0 || meter.rules.carry_over.is_nothing() || !was_held_around(meter, period.from) {
        return None;
    }
    let before = meter.periods().before(period)?;
    let mut taking = Taking::new(meter, before.from, before.until, carried(meter, before, most - 1));
    taking.run();
    let (mut left, mut own) = (Amount::ZERO, Amount::ZERO);
    for (of_block, amount) in taking.blocks.iter().filter_map(|block| block.left_at(period.from)) {
        left = left.together(of_block, Aggregation::Sum);
        own = own.together(amount, Aggregation::Sum);
    }
    let most = meter.rules.carry_over.of(own);
    let carried = match left {
        Amount::Unlimited => most,
        Amount::Limited(left) => most.min(left),
    };
    (!carried.is_zero()).then_some(carried)
}

/// Whether something was held, be it suspended, both right before a moment and at it.
fn was_held_around(meter: &Meter, at: Instant) -> bool {
    let mut spans = meter.memory.held.iter().flat_map(|part| &part.spans);
    spans.clone().any(|span| span.from < at && span.until >= Bound::At(at)) && spans.any(|span| span.has(at))
}

/// The taking of uses from the blocks of one period.
struct Taking<'a> {
    meter: &'a Meter<'a>,
    from: Instant,
    until: Bound,
    blocks: Vec<Block<'a>>,
    carried: Decimal,
    of_carried: Decimal,
    /// What no block took, by when it was used.
    over: BTreeMap<Instant, Decimal>,
    unentitled: Decimal,
}

impl<'a> Taking<'a> {
    fn new(meter: &'a Meter<'a>, from: Instant, until: Bound, carried: Option<Decimal>) -> Self {
        let (parts, ahead) = (meter.memory.held.iter(), meter.counted_until());
        let mut blocks: Vec<Block> = parts.filter_map(|part| Block::of(part, from, until, meter.now, ahead)).collect();
        blocks.sort_by(|one, other| one.part.order().cmp(&other.part.order()));
        Self {
            meter,
            from,
            until,
            blocks,
            carried: carried.unwrap_or_default(),
            of_carried: Decimal::ZERO,
            over: BTreeMap::new(),
            unentitled: Decimal::ZERO,
        }
    }

    fn run(&mut self) {
        let edges = self.meter.edges(self.from, self.until);
        for (index, from) in edges.iter().enumerate() {
            let until = edges.get(index + 1).map_or(self.until, |next| Bound::At(*next));
            if *from <= self.meter.now {
                self.absorb(*from);
            }
            let used = self.meter.used(*from, until);
            if !used.is_zero() {
                self.take(*from, used);
            }
        }
    }

    /// "A block that begins later in the period takes of it first."
    fn absorb(&mut self, at: Instant) {
        if self.over.is_empty() {
            return;
        }
        let counting: Vec<Instant> = self.over.keys().copied().filter(|used| self.counts(*used, at)).collect();
        for block in self.blocks.iter_mut().filter(|block| block.from() == at) {
            for used in &counting {
                if let Some(rest) = self.over.get_mut(used) {
                    *rest = block.take(at, *rest);
                }
            }
        }
        self.over.retain(|_, rest| !rest.is_zero());
    }

    /// Takes what was used between two edges, the first of which is given.
    fn take(&mut self, at: Instant, used: Decimal) {
        let amounts = self.blocks.iter().filter_map(|block| block.amount(at));
        match amounts.max() {
            None => {
                self.unentitled = self.unentitled.saturating_add(used);
                return;
            }
            // Where anything is Unlimited, nothing is taken.
            Some(Amount::Unlimited) => return,
            Some(Amount::Limited(_)) => {}
        }
        let mut rest = used;
        for block in self.blocks.iter_mut().filter(|block| block.has(at)) {
            rest = block.take(at, rest);
        }
        let of_carried = rest.min((self.carried - self.of_carried).max(Decimal::ZERO));
        self.of_carried += of_carried;
        rest -= of_carried;
        if !rest.is_zero() {
            let over = self.over.entry(at).or_default();
            *over = over.saturating_add(rest);
        }
    }

    /// What counts as overage now.
    fn overage(&self) -> Decimal {
        let counting = self.over.iter().filter(|(used, _)| self.counts(**used, self.meter.now));
        counting.fold(Decimal::ZERO, |sum, (_, one)| sum.saturating_add(*one))
    }

    /// Whether what was used beyond all blocks counts at a moment: in a period to its end, without one while a block is in force
    /// that could have taken it.
    fn counts(&self, used: Instant, at: Instant) -> bool {
        self.meter.rules.period.is_some() || self.blocks.iter().any(|block| block.has(used) && block.has(at))
    }
}

/// What was used by each channel in spans of time that are in order and apart.
fn channels(meter: &Meter, spans: impl IntoIterator<Item = (Instant, Bound)>) -> BTreeMap<Arc<str>, ChannelBalance> {
    let names = meter.rules.channels.keys().chain(meter.caps.keys());
    let mut channels: BTreeMap<Arc<str>, ChannelBalance> =
        names.map(|name| (Arc::clone(name), ChannelBalance { cap: meter.cap(name), used: Decimal::ZERO })).collect();
    if channels.is_empty() {
        return channels;
    }
    for (channel, used) in spans.into_iter().flat_map(|(from, until)| meter.entries(from, until)) {
        if let Some(channel) = channel.and_then(|channel| channels.get_mut(channel)) {
            channel.used = channel.used.saturating_add(used);
        }
    }
    channels
}
