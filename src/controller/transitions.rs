//! What the log says of grants that go from one phase to another: a line for each, with why.
//!
//! Where very many do so at once, such as at midnight, the log stays one that a person can read: some lines, and then how many more
//! there were. Those lines are written all the same, at the level `debug`.

use super::context::ControllerContext;
use crate::{
    api::{EntitlementInstanceStatus, Phase, lifecycle::State},
    core::{grant::Grant, reason::ReasonCode},
    evaluation::holding::Member,
};
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

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

/// How many transitions there were lately.
#[derive(Debug, Default)]
pub struct Transitions {
    window: Mutex<TransitionWindow>,
    begins: Notify,
}

#[derive(Debug, Default)]
struct TransitionWindow {
    is_open: bool,
    told: usize,
    /// Those that were not told one by one.
    more: BTreeMap<(&'static str, &'static str), usize>,
}

impl Transitions {
    /// Tells of one.
    pub fn tell(&self, grant: &Grant, transition: &PhaseTransition) {
        let PhaseTransition { to, reason, why, .. } = transition;
        let (from, to) = (transition.before(), to.as_str());
        let (organization, instance, definition) = (&*grant.organization, grant.id.to_string(), &*grant.id.definition);
        if self.is_one_of_few(from, to) {
            tracing::info!(target: target!(), organization, instance, definition, from, to, reason, why, "transition");
        } else {
            tracing::debug!(target: target!(), organization, instance, definition, from, to, reason, why, "transition");
        }
    }

    fn is_one_of_few(&self, from: &'static str, to: &'static str) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut window.is_open, true) {
            self.begins.notify_one();
        }
        if window.told < MOST {
            window.told += 1;
            return true;
        }
        *window.more.entry((from, to)).or_default() += 1;
        false
    }

    /// The window closes; what was left out in it.
    fn close(&self) -> Option<(usize, String)> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let TransitionWindow { more, .. } = std::mem::take(&mut *window);
        let mut counts = String::new();
        for ((from, to), count) in &more {
            let separator = if counts.is_empty() { "" } else { ", " };
            let _ = write!(counts, "{separator}{from} to {to}: {count}");
        }
        (!more.is_empty()).then(|| (more.values().sum(), counts))
    }

    /// Sums up what was left out, for ever.
    async fn sum_up(&self) {
        loop {
            self.begins.notified().await;
            sleep(WINDOW).await;
            if let Some((count, counts)) = self.close() {
                tracing::info!(target: target!(), count, counts, "more transitions, each of which the level debug shows");
            }
        }
    }
}

/// Sums up bursts, for ever.
pub async fn run(context: Arc<ControllerContext>) {
    context.transitions.sum_up().await;
}

#[cfg(test)]
mod tests {
    use super::{MOST, Transitions, WINDOW};
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[tokio::test(start_paused = true)]
    async fn of_a_burst_some_are_told_and_the_others_counted() {
        let transitions = Transitions::default();
        let told =
            |count: usize, from: &'static str| (0..count).filter(|_| transitions.is_one_of_few(from, "Active")).count();
        assert_eq!((told(30, "Waiting"), told(3000, "None"), told(100, "Waiting")), (30, MOST - 30, 0));
        assert_eq!(transitions.close(), Some((3080, "None to Active: 2980, Waiting to Active: 100".to_owned())));
        assert_eq!(transitions.close(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_burst_is_another() {
        let transitions = Transitions::default();
        let happens = async {
            for _ in 0..3 {
                let told = (0..1000).filter(|_| transitions.is_one_of_few("Active", "Expired")).count();
                assert_eq!(told, MOST);
                sleep(WINDOW + Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = transitions.sum_up() => {}
            done = timeout(Duration::from_hours(1), happens) => done.unwrap(),
        }
    }
}
