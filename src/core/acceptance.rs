//! What a grant took from elsewhere when it was accepted, and keeps: what was agreed stays agreed.

use super::{
    age::SourceAge,
    amount::Amount,
    calendar::{Bound, CalendarDuration, Instant, Tz, format_instant, parse_instant, parse_zone},
};
use crate::api::{
    AmountField,
    accepted_record::{AcceptedRecord, ChainRecord},
    lifecycle::State,
};
use std::sync::Arc;

/// A chain of renewals, by its first member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// When the first member was made; with what follows, the order of age.
    pub since: Instant,
    /// The first member's UID.
    pub uid: Arc<str>,
    /// The first member's name; it lies in the namespace of every other.
    pub name: Arc<str>,
    /// The day of the month (1 to 31) of the first member's start, in local time.
    pub day: u32,
}

/// The record of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The organization's time zone.
    pub zone: Tz,
    /// The definition's term; absent: perpetual.
    pub term: Option<CalendarDuration>,
    /// The definition's grace period.
    pub grace: Option<CalendarDuration>,
    /// The definition's amount; absent for a Feature, and where it was accepted before amounts were recorded.
    pub amount: Option<Amount>,
    /// The start that it got where neither the spec nor `follows` gives one.
    pub since: Option<Instant>,
    /// The length of the renewed grant's term.
    pub length: Option<CalendarDuration>,
    /// The end of the renewed grant.
    pub follows: Option<Bound>,
    /// The chain that it belongs to.
    pub chain: Chain,
    /// The texts of the spec that the record belongs to.
    pub spec: Arc<RecordedSpec>,
}

/// The fields of a spec that a record belongs to, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecordedSpec {
    /// `spec.start`
    pub start: Option<String>,
    /// `spec.end`
    pub end: Option<String>,
    /// `spec.renews`
    pub renews: Option<String>,
}

impl Acceptance {
    /// The record that a status holds, if it belongs to the spec with that state and those texts: the state is not Draft, and `start`, `end` and `renews` are
    /// those recorded. A record that cannot be read is none: then the present objects decide.
    #[must_use]
    pub fn of(state: State, written: &Arc<RecordedSpec>, record: Option<&AcceptedRecord>) -> Option<Self> {
        let record = record?;
        let is_of_spec = record.start == written.start && record.end == written.end && record.renews == written.renews;
        if state == State::Draft || !is_of_spec {
            return None;
        }
        Self::read(record, Arc::clone(written))
    }

    /// The same record; where its source is the first of the chain, that is not named in memory twice.
    #[must_use]
    pub fn of_source(mut self, source: &SourceAge) -> Self {
        for (name, own) in [(&mut self.chain.uid, &source.uid), (&mut self.chain.name, &source.name)] {
            if *name == *own {
                *name = Arc::clone(own);
            }
        }
        self
    }

    fn read(record: &AcceptedRecord, spec: Arc<RecordedSpec>) -> Option<Self> {
        Some(Self {
            zone: parse_zone(record.time_zone.as_deref()?).ok()?,
            term: optional(record.term.as_deref(), |text| text.parse().ok())?,
            grace: optional(record.grace_period.as_deref(), |text| text.parse().ok())?,
            // It stands for itself: the rest counts whatever this is.
            amount: record.amount.as_ref().and_then(|amount| Amount::read(amount).ok()),
            since: optional(record.since.as_deref(), |text| parse_instant(text).ok())?,
            length: optional(record.length.as_deref(), |text| text.parse().ok())?,
            follows: optional(record.follows.as_deref(), |text| text.parse().ok())?,
            chain: Chain::read(record.chain.as_ref()?)?,
            spec,
        })
    }

    /// The record as the status holds it.
    #[must_use]
    pub fn record(&self) -> AcceptedRecord {
        AcceptedRecord {
            time_zone: Some(self.zone.name().to_owned()),
            term: self.term.map(|term| term.to_string()),
            grace_period: self.grace.map(|grace| grace.to_string()),
            amount: self.amount.map(|amount| AmountField::Text(amount.to_string())),
            since: self.since.map(format_instant),
            length: self.length.map(|length| length.to_string()),
            follows: self.follows.map(|follows| follows.to_string()),
            chain: Some(self.chain.record()),
            start: self.spec.start.clone(),
            end: self.spec.end.clone(),
            renews: self.spec.renews.clone(),
        }
    }
}

/// An absent text is an absent value; a text that cannot be read is `None`, so that the whole record is.
#[allow(clippy::option_option)]
fn optional<T>(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    text.map_or(Some(None), |text| read(text).map(Some))
}

impl Chain {
    fn read(record: &ChainRecord) -> Option<Self> {
        Some(Self {
            since: parse_instant(&record.since).ok()?,
            uid: record.uid.as_str().into(),
            name: record.name.as_str().into(),
            day: Some(record.day).filter(|day| (1..=31).contains(day))?,
        })
    }

    fn record(&self) -> ChainRecord {
        ChainRecord {
            name: self.name.to_string(),
            uid: self.uid.to_string(),
            since: format_instant(self.since),
            day: self.day,
        }
    }
}
