//! One organization evaluated at one moment: who has what, what should be in its namespaces, and when that changes next.
//!
//! The operator, the offline commands, and every later caller share [`decision::decide`]: everything that is said and made comes
//! from the [`decision::Decision`]. It is pure: the same snapshot and moment give the same answer, byte for byte.
//!
//! ```text
//! Snapshot ─▶ decide ─▶ Decision ─┬─▶ deliver ─▶ Desired ─▶ plan ─▶ writes, withdrawals ─▶ Outcomes
//!                                 ├─▶ status (with the Outcomes)
//!                                 └─▶ explanation, admission, impact, offline
//! ```

pub mod admission;
pub mod allowance;
mod bearer;
mod before;
mod cases;
pub mod catalogue;
mod channels;
pub mod check;
pub(crate) mod conditions;
mod content;
mod course;
pub mod decided;
pub mod decision;
pub mod delivery;
pub mod doubts;
pub mod explanation;
mod facets;
mod flaws;
pub(crate) mod holding;
pub mod impact;
pub mod memo;
pub(crate) mod moments;
mod notices;
pub mod object;
mod overrides;
pub mod plan;
mod present;
pub mod standing;
pub mod status;
pub mod subscriptions;
mod summary;
#[cfg(test)]
mod tests;
pub mod usage;
pub mod usage_report;
pub mod uses;
mod values;

use crate::{
    api::{Organization, Phase},
    core::{
        approval::Approvals,
        authority::ApiAuthority,
        calendar::Instant,
        grant::{Grant, GrantId},
        namespace::NamespaceFacts,
        plan::Plan,
        secret::Secret,
        source::{SourceKind, subscription::Subscription},
    },
    render::{flags::Offers, work::Budget},
};
pub use allowance::Limits;
pub use flaws::Flaws;

use catalogue::CatalogueEntry;
use decision::{Decision, decide, decide_after};
use delivery::{Desired, deliver, deliver_after};
use memo::Memo;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use usage::MeterFacts;

/// A Secret, by namespace and name.
pub type SecretName = (Arc<str>, Arc<str>);

/// The data of the Secrets that grants take secret fields from. One that is absent here does not exist, or may not be read.
pub type SecretSources = BTreeMap<SecretName, Arc<BTreeMap<String, Secret<Vec<u8>>>>>;

/// Everything that one evaluation reads, taken at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The organization's name, which its grants give.
    pub name: Arc<str>,
    /// The organization, where it exists.
    pub organization: Option<Arc<Organization>>,
    /// Every grant that names the organization, but for those that are `barred`.
    pub grants: Vec<Arc<Grant>>,
    /// Every subscription that names the organization, but for those that are `barred`.
    pub subscriptions: Vec<Arc<Subscription>>,
    /// Whether every revision of the catalogue that is kept is known. Where it is not, as in a set of manifests, what a plan is
    /// now counts in place of a revision that is not there.
    pub knows_revisions: bool,
    /// How many sources of grants more name the organization from where they may not, by kind and phase: of the organization's other
    /// grants none changes anything by that.
    pub barred: BTreeMap<(SourceKind, Phase), u64>,
    /// The catalogue's entry for each definition that a grant names; one without an entry never existed.
    pub catalogue: BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
    /// The same for each plan and add-on that the organization's subscriptions name.
    pub plans: BTreeMap<Arc<str>, Arc<CatalogueEntry<Plan>>>,
    /// Every definition of the catalogue that is ready, where the organization's flags are to have it though it is not held.
    pub offers: Arc<Offers>,
    /// By which authority the API is trusted, where the organization's summary is to say so.
    pub authority: ApiAuthority,
    /// Sources of secret fields.
    pub secrets: SecretSources,
    /// Sources that whoever asks may not read: nothing is known of them. The operator may read all.
    pub unseen: Arc<BTreeSet<SecretName>>,
    /// What the evaluation keeps to.
    pub limits: Limits,
    /// What is known of approvals of its overrides.
    pub approvals: Arc<Approvals>,
    /// What is known of the use of each metered definition. Of one that is not here nothing is.
    pub meters: BTreeMap<Arc<str>, Arc<MeterFacts>>,
    /// What is known of each namespace that the organization lists or that one of its grants lies in.
    pub namespaces: BTreeMap<Arc<str>, NamespaceFacts>,
}

/// What one evaluation comes to.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What is decided.
    pub decision: Arc<Decision>,
    /// What should be there for that.
    pub desired: Desired,
}

impl Evaluation {
    /// The next evaluation of an organization: what changes nothing of what was known `before` is not made anew.
    #[must_use]
    pub fn after(
        before: Option<&Decision>,
        memo: &mut Memo,
        snapshot: &Snapshot,
        now: Instant,
        resume: Option<&GrantId>,
    ) -> Self {
        let decision = Arc::new(decide_after(snapshot, now, before));
        let desired = deliver_after(&decision, resume, &mut Budget::default(), memo);
        Self { decision, desired }
    }
}

/// Evaluates an organization at one moment.
#[must_use]
pub fn evaluate(snapshot: &Snapshot, now: Instant) -> Evaluation {
    evaluate_from(snapshot, now, None)
}

/// The same, beginning with what the evaluation before has left to this one.
#[must_use]
pub fn evaluate_from(snapshot: &Snapshot, now: Instant, resume: Option<&GrantId>) -> Evaluation {
    evaluate_within(snapshot, now, resume, Budget::default())
}

/// The same with so much work at most.
#[must_use]
pub fn evaluate_within(snapshot: &Snapshot, now: Instant, resume: Option<&GrantId>, mut budget: Budget) -> Evaluation {
    let decision = Arc::new(decide(snapshot, now));
    let desired = deliver(&decision, resume, &mut budget);
    Evaluation { decision, desired }
}
