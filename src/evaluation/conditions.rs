//! Conditions that remember when they last turned.

use crate::{
    api::{Condition, ConditionStatus, conditions::READY},
    core::{
        calendar::{Instant, format_instant},
        excerpt::elided_after_bytes,
        grant::RememberedCondition,
        problem::Problem,
        reason::ReasonCode,
    },
};

/// Longest message, in bytes, so that a status stays far below what the API server stores.
const MAX_MESSAGE: usize = 4096;

/// The conditions of an object before.
#[derive(Clone, Copy, Debug)]
enum Former<'a> {
    /// As its status has them.
    Whole(&'a [Condition]),
    /// As they are remembered of a grant.
    Remembered(&'a [RememberedCondition]),
}

impl<'a> Former<'a> {
    /// The condition of that type.
    fn get(self, type_: &str) -> Option<Condition> {
        match self {
            Self::Whole(all) => all.iter().find(|one| one.type_ == type_).cloned(),
            Self::Remembered(all) => all.iter().find(|one| one.observation.type_ == type_).map(Condition::from),
        }
    }

    /// Since when a condition of that type has had that status.
    fn since(self, type_: &str, status: ConditionStatus) -> Option<&'a str> {
        match self {
            Self::Whole(all) => {
                let found = all.iter().find(|one| one.type_ == type_ && one.status == status);
                found.map(|one| one.last_transition_time.as_str())
            }
            Self::Remembered(all) => {
                let found = all.iter().find(|one| one.observation.type_ == type_ && one.observation.status == status);
                found.map(|one| &*one.since)
            }
        }
    }
}

/// The conditions of an object that is not ready for that reason. All others are as they were before.
#[must_use]
pub fn unready(before: &[Condition], generation: i64, problem: &Problem, now: Instant) -> Vec<Condition> {
    let mut ready = Conditions::after(before, generation, now);
    ready.set(READY, false, problem.reason, problem.message.as_str());
    let place = before.iter().position(|condition| condition.type_ == READY).unwrap_or(before.len());
    let mut after = before.to_vec();
    after.retain(|condition| condition.type_ != READY);
    after.splice(place..place, ready.into_vec());
    after
}

/// The conditions of one object.
#[derive(Debug)]
pub struct Conditions<'a> {
    before: Former<'a>,
    generation: Option<i64>,
    now: String,
    after: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// Conditions that follow those `before`, for that generation of the object.
    #[must_use]
    pub fn after(before: &'a [Condition], generation: i64, now: Instant) -> Self {
        Self { before: Former::Whole(before), ..Self::at(Some(generation), now) }
    }

    /// Conditions that follow those which are remembered of a grant of that generation.
    #[must_use]
    pub fn of_grant(before: &'a [RememberedCondition], generation: i64, now: Instant) -> Self {
        Self { before: Former::Remembered(before), ..Self::at(Some(generation), now) }
    }

    /// Conditions that follow those `before`, of an object without a generation.
    #[must_use]
    pub fn unversioned(before: &'a [Condition], now: Instant) -> Self {
        Self { before: Former::Whole(before), ..Self::at(None, now) }
    }

    fn at(generation: Option<i64>, now: Instant) -> Self {
        Self { before: Former::Whole(&[]), generation, now: format_instant(now), after: Vec::with_capacity(5) }
    }

    /// Sets a condition. The time of its last transition moves only with its status.
    pub fn set(&mut self, type_: &str, holds: bool, reason: ReasonCode, message: impl Into<String>) {
        self.push(type_, holds.into(), reason, message.into());
    }

    /// Sets a condition that cannot be told.
    pub fn set_unknown(&mut self, type_: &str, reason: ReasonCode, message: impl Into<String>) {
        self.push(type_, ConditionStatus::Unknown, reason, message.into());
    }

    fn push(&mut self, type_: &str, status: ConditionStatus, reason: ReasonCode, message: String) {
        let since = self.before.since(type_, status);
        self.after.push(Condition {
            type_: type_.to_owned(),
            status,
            observed_generation: self.generation,
            last_transition_time: since.unwrap_or(&self.now).to_owned(),
            reason: reason.to_string(),
            message: elided_after_bytes(message, MAX_MESSAGE),
        });
    }

    /// Leaves a condition as it was before.
    pub fn keep(&mut self, type_: &str) {
        self.after.extend(self.before.get(type_));
    }

    /// All that were set, in that order.
    #[must_use]
    pub fn into_vec(self) -> Vec<Condition> {
        self.after
    }
}
