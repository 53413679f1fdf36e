//! What happens to one organization at one moment.

use super::SubscriptionChange;
use crate::{
    api::{Phase, facet_fields::FacetFields, lifecycle::Notice},
    core::{
        amount::Amount,
        calendar::Instant,
        grant::GrantId,
        lifecycle::Verdict,
        refusal::Reason,
        source::{SourceId, SourceKind},
        usage::balance::{Balance, BlockBalance},
    },
    evaluation::{
        holding::Member,
        object::{ObjectContent, ObjectKey},
    },
    render::summary::SummaryEntry,
};
use rust_decimal::Decimal;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// What happens to one organization at one moment.
#[derive(Clone, Debug)]
pub struct TimelineStep {
    /// The moment.
    pub at: Instant,
    /// The organization.
    pub organization: Arc<str>,
    /// What happens to its grants.
    pub grants: Vec<GrantChange>,
    /// What happens to its subscriptions as a whole; to each definition that one gives, `grants` says it too.
    pub subscriptions: Vec<SubscriptionChange>,
    /// What it holds before and after, of each definition where that differs.
    pub holdings: BTreeMap<Arc<str>, (HoldingState, HoldingState)>,
    /// The definitions whose allotments are new, with how much was used of them before and after.
    pub resets: BTreeMap<Arc<str>, (UseState, UseState)>,
    /// How much is used of the definitions of which something is dated then that lay ahead before.
    pub uses: BTreeMap<Arc<str>, UseState>,
    /// What is delivered, changed and withdrawn.
    pub objects: Vec<ObjectChange>,
}

impl TimelineStep {
    /// A step in which nothing happens yet.
    #[must_use]
    pub fn empty(organization: &Arc<str>, at: Instant) -> Self {
        Self {
            at,
            organization: Arc::clone(organization),
            grants: Vec::new(),
            subscriptions: Vec::new(),
            holdings: BTreeMap::new(),
            resets: BTreeMap::new(),
            uses: BTreeMap::new(),
            objects: Vec::new(),
        }
    }

    /// What happens to grants of sources that have one grant alone. What a subscription gives is told with the subscription.
    pub fn own_grants(&self) -> impl Iterator<Item = &GrantChange> + Clone {
        self.grants.iter().filter(|change| change.grant.source.kind != SourceKind::Subscription)
    }

    /// What happens to grants of sources of that kind, which have one grant alone.
    pub fn grants_of(&self, kind: SourceKind) -> impl Iterator<Item = &GrantChange> + Clone {
        self.grants.iter().filter(move |change| change.grant.source.kind == kind)
    }

    /// What happens to a subscription as a whole, if anything does.
    #[must_use]
    pub fn subscription(&self, source: &SourceId) -> Option<&SubscriptionChange> {
        self.subscriptions.iter().find(|change| change.source == *source)
    }

    /// The subscription that renews one that is over, where it takes over then and there.
    #[must_use]
    pub fn successor_of<'a>(&self, change: &'a SubscriptionChange) -> Option<&'a str> {
        let is_over = change.is_transition() && change.after.standing.phase == Phase::Expired;
        let renewal = change.renewed_by.as_ref().filter(|_| is_over)?;
        let next = self.subscription(&change.source.beside(Arc::clone(renewal)))?;
        next.after.standing.phase.is_in_force().then_some(&**renewal)
    }

    /// The grant that renews one that is over, where it takes over then and there.
    #[must_use]
    pub fn successor<'a>(&self, change: &'a GrantChange) -> Option<&'a str> {
        let is_over = change.is_transition() && change.after.phase == Phase::Expired;
        let renewal = change.renewed_by.as_deref().filter(|_| is_over)?;
        let is_it = |other: &GrantChange| {
            other.grant.source.kind == change.grant.source.kind
                && other.grant.source.namespace == change.grant.source.namespace
                && *other.grant.source.name == *renewal
        };
        self.grants.iter().any(|other| is_it(other) && other.after.phase.is_in_force()).then_some(renewal)
    }

    /// Whether nothing happens that anyone would notice.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
            && self.subscriptions.is_empty()
            && self.holdings.is_empty()
            && self.resets.is_empty()
            && self.uses.is_empty()
            && self.objects.is_empty()
    }
}

/// What happens to a grant.
#[derive(Clone, Debug)]
pub struct GrantChange {
    /// Which grant.
    pub grant: GrantId,
    /// The definition's name.
    pub definition: Arc<str>,
    /// How it stood.
    pub before: GrantState,
    /// How it stands from now on.
    pub after: GrantState,
    /// The grant that renews it.
    pub renewed_by: Option<Arc<str>>,
    /// Amendments that count from now on.
    pub amendments: Vec<String>,
    /// Notices that are given.
    pub notices: Vec<Notice>,
    /// Who has approved an override, where that is decided now.
    pub approved_by: Option<Vec<Arc<str>>>,
}

impl GrantChange {
    /// Nothing happens to a grant that stands so.
    #[must_use]
    pub fn none(member: &Member) -> Self {
        Self {
            grant: member.grant.id.clone(),
            definition: Arc::clone(&member.grant.id.definition),
            before: GrantState::of(member),
            after: GrantState::of(member),
            renewed_by: member.renewed_by.clone(),
            amendments: Vec::new(),
            notices: Vec::new(),
            approved_by: None,
        }
    }

    /// Whether its phase changes.
    #[must_use]
    pub fn is_transition(&self) -> bool {
        self.before.phase != self.after.phase
    }
}

/// How a grant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantState {
    /// Its phase.
    pub phase: Phase,
    /// Why it is refused.
    pub reason: Option<Reason>,
    /// The first moment in force.
    pub start: Option<Instant>,
    /// The first moment no longer in force.
    pub end: Option<Instant>,
}

impl GrantState {
    /// As it is decided.
    #[must_use]
    pub fn of(member: &Member) -> Self {
        Self::of_verdict(&member.verdict)
    }

    /// As it is decided of a source of grants.
    #[must_use]
    pub fn of_verdict(verdict: &Verdict) -> Self {
        let refused = verdict.refusal.as_ref().filter(|_| verdict.phase == Phase::Rejected);
        Self {
            phase: verdict.phase,
            reason: refused.map(|refused| refused.reason),
            start: verdict.term.map(|term| term.start.instant()),
            end: verdict.term.and_then(|_| verdict.end.instant().at()),
        }
    }
}

/// What an organization holds of a definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HoldingState {
    /// Whether it is in force.
    pub entitled: bool,
    /// The total; absent for a Feature.
    pub amount: Option<String>,
    /// What is counted.
    pub unit: Option<String>,
    /// The values, without secrets.
    pub facets: FacetFields,
    /// What of it there is cannot be told, as no definition says.
    pub is_untold: bool,
}

impl HoldingState {
    /// As the summary tells it.
    #[must_use]
    pub fn of(entry: &SummaryEntry) -> Self {
        Self {
            entitled: entry.entitled,
            amount: entry.amount.clone(),
            unit: entry.unit.clone(),
            facets: entry.facets.clone(),
            is_untold: false,
        }
    }

    /// In force, by an unknown definition.
    #[must_use]
    pub fn untold() -> Self {
        Self { entitled: true, is_untold: true, ..Self::default() }
    }

    /// Whether a client gets the same by both.
    #[must_use]
    pub fn gives_the_same(&self, other: &Self) -> bool {
        match (self.entitled, other.entitled) {
            (true, true) => {
                (&self.amount, &self.facets, self.is_untold) == (&other.amount, &other.facets, other.is_untold)
            }
            (one, other) => one == other,
        }
    }
}

/// How much is used of an allotment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseState {
    /// What is used, and beyond it.
    pub used: Decimal,
    /// All that can be used.
    pub allotted: Amount,
    /// What is left of what was carried over into the period: once that is over, it lapses.
    pub carried: Decimal,
    /// It is reckoned from reports alone, and the operator counts more.
    pub is_reported: bool,
}

impl UseState {
    /// As it is reckoned, perhaps from reports alone of what the operator counts.
    #[must_use]
    pub fn of(balance: &Balance, is_reported: bool) -> Self {
        let carried = balance.blocks.iter().filter(|block| block.part.is_none()).map(BlockBalance::left);
        Self {
            used: balance.used.saturating_add(balance.overage),
            allotted: balance.allotted,
            carried: carried.fold(Decimal::ZERO, Decimal::saturating_add),
            is_reported,
        }
    }
}

impl fmt::Display for UseState {
    /// `10 of 12`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.used.normalize(), self.allotted)
    }
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectAction {
    /// It is there from now on.
    Delivered,
    /// It holds something else from now on.
    Changed,
    /// It is no longer there.
    Withdrawn,
    /// It is still there, labelled as no longer in force.
    Retained,
}

/// What happens to an object in one of the organization's namespaces.
#[derive(Clone, Debug)]
pub struct ObjectChange {
    /// Which object.
    pub key: ObjectKey,
    /// What happens to it.
    pub action: ObjectAction,
    /// The grant that it is made for; absent for the summary.
    pub grant: Option<GrantId>,
    /// What it holds from now on, or held last, a summary without its data; absent where that cannot be told, such as for want of a Secret.
    pub content: Option<Arc<ObjectContent>>,
}
