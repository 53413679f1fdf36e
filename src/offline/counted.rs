//! What the operator counts beyond what manifests report, such as what services have counted by its API. Its store knows the
//! numbers; the organization's status says in one word how it stands.

use crate::{
    api::{
        Organization,
        organization::{MeterStatus, OrganizationStatus},
    },
    core::{
        calendar::{Instant, format_instant, parse_instant},
        usage::{ledger::Ledger, memory::Memory, state::UsageState},
    },
    evaluation::{
        Snapshot,
        check::CheckedUsage,
        decision::{Decision, decide_alone},
        explanation::{CountExplanation, UsageExplanation},
        usage::{Heard, MeterFacts},
    },
};
use std::sync::Arc;

/// What the operator says of a definition that it counts. What manifests report is a part of what it counts: what is too much for
/// reports is too much, and otherwise they prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatorsCount {
    /// The state at that moment; absent where the status tells of another moment.
    pub state: Option<UsageState>,
    /// Since when that is so.
    pub since: Option<Instant>,
    /// When the allotment is new.
    pub resets_at: Option<Instant>,
}

impl OperatorsCount {
    /// As the organization's status says; absent where no operator looks after the organization. A state counts from its beginning
    /// until the allotment is new.
    #[must_use]
    pub fn of(organization: Option<&Organization>, definition: &str, now: Instant) -> Option<Self> {
        let all = &looked_after(organization)?.usage;
        let said = all.iter().find(|said| said.definition == definition);
        Some(said.and_then(|said| Self::at(said, now)).unwrap_or(Self { state: None, since: None, resets_at: None }))
    }

    /// Whether an operator counts, so that reports are but a part of what is used.
    #[must_use]
    pub fn is_kept(organization: Option<&Organization>) -> bool {
        looked_after(organization).is_some()
    }

    fn at(said: &MeterStatus, now: Instant) -> Option<Self> {
        let moment = |text: &str| parse_instant(text).ok();
        let since = moment(&said.since).filter(|since| *since <= now)?;
        let resets_at = said.resets_at.as_deref().and_then(moment);
        resets_at.is_none_or(|at| at > now).then_some(Self { state: Some(said.state), since: Some(since), resets_at })
    }

    /// What is decided by that state alone, without what is reported; absent where the status tells of another moment.
    #[must_use]
    pub fn decide(self, snapshot: &Snapshot, definition: &Arc<str>, now: Instant) -> Option<Decision> {
        self.state?;
        let mut snapshot = snapshot.clone();
        snapshot.meters.insert(Arc::clone(definition), Arc::new(unheard(now)));
        Some(decide_alone(&snapshot, definition, now))
    }

    /// How the use stands, where that is how it stands by reports alone.
    #[must_use]
    pub fn explained(
        self,
        reported: UsageExplanation,
        snapshot: &Snapshot,
        definition: &Arc<str>,
        now: Instant,
    ) -> UsageExplanation {
        let decision = self.decide(snapshot, definition, now);
        let meter = decision.as_ref().and_then(|decision| decision.meters.get(definition));
        let resets_at = self.resets_at.map(format_instant);
        let resets_at = resets_at.or_else(|| reported.balance.as_ref()?.resets_at.clone());
        UsageExplanation {
            mode: reported.mode,
            state: self.state.unwrap_or(UsageState::Unknown),
            allowed: meter.map_or(reported.allowed, |meter| {
                meter.is_allowed() && (reported.allowed || reported.balance.is_none())
            }),
            stale: true,
            balance: None,
            counted: Some(CountExplanation::of(self.since.map(format_instant), resets_at, reported.balance)),
        }
    }

    /// The same of an answer to a check.
    #[must_use]
    pub fn answered(self, reported: CheckedUsage) -> CheckedUsage {
        let resets_at = self.resets_at.map(format_instant);
        CheckedUsage {
            allotted: None,
            used: None,
            remaining: None,
            overage: None,
            excess: None,
            resets_at: resets_at.or(reported.resets_at),
            state: self.state.unwrap_or(UsageState::Unknown),
            stale: true,
            notice: reported.notice,
            channel: None,
        }
    }
}

/// What an operator says of an organization, once it has seen it.
fn looked_after(organization: Option<&Organization>) -> Option<&OrganizationStatus> {
    organization?.status.as_ref().filter(|status| status.observed_generation >= 0 || !status.usage.is_empty())
}

/// What is known where nobody but the operator knows what is used.
fn unheard(now: Instant) -> MeterFacts {
    MeterFacts {
        memory: Arc::new(Memory::default()),
        ledger: Arc::new(Ledger::default()),
        heard: Some(Heard::NotSince(now)),
    }
}
