//! What the log says of grants that go from one phase to another: a line for each, with why.

use super::{
    burst::{Burst, UntoldLines},
    context::ControllerContext,
};
use crate::{
    api::{
        Phase,
        lifecycle::{LifecycleStatus, State},
    },
    core::{
        approval::Approval,
        reason::ReasonCode,
        source::{SourceKind, stated::StatedSource},
    },
    evaluation::decided::DecidedSource,
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
    pub fn of(decided: &DecidedSource, status: LifecycleStatus) -> Option<Self> {
        let (from, to) = (decided.remembered.phase, status.phase?);
        if from == Some(to) {
            return None;
        }
        let (reason, why) = why(decided, status, from, to);
        Some(Self { from, to, reason, why })
    }

    /// The phase before, as the log shows it.
    #[must_use]
    pub fn before(&self) -> &'static str {
        self.from.map_or(NONE, Phase::as_str)
    }
}

fn why(decided: &DecidedSource, status: LifecycleStatus, from: Option<Phase>, to: Phase) -> (&'static str, String) {
    let is_new = !decided.was_accepted && status.is_accepted;
    let until = || status.until.map_or_else(|| "for good".to_owned(), |until| format!("until {until}"));
    let start = || status.start.unwrap_or_default();
    match to {
        Phase::Rejected => match &decided.verdict.refusal {
            Some(refusal) => (refusal.reason.as_str(), refusal.message.clone()),
            None => (ReasonCode::Rejected.as_str(), "it is refused".to_owned()),
        },
        Phase::Requested => match &decided.verdict.refusal {
            Some(refusal) => (ReasonCode::Requested.as_str(), refusal.message.clone()),
            None => (ReasonCode::Requested.as_str(), "it is asked for".to_owned()),
        },
        Phase::Draft if from.is_some() => ("ReturnedToDraft", "its spec.state is Draft again".to_owned()),
        Phase::Draft => ("Draft", "it is a draft".to_owned()),
        Phase::Cancelled => ("Cancelled", cancelled(decided)),
        Phase::Suspended => ("Suspended", suspended(decided.stated)),
        Phase::Waiting if from == Some(Phase::Suspended) => ("Resumed", format!("it starts at {}", start())),
        Phase::Waiting if is_new => accepted(decided, &format!("starts at {}", start())),
        Phase::Waiting => ("StartMoved", format!("it starts at {}", start())),
        Phase::Active if is_new => accepted(decided, &format!("in force {}", until())),
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
        Phase::Expired => expired(decided, is_new, from),
    }
}

/// That a source is accepted, and what follows from that at once.
fn accepted(decided: &DecidedSource, so_it: &str) -> (&'static str, String) {
    match decided.approval.and_then(Approval::approved_by) {
        None => (ReasonCode::Accepted.as_str(), format!("it is accepted, and {so_it}")),
        Some(by) => (ReasonCode::Approved.as_str(), format!("{by}: {so_it}")),
    }
}

fn expired(decided: &DecidedSource, is_new: bool, from: Option<Phase>) -> (&'static str, String) {
    match (decided.renewed_by, from) {
        (Some(renewal), _) => ("Renewed", format!("it is renewed by {renewal}")),
        (None, _) if is_new => ("Accepted", "it is accepted past its end, so nothing is delivered".to_owned()),
        (None, Some(Phase::Grace)) => ("GraceEnded", "its grace period is over".to_owned()),
        (None, _) => ("Ended", "its end has come".to_owned()),
    }
}

fn cancelled(decided: &DecidedSource) -> String {
    match decided.stated.state {
        State::Cancelled if decided.kind() == SourceKind::Override => "its spec.cancelled is true".to_owned(),
        State::Cancelled => "its spec.state is Cancelled".to_owned(),
        State::Draft | State::Active => "it was cancelled".to_owned(),
    }
}

fn suspended(stated: &StatedSource) -> String {
    if stated.suspended {
        "by its own spec.suspended".to_owned()
    } else {
        format!("by spec.suspended of organization {}", stated.organization)
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
    pub fn tell(&self, decided: &DecidedSource, transition: &PhaseTransition) {
        let PhaseTransition { to, reason, why, .. } = transition;
        let (from, to) = (transition.before(), to.as_str());
        let organization = &*decided.stated.organization;
        let named = |kind: SourceKind| (decided.kind() == kind).then(|| decided.id().to_string());
        let (instance, subscription) = (named(SourceKind::Instance), named(SourceKind::Subscription));
        let entitlement_override = named(SourceKind::Override);
        let plan = subscription.as_ref().map(|_| &**decided.subject);
        let definition = instance.as_ref().or(entitlement_override.as_ref()).map(|_| &**decided.subject);
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    target: target!(), organization, instance, definition, subscription, plan,
                    "override" = entitlement_override, from, to, reason, why, "transition"
                )
            };
        }
        if self.0.is_one_of_few((from, to)) {
            tell!(info);
        } else {
            tell!(debug);
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
