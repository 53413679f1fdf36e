//! What protects approvals, as far as the watches have told.

use super::{
    World,
    store::{Identity, Placed, Put, Reading, Store},
};
use crate::{
    controller::clock,
    core::{
        approval::{ApprovalGuard, ApprovalPolicy, ObservedGuard, PolicyPart, Protection},
        calendar::Instant,
        source::SourceKind,
    },
};
use kube::api::ObjectMeta;
use std::collections::BTreeSet;

impl Placed for ApprovalPolicy {}

/// The policies and their bindings; those of others are not kept.
pub struct ApprovalGuards {
    policies: Store<ApprovalPolicy, ObservedGuard>,
    bindings: Store<ApprovalPolicy, ObservedGuard>,
    /// Of which there is a whole list, and a watch that goes on.
    seen: BTreeSet<PolicyPart>,
    /// When the youngest state of any that was ever seen was written: the times in it can be written back, and that it was seen
    /// cannot.
    youngest: Instant,
    protection: Protection,
    /// Whether the log says that it is lacking.
    is_told: bool,
}

impl Default for ApprovalGuards {
    fn default() -> Self {
        Self {
            policies: Store::default(),
            bindings: Store::default(),
            seen: BTreeSet::new(),
            youngest: Instant::MIN_UTC,
            protection: Protection::unseen(),
            is_told: false,
        }
    }
}

/// The name of one of the operator's own.
pub fn policy_of(metadata: &ObjectMeta) -> Option<ApprovalPolicy> {
    ApprovalPolicy::named(metadata.name.as_deref()?)
}

impl ApprovalGuards {
    /// Whether what protects approvals is there, and since when.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    fn store(&mut self, part: PolicyPart) -> &mut Store<ApprovalPolicy, ObservedGuard> {
        match part {
            PolicyPart::Policy => &mut self.policies,
            PolicyPart::Binding => &mut self.bindings,
        }
    }

    /// A list begins.
    pub fn begin_list(&mut self, part: PolicyPart) {
        self.store(part).begin_list();
    }

    /// A state of one of them. Whether it changes the protection.
    pub fn put(&mut self, part: PolicyPart, guard: Reading<ApprovalPolicy, ObservedGuard>) -> bool {
        let now = clock::now();
        // A time in the future is no reason to wait for it once it is mended.
        let newest = guard.value.newest().min(now);
        let put = self.store(part).put(guard.key, guard.identity, guard.value);
        // Another state than before was written just now, whatever it says: the API server notes no time when a field is taken out.
        let written = if matches!(put, Put::Stored(Some(_))) { now } else { newest };
        self.youngest = self.youngest.max(written);
        put != Put::Stale && self.compare()
    }

    /// One is gone. Whether that changes the protection.
    pub fn remove(&mut self, part: PolicyPart, metadata: &ObjectMeta) -> bool {
        let Some(policy) = policy_of(metadata) else { return false };
        self.store(part).remove(&policy, &Identity::of(metadata));
        self.compare()
    }

    /// A list is complete. Whether that changes the protection.
    pub fn finish_list(&mut self, part: PolicyPart) -> bool {
        self.store(part).finish_list();
        self.seen.insert(part);
        self.compare()
    }

    /// They may not be watched any more, or never could. Whether that changes the protection, and whether they were known until now.
    pub fn lose(&mut self, part: PolicyPart) -> (bool, bool) {
        let was_known = self.seen.remove(&part);
        (self.compare(), was_known)
    }

    /// Whether the protection is another than before.
    fn compare(&mut self) -> bool {
        let now = if self.seen.len() == 2 { Protection::of(&self.all().collect()) } else { Protection::unseen() };
        let now = now.known_since(self.youngest);
        std::mem::replace(&mut self.protection, now) != self.protection
    }

    fn tell(&mut self) {
        let was_told = std::mem::take(&mut self.is_told);
        match &self.protection {
            Protection::Lacking(why) => {
                tracing::warn!("no exception is accepted for now: {why}");
                self.is_told = true;
            }
            Protection::Since(_) if was_told => tracing::info!("exceptions can be accepted again"),
            Protection::Since(_) => {}
        }
    }

    fn all(&self) -> impl Iterator<Item = (ApprovalGuard, ObservedGuard)> {
        let of = |part| {
            move |(policy, seen): (&ApprovalPolicy, &ObservedGuard)| {
                (ApprovalGuard { part, policy: *policy }, seen.clone())
            }
        };
        self.policies.iter().map(of(PolicyPart::Policy)).chain(self.bindings.iter().map(of(PolicyPart::Binding)))
    }
}

impl World {
    /// Whether what protects approvals is there, and since when.
    pub fn protection(&self) -> &Protection {
        self.guards.protection()
    }

    /// Whether these are watched.
    #[cfg(test)]
    pub fn knows_guards(&self, part: PolicyPart) -> bool {
        self.guards.seen.contains(&part)
    }

    /// Another protection decides anew whoever has an override.
    pub(super) fn changed_protection(&mut self) {
        self.guards.tell();
        let organizations = self.grants.organizations_of(SourceKind::Override);
        self.touch_organizations(organizations);
        self.barred.extend(self.grants.all_barred(SourceKind::Override).cloned());
    }
}
