//! How an organization stands: its time zone, and which of its namespaces are served.

use super::Snapshot;
use crate::{
    api::{Organization, entitlement_definition::OutputKind},
    core::{
        calendar::{Tz, parse_zone},
        namespace::{Lack, NamespaceAccess, NamespaceFacts, NoTenants, may_assign},
        problem::Problem,
        reason::ReasonCode,
        refusal::{Reason, Refusal},
        reserved_name::keeper,
        source::stated::StatedSource,
    },
};
use std::{collections::BTreeMap, sync::Arc};

/// How an organization stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub name: Arc<str>,
    /// The organization, where it exists.
    pub organization: Option<Arc<Organization>>,
    /// Its time zone, where that is known.
    pub zone: Option<Tz>,
    /// Its namespaces that exist and are its own.
    pub served: Vec<Arc<str>>,
    /// Its own namespaces that do not exist, or are terminating.
    pub awaited: Vec<Arc<str>>,
    /// Its own namespaces in which the operator can do nothing, each with why.
    pub closed: Vec<(Arc<str>, Problem)>,
    /// Its namespaces that are served but for their Secrets, each with why.
    pub without_secrets: BTreeMap<Arc<str>, Problem>,
    /// Why its summary can't be written under the name that it is given.
    pub summary_problem: Option<Problem>,
    /// What is wrong, the gravest first, each with its place in the organization.
    pub problems: Vec<Problem>,
}

impl Standing {
    /// How the snapshot's organization stands.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut standing = Self {
            name: Arc::clone(&snapshot.name),
            organization: snapshot.organization.clone(),
            zone: None,
            served: Vec::new(),
            awaited: Vec::new(),
            closed: Vec::new(),
            without_secrets: BTreeMap::new(),
            summary_problem: None,
            problems: Vec::new(),
        };
        let Some(organization) = snapshot.organization.as_deref() else { return standing };
        match parse_zone(&organization.spec.time_zone) {
            Ok(zone) => standing.zone = Some(zone),
            Err(error) => {
                standing
                    .problems
                    .push(Problem::new(ReasonCode::InvalidTimeZone, error.to_string()).at("/spec/timeZone"));
            }
        }
        for (index, namespace) in organization.spec.namespaces.iter().enumerate() {
            let problem = standing.place(namespace.as_str().into(), snapshot);
            standing.problems.extend(problem.map(|problem| problem.at(format!("/spec/namespaces/{index}"))));
        }
        standing.summary_problem = summary_problem(&organization.spec.summary.name);
        standing.problems.extend(standing.summary_problem.clone());
        standing.problems.sort_by_key(|problem| gravity(problem.reason));
        standing
    }

    /// Serves or awaits a namespace, or says why not.
    fn place(&mut self, namespace: Arc<str>, snapshot: &Snapshot) -> Option<Problem> {
        let unknown = NamespaceFacts::default();
        let facts = snapshot.namespaces.get(&namespace).unwrap_or(&unknown);
        if let Some(trouble) = not_a_tenants(&namespace, facts) {
            return Some(Problem::new(ReasonCode::NamespaceRefused, trouble));
        }
        if let Some(owner) = facts.claimed_by.as_deref().filter(|owner| *owner != &*self.name) {
            let message = format!(
                "namespace {namespace} belongs to the older organization {owner}: remove it from one of the two"
            );
            return Some(Problem::new(ReasonCode::NamespaceTaken, message));
        }
        // There is no right in a namespace before it is there.
        if let NamespaceAccess::Nothing(lack) = facts.access
            && (facts.present || lack == Lack::NotServed)
        {
            let problem = closed(&namespace, lack);
            self.closed.push((namespace, problem.clone()));
            return Some(problem);
        }
        if facts.present {
            if let NamespaceAccess::NoSecrets(lack) = facts.access {
                self.without_secrets.insert(Arc::clone(&namespace), without_secrets(&namespace, lack));
            }
            self.served.push(namespace);
            return None;
        }
        let missing = Problem::new(ReasonCode::NamespaceMissing, awaiting(&namespace));
        self.awaited.push(namespace);
        Some(missing)
    }

    /// Why nothing of its grants can be delivered now, where it has no namespace that is served.
    #[must_use]
    pub fn nowhere(&self) -> Option<Problem> {
        if !self.served.is_empty() {
            return None;
        }
        let mut problems = self.problems.iter().filter(|problem| NAMESPACE_REASONS.contains(&problem.reason));
        let Problem { reason, message: first, .. } = problems.next()?;
        let more = match problems.count() {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        let message = format!(
            "organization {} has no namespace to deliver to: make one that its spec.namespaces lists, or mend that list; {first}{more}",
            self.name
        );
        Some(Problem::new(*reason, message))
    }

    /// Whether everything that it holds is withdrawn for now.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.organization.as_ref().is_some_and(|organization| organization.spec.suspended)
    }

    /// Why a grant is refused whether or not it was accepted before: it has no right to be granted.
    #[must_use]
    pub fn barred(&self, source: &StatedSource, facts: Option<&NamespaceFacts>) -> Option<Refusal> {
        let Some(organization) = &self.organization else {
            let message = format!(
                "there is no organization {}: make it, or mend spec.organization by making the {} anew",
                self.name,
                source.age.kind.noun()
            );
            return Some(Refusal::new(Reason::OrganizationNotFound, message));
        };
        let (namespace, kind) = (&*source.age.namespace, source.age.kind.field());
        if !may_assign(organization, namespace) {
            let message = format!(
                "organization {} does not allow grants from namespace {namespace}: make the {kind} in one of its assignableFrom ({})",
                self.name,
                organization.spec.assignable_from.join(", ")
            );
            return Some(Refusal::new(Reason::NamespaceNotAllowed, message));
        }
        let tenant = facts.and_then(|facts| facts.tenant(namespace))?;
        let message = format!(
            "namespace {namespace} is one of organization {tenant}'s own, and a tenant must not grant itself anything: make the {kind} in a namespace that no organization lists"
        );
        Some(Refusal::new(Reason::NamespaceNotAllowed, message))
    }
}

/// How what the operator lacks is given to it.
const GIVE: &str = "with the rights that entitlement-operator manifests prints for it";

/// What is said of a namespace in which the operator can do nothing. What is there stays as it is.
fn closed(namespace: &str, lack: Lack) -> Problem {
    match lack {
        Lack::NotServed => Problem::new(
            ReasonCode::NamespaceNotServed,
            format!(
                "the operator does not serve namespace {namespace}, and leaves what is there as it is: add it to the operator's --namespaces, {GIVE}"
            ),
        ),
        Lack::NotListed => Problem::new(
            ReasonCode::NamespaceNotListed,
            format!(
                "the operator may not list what is in namespace {namespace}, and leaves it as it is: give it the rights that entitlement-operator manifests prints for it"
            ),
        ),
    }
}

/// What is said where an operator is without the Secrets in a namespace. Those that are there stay as they are.
#[must_use]
pub fn without_secrets(namespace: &str, lack: Lack) -> Problem {
    match lack {
        Lack::NotServed => Problem::new(
            ReasonCode::SecretsNotServed,
            format!(
                "the operator is not given the Secrets in namespace {namespace}, and leaves them as they are: add it to the operator's --secret-namespaces, {GIVE}"
            ),
        ),
        Lack::NotListed => Problem::new(
            ReasonCode::SecretsNotListed,
            format!(
                "the operator may not list the Secrets in namespace {namespace}, and leaves them as they are: give it the rights that entitlement-operator manifests prints for it"
            ),
        ),
    }
}

/// What is said of an organization with grants that the operator may not see. What they give, and what it gives others, cannot be
/// told, so everything stays as it is.
#[must_use]
pub fn unseen_grants(namespace: &str, lack: Lack) -> Problem {
    match lack {
        Lack::NotServed => Problem::new(
            ReasonCode::NamespaceNotServed,
            format!(
                "everything of the organization stays as it is, as it takes grants from namespace {namespace}, which the operator does not serve: add it to the operator's --namespaces, {GIVE}, or take it out of spec.assignableFrom"
            ),
        ),
        Lack::NotListed => Problem::new(
            ReasonCode::NamespaceNotListed,
            format!(
                "everything of the organization stays as it is, as it takes grants from namespace {namespace}, in which the operator may not list them: give it the rights that entitlement-operator manifests prints for it, or take the namespace out of spec.assignableFrom"
            ),
        ),
    }
}

/// What is said of a namespace that is waited for.
#[must_use]
pub fn awaiting(namespace: &str) -> String {
    format!("namespace {namespace} does not exist or is terminating: it is served as soon as it is there")
}

fn summary_problem(name: &str) -> Option<Problem> {
    let keeper = keeper(OutputKind::ConfigMap, name)?;
    let message = format!(
        "spec.summary.name {name} is the name of a ConfigMap that {keeper} keeps in every namespace: give the summary another"
    );
    Some(Problem::new(ReasonCode::ReservedName, message).at("/spec/summary/name"))
}

/// The reasons of a namespace that is not served.
const NAMESPACE_REASONS: [ReasonCode; 5] = [
    ReasonCode::NamespaceRefused,
    ReasonCode::NamespaceTaken,
    ReasonCode::NamespaceNotServed,
    ReasonCode::NamespaceNotListed,
    ReasonCode::NamespaceMissing,
];

fn gravity(reason: ReasonCode) -> usize {
    let [refused, taken, not_served, not_listed, missing] = NAMESPACE_REASONS;
    let known =
        [ReasonCode::InvalidTimeZone, refused, taken, ReasonCode::ReservedName, not_served, not_listed, missing];
    known.iter().position(|known| *known == reason).unwrap_or(0)
}

/// Why a namespace is never, or not now, a tenant's.
fn not_a_tenants(namespace: &str, facts: &NamespaceFacts) -> Option<String> {
    Some(match facts.no_tenants(namespace)? {
        NoTenants::Reserved => {
            format!("namespace {namespace} is the cluster's or the operator's own and never a tenant's: remove it")
        }
        NoTenants::HoldsGrant(grant) => {
            format!(
                "namespace {namespace} holds the grant {grant}, and is never a tenant's as long as it does: remove it"
            )
        }
    })
}
