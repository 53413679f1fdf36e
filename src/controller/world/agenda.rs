//! How many grants there are in each phase, why they are refused, and when they change next: counted as their statuses come, so
//! that telling it costs no look at any grant.

use crate::{
    api::{Phase, conditions::ACCEPTED, lifecycle::LifecycleStatus},
    core::{
        calendar::{Instant, parse_instant},
        reason::ReasonCode,
    },
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    num::NonZeroI64,
};

/// Ends are told by the day, and counted by the minute.
const MINUTE: i64 = 60;

/// What the status of one grant tells that is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgendaEntry {
    phase: Option<Phase>,
    refusal: Option<ReasonCode>,
    next: Option<NonZeroI64>,
    end: Option<NonZeroI64>,
}

/// The counts of all grants.
#[derive(Debug, Default)]
pub struct Agenda {
    phases: BTreeMap<Option<Phase>, u64>,
    refusals: BTreeMap<ReasonCode, u64>,
    /// How many statuses say that something changes at that second.
    changes: BTreeMap<i64, u64>,
    /// How many active grants end in that minute.
    ends: BTreeMap<i64, u64>,
}

impl AgendaEntry {
    /// What a status tells.
    pub fn of(status: LifecycleStatus) -> Self {
        let second = |text: &str| NonZeroI64::new(parse_instant(text).ok()?.timestamp());
        let accepted = status.conditions.iter().find(|condition| condition.type_ == ACCEPTED);
        let refusal = accepted
            .filter(|_| status.phase == Some(Phase::Rejected))
            .and_then(|accepted| ReasonCode::ALL.iter().copied().find(|reason| reason.as_str() == accepted.reason));
        Self {
            phase: status.phase,
            refusal,
            next: status.next_transition.and_then(|next| second(&next.at)),
            end: status.end.and_then(second),
        }
    }

    /// The phase that the status tells.
    pub fn phase(self) -> Option<Phase> {
        self.phase
    }

    /// When the status says that the grant changes next.
    pub fn next(&self) -> Option<Instant> {
        Instant::from_timestamp(self.next?.get(), 0)
    }

    /// When it ends, if it does and has not yet.
    pub fn end(&self) -> Option<i64> {
        let ends = matches!(self.phase, Some(Phase::Waiting | Phase::Active | Phase::Suspended));
        self.end.filter(|_| ends).map(NonZeroI64::get)
    }
}

impl Agenda {
    /// That of none.
    pub const fn new() -> Self {
        Self { phases: BTreeMap::new(), refusals: BTreeMap::new(), changes: BTreeMap::new(), ends: BTreeMap::new() }
    }

    /// One more.
    pub fn add(&mut self, entry: AgendaEntry) {
        self.change(entry, |count| *count += 1);
    }

    /// One less.
    pub fn remove(&mut self, entry: AgendaEntry) {
        self.change(entry, |count| *count = count.saturating_sub(1));
    }

    fn change(&mut self, entry: AgendaEntry, by: fn(&mut u64)) {
        change(&mut self.phases, entry.phase, by);
        if let Some(reason) = entry.refusal {
            change(&mut self.refusals, reason, by);
        }
        if let Some(next) = entry.next {
            change(&mut self.changes, next.get(), by);
        }
        if let Some(end) = entry.end.filter(|_| entry.phase == Some(Phase::Active)) {
            change(&mut self.ends, end.get().div_euclid(MINUTE), by);
        }
    }

    /// How many there are in a phase; None where no status says one.
    pub fn in_phase(&self, phase: Option<Phase>) -> u64 {
        self.phases.get(&phase).copied().unwrap_or(0)
    }

    /// How many are refused, by reason.
    pub fn refusals(&self) -> &BTreeMap<ReasonCode, u64> {
        &self.refusals
    }

    /// How many active grants end within that time.
    pub fn ending(&self, now: Instant, within: TimeDelta) -> u64 {
        let minute = |at: i64| at.div_euclid(MINUTE);
        let (first, last) = (minute(now.timestamp()), minute((now + within).timestamp()));
        self.ends.range(first..last).map(|(_, grants)| grants).sum()
    }

    /// How many statuses do not show a change whose moment has come, and the first such moment.
    pub fn overdue(&self, now: Instant) -> (u64, Option<Instant>) {
        let mut overdue = self.changes.range(..=now.timestamp()).peekable();
        let first = overdue.peek().and_then(|(second, _)| Instant::from_timestamp(**second, 0));
        (overdue.map(|(_, grants)| grants).sum(), first)
    }
}

fn change<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, by: fn(&mut u64)) {
    let mut count = match counts.entry(key) {
        Entry::Vacant(place) => place.insert_entry(0),
        Entry::Occupied(place) => place,
    };
    by(count.get_mut());
    if *count.get() == 0 {
        count.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::{Agenda, AgendaEntry};
    use crate::{
        api::{EntitlementInstanceStatus, Phase, lifecycle::SourceStatus},
        core::{calendar::parse_instant, reason::ReasonCode},
    };
    use chrono::TimeDelta;
    use serde_json::{Value, json};

    fn entry(status: &Value) -> AgendaEntry {
        let status: Option<EntitlementInstanceStatus> = serde_json::from_value(status.clone()).unwrap();
        status.map(|status| AgendaEntry::of(status.lifecycle())).unwrap_or_default()
    }

    fn active(end: &str) -> AgendaEntry {
        entry(
            &json!({"observedGeneration": 1, "phase": "Active", "end": end, "nextTransition": {"at": end, "phase": "Expired"}}),
        )
    }

    fn refused(reason: &str) -> AgendaEntry {
        let accepted = json!({
            "type": "Accepted", "status": "False", "reason": reason, "message": "no",
            "lastTransitionTime": "2026-11-02T08:00:00Z", "observedGeneration": 1,
        });
        entry(&json!({"observedGeneration": 1, "phase": "Rejected", "conditions": [accepted]}))
    }

    #[test]
    fn what_comes_is_counted_and_what_goes_is_not() {
        let now = parse_instant("2026-11-02T08:00:00Z").unwrap();
        let entries = [
            active("2026-11-02T07:59:00Z"),
            active("2026-11-02T08:00:00Z"),
            active("2026-11-02T08:00:01Z"),
            active("2026-11-03T07:59:59Z"),
            active("2026-11-09T08:00:00Z"),
            refused("Duplicate"),
            refused("Duplicate"),
            refused("InvalidTerm"),
            refused("hunter2"),
            entry(&Value::Null),
        ];
        let mut agenda = Agenda::default();
        for entry in &entries {
            agenda.add(*entry);
        }
        let phases = [Some(Phase::Active), Some(Phase::Rejected), None, Some(Phase::Expired)];
        assert_eq!(phases.map(|phase| agenda.in_phase(phase)), [5, 4, 1, 0]);
        assert_eq!(
            agenda.refusals().iter().map(|(reason, count)| (*reason, *count)).collect::<Vec<_>>(),
            [(ReasonCode::Duplicate, 2), (ReasonCode::InvalidTerm, 1)]
        );
        // Those of this minute count for what is to come.
        assert_eq!([1, 7, 8].map(|days| agenda.ending(now, TimeDelta::days(days))), [3, 3, 4]);
        assert_eq!(agenda.overdue(now), (2, parse_instant("2026-11-02T07:59:00Z").ok()));
        assert_eq!(agenda.overdue(now - TimeDelta::hours(1)), (0, None));
        for entry in &entries {
            agenda.remove(*entry);
        }
        assert!(agenda.phases.is_empty() && agenda.refusals.is_empty());
        assert!(agenda.changes.is_empty() && agenda.ends.is_empty());
    }

    #[test]
    fn what_is_over_or_refused_has_no_end_to_come() {
        assert!(active("2026-11-02T08:00:00Z").end().is_some());
        assert_eq!(
            entry(&json!({"observedGeneration": 1, "phase": "Expired", "end": "2026-11-02T08:00:00Z"})).end(),
            None
        );
        assert_eq!(refused("Duplicate").end(), None);
        assert_eq!(entry(&json!({"observedGeneration": 1, "phase": "Active", "end": "tomorrow"})).end(), None);
    }
}
