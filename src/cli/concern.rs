//! Whom something that is wrong concerns, where somebody asks about one organization.

use super::diagnostics::{Excerpt, Finding, Label, Severity};
use crate::offline::{EntitlementKind, Inventory, Subject};
use std::collections::BTreeSet;

/// Which mistakes in the catalogue concern whoever asks about an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogueConcern {
    /// Those in what it holds.
    Held,
    /// All: what it could hold matters too.
    Whole,
}

/// What somebody asks about.
pub struct Concern<'a> {
    /// All that was read.
    pub inventory: &'a Inventory,
    /// The organizations.
    pub organizations: &'a BTreeSet<String>,
    /// What of the catalogue.
    pub catalogue: CatalogueConcern,
}

impl Concern<'_> {
    /// Whether a finding is about organizations that are asked about, or about what these hold, or about the whole.
    #[must_use]
    pub fn is_about(&self, finding: &Finding) -> bool {
        let Some(Label { kind, namespace, name: Some(name) }) = &finding.label else { return true };
        if finding.severity == Severity::Unreadable {
            return true;
        }
        let namespace_or_none = namespace.as_deref().unwrap_or_default();
        let inventory = self.inventory;
        let chooses = |organization: &str| self.organizations.contains(organization);
        match EntitlementKind::of(kind) {
            Some(EntitlementKind::Organization) => chooses(name),
            Some(
                kind @ (EntitlementKind::EntitlementInstance
                | EntitlementKind::EntitlementSubscription
                | EntitlementKind::EntitlementOverride),
            ) => {
                let subject =
                    Subject { kind, namespace: namespace.as_deref().map(Into::into), name: name.as_str().into() };
                let organization = subject.source_id().and_then(|id| inventory.organization_of(&id)).map(AsRef::as_ref);
                organization.or_else(|| stated_organization(finding)).is_none_or(chooses)
            }
            Some(EntitlementKind::OverrideDecision) => {
                inventory.decided_for(namespace_or_none, name).is_none_or(chooses)
            }
            Some(EntitlementKind::EntitlementUsage) => {
                let organization = inventory.reported_for(namespace_or_none, name);
                organization.or_else(|| stated_organization(finding)).is_none_or(chooses)
            }
            Some(_) if self.catalogue == CatalogueConcern::Whole => true,
            Some(EntitlementKind::EntitlementPlan) => inventory.is_subscribed(name, &chooses),
            Some(EntitlementKind::EntitlementDefinition) => inventory.is_granted(name, &chooses),
            Some(EntitlementKind::FacetDefinition) => {
                inventory.definitions_with(name).any(|definition| inventory.is_granted(definition, &chooses))
            }
            None => true,
        }
    }
}

/// Whose an object says to be that is too wrong to be taken up.
fn stated_organization(finding: &Finding) -> Option<&str> {
    let Excerpt::LineOf(object) = &finding.excerpt else { return None };
    object.get("spec")?.get("organization")?.text()
}
