//! Conditions that remember when they last turned.

use crate::{
    api::{Condition, ConditionStatus},
    core::{
        calendar::{Instant, format_instant},
        excerpt::elided_after_bytes,
        reason::ReasonCode,
    },
};

/// Longest message, in bytes, so that a status stays far below what the API server stores.
const MAX_MESSAGE: usize = 4096;

/// The conditions of one object.
#[derive(Debug)]
pub struct Conditions<'a> {
    before: &'a [Condition],
    generation: Option<i64>,
    now: String,
    after: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    /// Conditions that follow those `before`, for that generation of the object.
    #[must_use]
    pub fn after(before: &'a [Condition], generation: i64, now: Instant) -> Self {
        Self {
            before,
            generation: Some(generation),
            now: format_instant(now),
            after: Vec::with_capacity(before.len().max(5)),
        }
    }

    /// Conditions that follow those `before`, of an object without a generation.
    #[must_use]
    pub fn unversioned(before: &'a [Condition], now: Instant) -> Self {
        Self { before, generation: None, now: format_instant(now), after: Vec::new() }
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
        let before = self.before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
        self.after.push(Condition {
            type_: type_.to_owned(),
            status,
            observed_generation: self.generation,
            last_transition_time: before
                .map_or_else(|| self.now.clone(), |condition| condition.last_transition_time.clone()),
            reason: reason.to_string(),
            message: elided_after_bytes(message, MAX_MESSAGE),
        });
    }

    /// Leaves a condition as it was before.
    pub fn keep(&mut self, type_: &str) {
        self.after.extend(self.before.iter().find(|condition| condition.type_ == type_).cloned());
    }

    /// All that were set, in that order.
    #[must_use]
    pub fn into_vec(self) -> Vec<Condition> {
        self.after
    }
}
