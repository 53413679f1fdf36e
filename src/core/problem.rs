//! What is wrong with something: a reason for machines, a message for people, and the place.

use super::{reason::ReasonCode, refusal::Refusal};

/// What is wrong with something, as a condition's reason and message, and with the place that is at fault.
///
/// Everything in the project that has a reason and a message is one of these; a [`super::refusal::Refusal`] knows its few reasons
/// also by their order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Problem {
    /// One word.
    pub reason: ReasonCode,
    /// A sentence that says what to do.
    pub message: String,
    /// What of the object is at fault, as a JSON pointer into the part of it that is spoken of (its spec, an output); empty where
    /// that is not one field.
    pub pointer: String,
}

impl Problem {
    /// The most problems that one message names.
    const MAX_NAMED: usize = 10;

    /// A problem for that reason.
    #[must_use]
    pub fn new(reason: ReasonCode, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), pointer: String::new() }
    }

    /// The same, with the field that is at fault.
    #[must_use]
    pub fn at(self, pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), ..self }
    }

    /// The same, whatever its place.
    #[must_use]
    pub fn placeless(self) -> Self {
        Self { pointer: String::new(), ..self }
    }

    /// The same, where what it points into lies deeper.
    #[must_use]
    pub fn within(self, parent: &str) -> Self {
        Self { pointer: format!("{parent}{}", self.pointer), ..self }
    }

    /// Several as one, for a condition has one reason and one message: that of a secret that would be shown, or else the
    /// first.
    #[must_use]
    pub fn all(problems: Vec<Self>) -> Option<Self> {
        let gravest = problems.iter().find(|problem| problem.reason == ReasonCode::SecretInConfigMap);
        let Self { reason, pointer, .. } = gravest.or(problems.first())?.clone();
        let hidden = problems.len().saturating_sub(Self::MAX_NAMED);
        let mut message =
            problems.into_iter().take(Self::MAX_NAMED).map(|one| one.message).collect::<Vec<_>>().join("; ");
        if hidden > 0 {
            message = format!("{message}; and {hidden} more");
        }
        Some(Self { reason, message, pointer })
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        Self::new(refusal.reason.code(), refusal.message.clone()).at(refusal.reason.pointer())
    }
}
