//! What the log says of grants that go from one phase to another: a line for each, with why.

use super::{
    burst::{Burst, UntoldLines},
    context::ControllerContext,
};
use crate::{
    api::{EntitlementInstanceStatus, Phase, lifecycle::State},
    core::{grant::Grant, reason::ReasonCode},
    evaluation::holding::Member,
};
use std::{sync::Arc, time::Duration};

/// What these lines can be chosen by.
macro_rules! target {
    () => {
        "entitlement_operator::transitions"
    };
}

/// How many are told one by one in that time.
const MOST: usize = 50;
const WINDOW: Duration = Duration::from_secs(10);
/// A phase before there was any.
const NONE: &str = "None";

/// A grant's way from one phase to another, or one refusal to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseTransition {
    /// The phase before; absent at the first.
    pub from: Option<Phase>,
    /// The phase now.
    pub to: Phase,
    /// Why, as one word.
    pub reason: &'static str,
    /// Why, as a sentence.
    pub why: String,
}

impl PhaseTransition {
    /// What a status says that the one before did not.
    #[must_use]
    pub fn of(member: &Member, status: &EntitlementInstanceStatus) -> Option<Self> {
        let (from, to) = (member.grant.remembered.phase, status.phase?);
        if from == Some(to) {
            return None;
        }
        let (reason, why) = why(member, status, from, to);
        Some(Self { from, to, reason, why })
    }

    /// The phase before, as the log shows it.
    #[must_use]
    pub fn before(&self) -> &'static str {
        self.from.map_or(NONE, Phase::as_str)
    }
}

fn why(member: &Member, status: &EntitlementInstanceStatus, from: Option<Phase>, to: Phase) -> (&'static str, String) {
    let grant = &*member.grant;
    let is_new = grant.accepted.is_none() && status.accepted.is_some();
    let until = || status.until.as_ref().map_or_else(|| "for good".to_owned(), |until| format!("until {until}"));
    let start = || status.start.clone().unwrap_or_default();
    match to {
        Phase::Rejected => match &member.verdict.refusal {
            Some(refusal) => (refusal.reason.as_str(), refusal.message.clone()),
            None => (ReasonCode::Rejected.as_str(), "it is refused".to_owned()),
        },
        Phase::Draft if from.is_some() => ("ReturnedToDraft", "its spec.state is Draft again".to_owned()),
        Phase::Draft => ("Draft", "it is a draft".to_owned()),
        Phase::Cancelled => ("Cancelled", cancelled(grant)),
        Phase::Suspended => ("Suspended", suspended(grant)),
        Phase::Waiting if from == Some(Phase::Suspended) => ("Resumed", format!("it starts at {}", start())),
        Phase::Waiting if is_new => ("Accepted", format!("it is accepted, and starts at {}", start())),
        Phase::Waiting => ("StartMoved", format!("it starts at {}", start())),
        Phase::Active if is_new => ("Accepted", format!("it is accepted, and in force {}", until())),
        Phase::Active => match from {
            Some(Phase::Waiting) => ("Started", format!("its start has come: it is in force {}", until())),
            Some(Phase::Suspended) => ("Resumed", format!("it is suspended no more, and in force {}", until())),
            Some(Phase::Grace | Phase::Expired) => {
                ("Extended", format!("its end was moved: it is in force {}", until()))
            }
            _ => ("InForce", format!("it is in force {}", until())),
        },
        Phase::Grace if is_new => ("Accepted", "it is accepted past its end, and in its grace period".to_owned()),
        Phase::Grace if from == Some(Phase::Suspended) => {
            ("Resumed", "it is suspended no more, and in its grace period".to_owned())
        }
        Phase::Grace => ("Ended", "its end has come: it is delivered until its grace period is over".to_owned()),
        Phase::Expired => expired(member, is_new, from),
    }
}

fn expired(member: &Member, is_new: bool, from: Option<Phase>) -> (&'static str, String) {
    match (&member.renewed_by, from) {
        (Some(renewal), _) => ("Renewed", format!("it is renewed by {renewal}")),
        (None, _) if is_new => ("Accepted", "it is accepted past its end, so nothing is delivered".to_owned()),
        (None, Some(Phase::Grace)) => ("GraceEnded", "its grace period is over".to_owned()),
        (None, _) => ("Ended", "its end has come".to_owned()),
    }
}

fn cancelled(grant: &Grant) -> String {
    match grant.state {
        State::Cancelled => "its spec.state is Cancelled".to_owned(),
        State::Draft | State::Active => "it was cancelled".to_owned(),
    }
}

fn suspended(grant: &Grant) -> String {
    if grant.suspended {
        "by its own spec.suspended".to_owned()
    } else {
        format!("by spec.suspended of organization {}", grant.organization)
    }
}

/// The transitions that there were lately.
#[derive(Debug)]
pub struct Transitions(Burst<(&'static str, &'static str)>);

impl Default for Transitions {
    fn default() -> Self {
        Self(Burst::of(MOST, WINDOW))
    }
}

impl Transitions {
    /// Tells of one.
    pub fn tell(&self, grant: &Grant, transition: &PhaseTransition) {
        let PhaseTransition { to, reason, why, .. } = transition;
        let (from, to) = (transition.before(), to.as_str());
        let (organization, instance, definition) = (&*grant.organization, grant.id.to_string(), &*grant.id.definition);
        if self.0.is_one_of_few((from, to)) {
            tracing::info!(target: target!(), organization, instance, definition, from, to, reason, why, "transition");
        } else {
            tracing::debug!(target: target!(), organization, instance, definition, from, to, reason, why, "transition");
        }
    }
}

/// Sums up bursts, for ever.
pub async fn run(context: Arc<ControllerContext>) {
    let tell = |UntoldLines { count, counts }| {
        tracing::info!(target: target!(), count, counts, "more transitions, each of which the level debug shows");
    };
    context.transitions.0.sum_up(|(from, to)| format!("{from} to {to}"), tell).await;
}
