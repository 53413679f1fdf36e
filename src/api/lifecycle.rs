//! What specs and statuses say of the life of a grant: what is wanted, where it is, what comes, and what was said of it.

use super::{
    Condition, EntitlementInstanceStatus, EntitlementOverrideStatus, EntitlementSubscriptionStatus,
    entitlement_subscription::EntitlementStatus,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use utoipa::ToSchema;

/// What the owner of a grant wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Checked, but not in force.
    Draft,
    /// In force for its term.
    #[default]
    Active,
    /// Taken back, for good.
    Cancelled,
}

/// What the statuses of all kinds of sources say alike, each in its own fields.
#[derive(Clone, Copy, Debug)]
pub struct LifecycleStatus<'a> {
    /// The `metadata.generation` that it speaks of.
    pub observed_generation: i64,
    /// Where the source is in its life.
    pub phase: Option<Phase>,
    /// The first moment in force.
    pub start: Option<&'a str>,
    /// The first moment no longer in force.
    pub end: Option<&'a str>,
    /// The end, for people.
    pub until: Option<&'a str>,
    /// The next change by time alone.
    pub next_transition: Option<&'a Transition>,
    /// Whether it has a record of acceptance.
    pub is_accepted: bool,
    /// The time zone that was recorded then.
    pub time_zone: Option<&'a str>,
    /// What else is to be said.
    pub conditions: &'a [Condition],
}

/// The status of a source of grants.
pub trait SourceStatus: Clone + Debug + Default + PartialEq + Serialize + Send + Sync + 'static {
    /// What the statuses of all kinds of sources say alike.
    fn lifecycle(&self) -> LifecycleStatus<'_>;

    /// What it gives, where the source may give several definitions.
    fn entitlements(&self) -> &[EntitlementStatus] {
        &[]
    }

    /// Its conditions.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;

    /// The same that speaks of that generation.
    #[must_use]
    fn observing(self, generation: i64) -> Self;
}

/// Has the status of a kind of sources tell what all of them do, with where the time zone of its record and what it gives are in it.
macro_rules! source_status {
    ($status:ty, $time_zone:expr $(, $entitlements:ident)?) => {
        impl SourceStatus for $status {
            fn lifecycle(&self) -> LifecycleStatus<'_> {
                LifecycleStatus {
                    observed_generation: self.observed_generation,
                    phase: self.phase,
                    start: self.start.as_deref(),
                    end: self.end.as_deref(),
                    until: self.until.as_deref(),
                    next_transition: self.next_transition.as_ref(),
                    is_accepted: self.accepted.is_some(),
                    time_zone: self.accepted.as_ref().and_then($time_zone),
                    conditions: &self.conditions,
                }
            }

            $(
                fn entitlements(&self) -> &[EntitlementStatus] {
                    &self.$entitlements
                }
            )?

            fn conditions_mut(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }

            fn observing(self, generation: i64) -> Self {
                Self { observed_generation: generation, ..self }
            }
        }
    };
}

source_status!(EntitlementInstanceStatus, |record| record.time_zone.as_deref());
source_status!(EntitlementSubscriptionStatus, |record| record.acceptance.time_zone.as_deref(), entitlements);
source_status!(EntitlementOverrideStatus, |record| Some(record.time_zone.as_str()));

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
pub enum Phase {
    /// Not activated.
    Draft,
    /// Taken back.
    Cancelled,
    /// Refused; the condition `Accepted` says why.
    Rejected,
    /// Not approved yet. Of overrides only.
    Requested,
    /// Over.
    Expired,
    /// Not started.
    Waiting,
    /// Withdrawn for now.
    Suspended,
    /// In force.
    Active,
    /// Past its end, still delivered.
    Grace,
}

impl Phase {
    /// All phases, in the order of the lifecycle.
    pub const ALL: [Self; 9] = [
        Self::Draft,
        Self::Rejected,
        Self::Requested,
        Self::Waiting,
        Self::Active,
        Self::Grace,
        Self::Suspended,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name in statuses, events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Cancelled => "Cancelled",
            Self::Rejected => "Rejected",
            Self::Requested => "Requested",
            Self::Expired => "Expired",
            Self::Waiting => "Waiting",
            Self::Suspended => "Suspended",
            Self::Active => "Active",
            Self::Grace => "Grace",
        }
    }

    /// Whether the grant is in force, so that its configuration is delivered.
    #[must_use]
    pub fn is_in_force(self) -> bool {
        matches!(self, Self::Active | Self::Grace)
    }
}

/// A coming change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// When, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
    /// The phase from then on.
    pub phase: Phase,
}

/// What has become of an amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AmendmentState {
    /// Its moment is to come.
    Pending,
    /// It counts.
    Effective,
    /// It cannot count; the message says why.
    Ignored,
    /// It was taken back.
    Revoked,
}

/// What has become of an amendment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AmendmentStatus {
    /// The amendment's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Whether it counts.
    pub state: AmendmentState,
    /// Why it is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
}

/// A renewal notice that was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// How long before the end, as `renewalNotices` of the definition or the plan has it.
    #[schemars(length(max = 64))]
    pub before: String,
    /// The end that it warned of, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub end: String,
    /// When it was due, RFC 3339 in UTC.
    #[schemars(length(max = 64))]
    pub at: String,
}
