//! The objects that protect approvals as a cluster has them, compared with what they have to be.

use super::{ApprovalGuard, Protection};
use crate::core::{age::created, calendar::Instant};
use chrono::DateTime;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// What is said as long as nobody can look at them.
const UNSEEN: &str = "the operator does not see the ValidatingAdmissionPolicies and their bindings that keep anybody from approving in \
                      another's name: give it the right to list and watch them (entitlement-operator manifests | kubectl apply -f -)";

/// One of those objects, as far as the comparison goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedGuard {
    flaw: Option<GuardFlaw>,
    /// When it was made or changed last.
    newest: Instant,
}

/// Why it does not protect anything, or soon will not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GuardFlaw {
    Missing,
    Different,
    Deleted,
}

impl ObservedGuard {
    /// Compares it with what it has to be. The spec is that of the API server, with whatever it may have.
    #[must_use]
    pub fn read(guard: ApprovalGuard, metadata: &ObjectMeta, spec: &Value) -> Self {
        let is_deleted = metadata.deletion_timestamp.is_some();
        let is_same = *spec == guard.spec();
        let flaw = if is_deleted { Some(GuardFlaw::Deleted) } else { (!is_same).then_some(GuardFlaw::Different) };
        Self { flaw, newest: newest(metadata).unwrap_or(Instant::MAX_UTC) }
    }

    /// When it was made or changed last, as it says.
    #[must_use]
    pub fn newest(&self) -> Instant {
        self.newest
    }
}

/// When an object was made or changed last, whatever it was that was changed.
fn newest(metadata: &ObjectMeta) -> Option<Instant> {
    let written = metadata.managed_fields.iter().flatten().filter_map(|entry| entry.time.as_ref());
    let written = written.filter_map(|time| DateTime::from_timestamp(time.0.as_second(), 0));
    Some(written.fold(created(metadata)?, Instant::max))
}

impl fmt::Display for GuardFlaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "is missing",
            Self::Different => "is not that of this operator",
            Self::Deleted => "is being deleted",
        })
    }
}

impl Protection {
    /// What the objects of a cluster come to.
    #[must_use]
    pub fn of(observed: &BTreeMap<ApprovalGuard, ObservedGuard>) -> Self {
        let flaw = |guard: &ApprovalGuard| observed.get(guard).map_or(Some(GuardFlaw::Missing), |seen| seen.flaw);
        let flaws: Vec<(ApprovalGuard, GuardFlaw)> =
            ApprovalGuard::all().filter_map(|guard| Some((guard, flaw(&guard)?))).collect();
        if flaws.is_empty() {
            return Self::Since(observed.values().map(|seen| seen.newest).max().unwrap_or(Instant::MAX_UTC));
        }
        let found: Vec<String> = flaws.iter().map(|(guard, flaw)| format!("the {guard} {flaw}")).collect();
        // Applying leaves what somebody has added.
        let replaced: Vec<String> = flaws
            .iter()
            .filter(|(_, flaw)| *flaw == GuardFlaw::Different)
            .map(|(guard, _)| format!("{}/{}", guard.part.kind().to_lowercase(), guard.policy.name()))
            .collect();
        let delete =
            if replaced.is_empty() { String::new() } else { format!("kubectl delete {}; ", replaced.join(" ")) };
        Self::Lacking(format!(
            "somebody could approve in another's name: {} ({delete}entitlement-operator crds | kubectl apply -f -)",
            found.join(", ")
        ))
    }

    /// Nobody can look at them.
    #[must_use]
    pub fn unseen() -> Self {
        Self::Lacking(UNSEEN.to_owned())
    }
}
