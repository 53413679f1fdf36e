//! One organization evaluated at one moment: who has what, what should be in its namespaces, and when that changes next.
//!
//! [`evaluate`] is what the operator, the offline commands and every later caller share. It is pure: the same snapshot and
//! moment give the same answer, byte for byte.

pub mod admission;
pub mod allowance;
mod cases;
pub mod catalogue;
pub(crate) mod conditions;
mod course;
mod delivery;
pub mod doubts;
pub mod explanation;
mod facets;
mod flaws;
pub(crate) mod holding;
pub mod impact;
pub(crate) mod moments;
mod notices;
pub mod object;
pub mod plan;
mod standing;
pub mod status;
mod summary;

use crate::{
    api::{EntitlementInstanceStatus, Organization, OrganizationStatus, Phase},
    core::{
        calendar::Instant,
        grant::{Grant, GrantId},
        namespace::NamespaceFacts,
        secret::Secret,
    },
    render::{flags::Offers, summary::Summary, work::Budget},
};
pub use allowance::Limits;
pub use flaws::Flaws;

use catalogue::CatalogueEntry;
use delivery::Delivery;
use holding::Holding;
use object::{DesiredObject, ObjectKey};
use standing::Standing;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    /// How many grants more name the organization from where they may not, by phase: of the organization's other grants none
    /// changes anything by that.
    pub barred: BTreeMap<Phase, u64>,
    /// The catalogue's entry for each definition that a grant names; one without an entry never existed.
    pub catalogue: BTreeMap<Arc<str>, Arc<CatalogueEntry>>,
    /// Every definition of the catalogue that is ready, where the organization's flags are to have it though it is not held.
    pub offers: Arc<Offers>,
    /// Sources of secret fields.
    pub secrets: SecretSources,
    /// Sources that whoever asks may not read: nothing is known of them. The operator may read all.
    pub unseen: Arc<BTreeSet<SecretName>>,
    /// What the evaluation keeps to.
    pub limits: Limits,
    /// What is known of each namespace that the organization lists or that one of its grants lies in.
    pub namespaces: BTreeMap<Arc<str>, NamespaceFacts>,
}

/// What becomes of one grant.
#[derive(Clone, Debug)]
pub struct GrantOutcome {
    /// Which grant.
    pub id: GrantId,
    /// Its status, as it would be had everything been delivered; [`plan::statuses`] adds what delivery found.
    pub status: EntitlementInstanceStatus,
    /// Renewal notices to be given now (their text), each also recorded in the status.
    pub notices: Vec<String>,
    /// Objects that the grant should have, had every namespace been there.
    pub desired: u64,
    /// What hinders delivery already now, as reason and message.
    pub hindered: Option<(&'static str, String)>,
}

/// What one evaluation decides.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// In the snapshot's order.
    pub grants: Vec<GrantOutcome>,
    /// The organization's status, where it exists.
    pub organization: Option<OrganizationStatus>,
    /// Every object that should exist, in namespaces that exist.
    pub objects: BTreeMap<ObjectKey, DesiredObject>,
    /// Grants whose present objects stay as they are, whatever these are: nothing valid says what they should be.
    pub kept: BTreeSet<GrantId>,
    /// What the organization's summary says; absent where there is no organization, or where it cannot be told.
    pub summary: Option<Summary>,
    /// Why it cannot be told, so that it stays as it is: a reason and a message.
    pub untold: Option<(&'static str, String)>,
    /// The next moment at which anything changes by time alone.
    pub next: Option<Instant>,
    /// Where all of it was too much work for one evaluation: the first grant whose outputs stay as they are until the next one,
    /// which is to begin with it.
    pub resume: Option<GrantId>,
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
    let standing = Standing::of(snapshot);
    let holdings: Vec<Holding> = by_definition(snapshot)
        .into_iter()
        .map(|(name, indices)| Holding::of(snapshot, &standing, name, &indices, now))
        .collect();
    let untold = summary::untold(&standing, &holdings);
    let summary = untold.is_none().then(|| summary::summary(&standing, &holdings, &snapshot.offers, now));
    let mut delivery = Delivery::of(&standing, &holdings, summary, snapshot.limits, resume, &mut budget);
    let mut outcomes: Vec<(usize, GrantOutcome)> = Vec::with_capacity(snapshot.grants.len());
    let mut next: Option<Instant> = None;
    for holding in &holdings {
        for member in &holding.members {
            let notice = notices::next_notice(holding, member, now);
            next = [next, notice, member.change.map(|change| change.at)].into_iter().flatten().min();
            let delivery = delivery.grants.remove(&member.grant.id).unwrap_or_default();
            outcomes.push((member.index, status::grant_outcome(holding, member, delivery, now)));
        }
    }
    outcomes.sort_by_key(|(index, _)| *index);
    Evaluation {
        grants: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        organization: status::organization_status(
            &standing,
            &holdings,
            &snapshot.barred,
            untold.as_ref().or(delivery.hindered.as_ref()),
            now,
        ),
        objects: delivery.objects,
        kept: delivery.kept,
        summary: delivery.summary,
        untold,
        next,
        resume: delivery.resume,
    }
}

fn by_definition(snapshot: &Snapshot) -> BTreeMap<&Arc<str>, Vec<usize>> {
    let mut by_definition: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    for (index, grant) in snapshot.grants.iter().enumerate() {
        by_definition.entry(&grant.definition).or_default().push(index);
    }
    by_definition
}
