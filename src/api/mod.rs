//! The kinds of `entitlements.dev/v1alpha1`: types, schema and the CEL rules for what one object alone can tell; and apart from
//! them what the specs and statuses of every source of grants hold.
//!
//! Nothing here decides anything: reading the fields into what they mean is `core`'s work.
//! The doc comments of fields are user documentation, as `kubectl explain` prints them.

pub mod accepted_record;
pub mod amount;
pub mod conditions;
pub mod crd;
pub mod entitlement_definition;
pub mod entitlement_instance;
pub mod entitlement_override;
pub mod entitlement_plan;
pub mod entitlement_subscription;
pub mod entitlement_usage;
pub mod facet_definition;
pub mod facet_fields;
pub mod lifecycle;
pub mod organization;
pub mod outputs;
pub mod override_decision;
mod schema;
pub mod subscription_record;
#[cfg(test)]
mod tests;
pub mod usage;

pub use amount::AmountField;
pub use conditions::{Condition, ConditionStatus};
pub use entitlement_definition::{EntitlementDefinition, EntitlementDefinitionSpec, EntitlementDefinitionStatus};
pub use entitlement_instance::{EntitlementInstance, EntitlementInstanceSpec, EntitlementInstanceStatus};
pub use entitlement_override::{EntitlementOverride, EntitlementOverrideSpec, EntitlementOverrideStatus};
pub use entitlement_plan::{EntitlementPlan, EntitlementPlanSpec, EntitlementPlanStatus};
pub use entitlement_subscription::{
    EntitlementSubscription, EntitlementSubscriptionSpec, EntitlementSubscriptionStatus,
};
pub use entitlement_usage::{EntitlementUsage, EntitlementUsageSpec, EntitlementUsageStatus};
pub use facet_definition::{FacetDefinition, FacetDefinitionSpec, FacetDefinitionStatus};
pub use lifecycle::Phase;
pub use organization::{Organization, OrganizationSpec, OrganizationStatus};
pub use override_decision::{OverrideDecision, OverrideDecisionSpec};

/// The API group of every kind.
pub const GROUP: &str = "entitlements.dev";
/// The one served version.
pub const VERSION: &str = "v1alpha1";
/// Annotation (RFC 3339) that says when a grant, an organization or a definition was first made; it goes before
/// `creationTimestamp`, so that a restore or a move does not change who came first. Its fraction of a second counts for nothing
/// but the order of what was made in one second.
pub const GRANTED_AT: &str = "entitlements.dev/granted-at";
/// Annotation of a grant that says, for people, why it was made, suspended, resumed or cancelled. An amendment has a field
/// for that.
pub const REASON: &str = "entitlements.dev/reason";
/// Annotation of an override that somebody else than who asked for it has put back, which names that person.
pub const RESTORED_BY: &str = "entitlements.dev/restored-by";
/// Annotation in which `kubectl apply` keeps what it applied.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Default of [`OrganizationSpec::assignable_from`] and [`OrganizationSpec::reportable_from`], and a namespace that is never a tenant's.
pub const ASSIGNMENT_NAMESPACE: &str = "entitlements";

/// What an object that the operator has not looked at yet has as `status.observedGeneration`.
pub const NOT_OBSERVED: i64 = -1;
