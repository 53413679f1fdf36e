//! Which object is meant.

use crate::core::source::{SourceId, SourceKind};
use std::{fmt, sync::Arc};

/// The kinds that the operator has, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntitlementKind {
    /// An organization.
    Organization,
    /// A facet definition.
    FacetDefinition,
    /// A definition.
    EntitlementDefinition,
    /// A plan.
    EntitlementPlan,
    /// An instance.
    EntitlementInstance,
    /// A subscription.
    EntitlementSubscription,
    /// An override.
    EntitlementOverride,
    /// A decision on an override.
    OverrideDecision,
    /// A report of usage.
    EntitlementUsage,
}

impl EntitlementKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Organization,
        Self::FacetDefinition,
        Self::EntitlementDefinition,
        Self::EntitlementPlan,
        Self::EntitlementInstance,
        Self::EntitlementSubscription,
        Self::EntitlementOverride,
        Self::OverrideDecision,
        Self::EntitlementUsage,
    ];

    /// The kind of that name.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }

    /// Its name in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::FacetDefinition => "FacetDefinition",
            Self::EntitlementDefinition => "EntitlementDefinition",
            Self::EntitlementPlan => "EntitlementPlan",
            Self::EntitlementInstance => "EntitlementInstance",
            Self::EntitlementSubscription => "EntitlementSubscription",
            Self::EntitlementOverride => "EntitlementOverride",
            Self::OverrideDecision => "OverrideDecision",
            Self::EntitlementUsage => "EntitlementUsage",
        }
    }

    /// Whether its objects lie in namespaces.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        matches!(
            self,
            Self::EntitlementInstance
                | Self::EntitlementSubscription
                | Self::EntitlementOverride
                | Self::OverrideDecision
                | Self::EntitlementUsage
        )
    }
}

/// An object of one of the operator's kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Its kind.
    pub kind: EntitlementKind,
    /// Its namespace; absent where the kind has none.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
}

impl Subject {
    /// An object without a namespace.
    #[must_use]
    pub fn cluster_scoped(kind: EntitlementKind, name: &Arc<str>) -> Self {
        Self { kind, namespace: None, name: Arc::clone(name) }
    }

    /// Which source of grants it is; none where it is another object.
    #[must_use]
    pub fn source_id(&self) -> Option<SourceId> {
        let kind = match self.kind {
            EntitlementKind::EntitlementInstance => SourceKind::Instance,
            EntitlementKind::EntitlementSubscription => SourceKind::Subscription,
            EntitlementKind::EntitlementOverride => SourceKind::Override,
            _ => return None,
        };
        Some(SourceId::new(kind, self.namespace.as_deref()?, &self.name))
    }

    /// A source of grants.
    #[must_use]
    pub fn source(id: &SourceId) -> Self {
        let kind = match id.kind {
            SourceKind::Subscription => EntitlementKind::EntitlementSubscription,
            SourceKind::Instance => EntitlementKind::EntitlementInstance,
            SourceKind::Override => EntitlementKind::EntitlementOverride,
            #[cfg(test)]
            SourceKind::Bundle => EntitlementKind::EntitlementInstance,
        };
        Self { kind, namespace: Some(Arc::clone(&id.namespace)), name: Arc::clone(&id.name) }
    }
}

impl fmt::Display for Subject {
    /// `Organization acme`, `EntitlementInstance entitlements/acme-seats`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        match &self.namespace {
            Some(namespace) => write!(formatter, "{kind} {namespace}/{}", self.name),
            None => write!(formatter, "{kind} {}", self.name),
        }
    }
}
