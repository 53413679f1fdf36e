//! What is remembered of anchors and parts from one look to the next.
//!
//! Objects do not say when a grant was cancelled, suspended, or edited. So each look remembers what was in force: a change by time
//! has its own moment, as it was foreseen; any other counts from when it was noticed. A moment that nothing remembered covers
//! goes by the present objects.

use super::{
    anchor::{Period, PeriodAnchor, Periods},
    part::{HeldPart, HeldSpan, covered, joined, largest},
    rules::UsageRules,
};
use crate::{
    api::usage::UsageAnchor,
    core::calendar::{Bound, Instant, Nominal},
};
use chrono::SubsecRound;
use std::collections::BTreeMap;

/// What is remembered of one meter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// From when periods count, in the order in which they do.
    pub anchors: Vec<PeriodAnchor>,
    /// What was held when, by name.
    pub held: Vec<HeldPart>,
}

/// What the present objects say of one meter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PresentParts {
    /// What is held, was and will be, by name.
    pub parts: Vec<HeldPart>,
    /// The nominal start and the day of the chain of what came into force first of what is Active, Grace or Suspended; else of
    /// what will.
    pub first: Option<(Nominal, u32)>,
}

impl Memory {
    /// What is remembered once the present objects were looked at.
    #[must_use]
    pub fn after(&self, rules: &UsageRules, present: &PresentParts, now: Instant) -> Self {
        self.after_for(rules, present, now, now)
    }

    /// The same for whoever asks for another moment: what that moment takes is not forgotten yet.
    #[must_use]
    pub fn after_for(&self, rules: &UsageRules, present: &PresentParts, now: Instant, at: Instant) -> Self {
        let held = parts(&self.held, &present.parts, now);
        // Periods begin with a second.
        let anchors = self.anchors(rules, present.first, &held, now.trunc_subsecs(0));
        let mut memory = Self { anchors, held };
        memory.forget(rules, at.trunc_subsecs(0));
        memory
    }

    /// Whether a look finds held at its moment what was foreseen by this. Where it does not, what has changed counts from when that is
    /// written down, and until then nobody knows what is used at that moment is taken from.
    #[must_use]
    pub fn foresaw(&self, after: &Self, now: Instant) -> bool {
        if self.held.is_empty() {
            return true;
        }
        let known: BTreeMap<&str, &HeldPart> = self.held.iter().map(|part| (&*part.name, part)).collect();
        let present: BTreeMap<&str, &HeldPart> = after.held.iter().map(|part| (&*part.name, part)).collect();
        let span =
            |parts: &BTreeMap<&str, &HeldPart>, name: &str| parts.get(name).and_then(|part| part.span(now)).copied();
        known.keys().chain(present.keys()).all(|name| match (span(&known, name), span(&present, name)) {
            (Some(known), Some(present)) => known.amount == present.amount,
            (Some(known), None) => known.amount.is_none(),
            // Whatever says itself since when counts since then, whenever that is written down.
            (None, present) => present.is_none_or(|span| span.from < now.trunc_subsecs(0)),
        })
    }

    /// The anchors that are known, with one for each time of holding that began once the one before was over, and one from the
    /// next boundary on where the definition says something else now.
    fn anchors(
        &self,
        rules: &UsageRules,
        first: Option<(Nominal, u32)>,
        held: &[HeldPart],
        now: Instant,
    ) -> Vec<PeriodAnchor> {
        if rules.period.is_none() {
            return Vec::new();
        }
        let times = held_times(held, now);
        let mut anchors = self.recorded(rules, &times, now);
        let mut before: Option<Bound> = None;
        for (from, until) in times {
            let over = before.map(|end| over_at(&anchors, end));
            let is_known = match over {
                None => !anchors.is_empty(),
                Some(over) => over > Bound::At(from) || has_anchor(&anchors, over, until),
            };
            if !is_known && let Some(anchor) = self.begun(rules, first, from) {
                let since = over.and_then(Bound::at).map_or(anchor.since, |over| over.max(anchor.since));
                anchors.push(PeriodAnchor { since, ..anchor });
                anchors.sort_by_key(|anchor| anchor.since);
            }
            before = Some(until);
        }
        let is_going_on = before.is_some_and(|end| !over_at(&anchors, end).has_come(now));
        let edited = anchors.last().filter(|last| is_going_on && !last.is_of(rules));
        anchors.extend(edited.and_then(|last| last.next(rules, now)));
        anchors
    }

    /// The anchors that were recorded, but for those that nothing was held at, as it was over by then.
    fn recorded(&self, rules: &UsageRules, times: &[(Instant, Bound)], now: Instant) -> Vec<PeriodAnchor> {
        let is_kept = |(index, anchor): &(usize, &PeriodAnchor)| {
            let latest = match rules.anchor {
                UsageAnchor::Grant => Bound::At(anchor.since),
                UsageAnchor::Calendar => anchor.first_end(),
            };
            let is_at = |(from, until): &(Instant, Bound)| {
                Bound::At(anchor.since) <= *until && (Bound::At(*from) < latest || *from == anchor.since)
            };
            *index == 0 || (anchor.since <= now && times.iter().any(is_at))
        };
        self.anchors.iter().enumerate().filter(is_kept).map(|(_, anchor)| *anchor).collect()
    }

    /// The anchor of what came into force at a moment.
    fn begun(&self, rules: &UsageRules, first: Option<(Nominal, u32)>, at: Instant) -> Option<PeriodAnchor> {
        if let Some((start, day)) = first.filter(|(start, _)| start.instant() == at) {
            return PeriodAnchor::of(rules, start, day);
        }
        let known = first.map(|(start, _)| start).or_else(|| self.anchors.last().map(|anchor| anchor.start));
        let start = Nominal::of_instant(at, known?.zone());
        PeriodAnchor::of(rules, start, start.day())
    }

    /// "Kept for the open period and two before; without `period` while anything is held."
    fn forget(&mut self, rules: &UsageRules, now: Instant) {
        if rules.period.is_none() {
            if self.held.iter().all(|part| part.end.has_come(now)) {
                self.held.clear();
            }
            return;
        }
        let periods = Periods::of(&self.anchors);
        let before = |period: Period| periods.before(period).unwrap_or(period);
        let Some(oldest) = periods.at(now).map(|open| before(before(open)).from) else { return };
        for part in &mut self.held {
            part.spans.retain(|span| !span.until.has_come(oldest));
        }
        self.held.retain(|part| !part.spans.is_empty());
        let first = self.anchors.iter().rposition(|anchor| anchor.since <= oldest).unwrap_or_default();
        self.anchors.drain(..first);
        if held_times(&self.held, now).is_empty() {
            self.anchors.clear();
        }
    }
}

/// When anything was Active, Grace or Suspended by now.
fn held_times(held: &[HeldPart], now: Instant) -> Vec<(Instant, Bound)> {
    let spans = held.iter().flat_map(|part| &part.spans).map(|span| (span.from.trunc_subsecs(0), span.until));
    covered(spans.filter(|(from, _)| *from <= now))
}

/// When the period is over in which nothing is held any more from `end` on.
fn over_at(anchors: &[PeriodAnchor], end: Bound) -> Bound {
    let Some(end) = end.at() else { return Bound::Never };
    let begun = anchors.partition_point(|anchor| anchor.since <= end);
    let period = anchors.get(..begun).and_then(|anchors| Periods::of(anchors).at(end));
    period.map_or(Bound::At(end), |period| period.until)
}

fn has_anchor(anchors: &[PeriodAnchor], from: Bound, until: Bound) -> bool {
    anchors.iter().map(|anchor| Bound::At(anchor.since)).any(|since| from <= since && since < until)
}

/// What was held when: as it was remembered up to now, and as the present objects say from now on, and wherever nothing was
/// remembered.
pub(super) fn parts(known: &[HeldPart], present: &[HeldPart], now: Instant) -> Vec<HeldPart> {
    let look = LookMoment { second: now.trunc_subsecs(0), now: now.trunc_subsecs(6) };
    let mut parts: BTreeMap<&str, (Option<&HeldPart>, Option<&HeldPart>)> = BTreeMap::new();
    for part in known {
        parts.entry(&part.name).or_default().0 = Some(part);
    }
    for part in present {
        parts.entry(&part.name).or_default().1 = Some(part);
    }
    parts.into_values().filter_map(|(known, present)| look.merged(known, present)).collect()
}

/// A moment at which the present objects are looked at.
///
/// What is used is dated in whole seconds. So what begins counts from the beginning of the second in which that is noticed, and
/// what ends counts until it is noticed: a use of that second, which may have been answered before, is not taken back.
#[derive(Clone, Copy)]
struct LookMoment {
    second: Instant,
    /// To the microsecond, as it is written.
    now: Instant,
}

impl LookMoment {
    fn merged(self, known: Option<&HeldPart>, present: Option<&HeldPart>) -> Option<HeldPart> {
        let spans = |part: Option<&HeldPart>| part.map(|part| part.spans.clone()).unwrap_or_default();
        let (remembered, said) = (spans(known), spans(present));
        let (second, now) = (Bound::At(self.second), Bound::At(self.now));
        let mut spans = cut(&remembered, Instant::MIN_UTC, second);
        spans.extend(cut(&said, Instant::MIN_UTC, second).iter().flat_map(|span| uncovered(*span, &remembered)));
        let of_second = [cut(&remembered, self.second, now), cut(&said, self.second, now)].concat();
        spans.extend(largest(&of_second));
        spans.extend(cut(&said, self.now, Bound::Never));
        spans.sort_by_key(|span| span.from);
        let spans = joined(spans);
        let last = spans.last()?.until;
        let part = present.or(known)?;
        Some(HeldPart {
            start: spans.first()?.from.min(part.start),
            // What is not among the present objects any more was over when that was noticed.
            end: present.map_or(last, |part| part.end.max(last)),
            name: part.name.clone(),
            priority: part.priority,
            spans,
        })
    }
}

/// What of spans lies within a time.
fn cut(spans: &[HeldSpan], from: Instant, until: Bound) -> Vec<HeldSpan> {
    let within = |span: &HeldSpan| HeldSpan { from: span.from.max(from), until: span.until.min(until), ..*span };
    spans.iter().map(within).filter(|span| !span.until.has_come(span.from)).collect()
}

/// What of a span none of others covers, which stand in order and apart.
fn uncovered(span: HeldSpan, others: &[HeldSpan]) -> Vec<HeldSpan> {
    let mut rest = Vec::new();
    let mut from = span.from;
    for other in others {
        if span.until <= Bound::At(other.from) || Bound::At(from) >= span.until {
            break;
        }
        if from < other.from {
            rest.push(HeldSpan { from, until: Bound::At(other.from), amount: span.amount });
        }
        match other.until {
            Bound::Never => return rest,
            Bound::At(until) => from = from.max(until),
        }
    }
    if Bound::At(from) < span.until {
        rest.push(HeldSpan { from, ..span });
    }
    rest
}
