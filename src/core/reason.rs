//! The one list of reasons: each is one word, which a condition, an event, the webhook, or `validate` gives, and which has an entry
//! in docs/troubleshooting.md.

use crate::api::Phase;
use std::fmt;

/// Makes the type and the list of all its values from one list.
macro_rules! reasons {
    ($($(#[$attribute:meta])+ $name:ident,)+) => {
        /// Why something is as it is, as one word that programs can match on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode {
            $($(#[$attribute])+ $name,)+
        }

        impl ReasonCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in conditions, events and refusals.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

reasons! {
    /// The grant may be held.
    Accepted,
    /// A grant has come into force.
    Activated,
    /// In force.
    Active,
    /// An amendment of a grant does not count.
    AmendmentIgnored,
    /// A renewal does not state the amount that the renewed grant states.
    AmountNotRenewed,
    /// An override was not approved in time.
    ApprovalExpired,
    /// An override needs approvals.
    ApprovalRequired,
    /// What checks who asks for an override, and who approves it, is not there.
    ApprovalsUnprotected,
    /// An override was approved.
    Approved,
    /// Taken back, for good.
    Cancelled,
    /// An edit of the catalogue has changed something for a grant.
    CatalogueChanged,
    /// The time zone data that is compiled in is used.
    CompiledIn,
    /// Somebody else made an object of the name that an output has.
    Conflict,
    /// Others change an object again and again.
    Contested,
    /// All that is reported is counted.
    Counted,
    /// A decision on an override never counts.
    DecisionIgnored,
    /// A default of a schema that stands where none is taken from.
    DefaultNeverFilled,
    /// Filling outputs took more than one evaluation may take; the rest follows.
    Deferred,
    /// The definition does not exist.
    DefinitionNotFound,
    /// The definition is invalid.
    DefinitionNotReady,
    /// All objects are in the organization's namespaces.
    Delivered,
    /// An override was denied.
    Denied,
    /// Not activated.
    Draft,
    /// Another grant has the organization's only seat.
    Duplicate,
    /// A plan has a definition twice in its own groups.
    DuplicateEntitlement,
    /// An end in the last minute of a day.
    EndBeforeMidnight,
    /// A subscription gives something else than before.
    EntitlementsChanged,
    /// An entry of a subscription is left out.
    EntryIgnored,
    /// An entry of a subscription stays as agreed, though it could not be made today.
    EntryKept,
    /// An entry of a subscription changes nothing.
    EntryWithoutEffect,
    /// Over.
    Expired,
    /// The facet definition that a definition names does not exist.
    FacetNotFound,
    /// What a grant states cannot be used.
    FacetsInvalid,
    /// A renewal does not state values that the renewed grant states.
    FacetsNotRenewed,
    /// Past its end, still delivered.
    Grace,
    /// A grant is past its end, and in its grace period.
    GraceStarted,
    /// Grants of the definition state what cannot be used.
    GrantsInvalid,
    /// Others depend on what is to be deleted.
    InUse,
    /// A plan includes itself, directly or not.
    IncludeCycle,
    /// A plan that a plan includes does not exist.
    IncludeNotFound,
    /// A plan cannot be included: it is not ready, an add-on, or stands on too many others.
    IncludeNotReady,
    /// A definition cannot be read without a fault of the operator.
    InternalError,
    /// What the grant states cannot be used.
    Invalid,
    /// The amount is unreadable, or not one for the type of the definition.
    InvalidAmount,
    /// A term, a grace period or a notice is unreadable or too long.
    InvalidDuration,
    /// What a plan sets facets to does not meet their schemas.
    InvalidFacets,
    /// An object's name that is made of facets is no name.
    InvalidName,
    /// An output could never be stored.
    InvalidOutput,
    /// A definition's preset does not meet its schema.
    InvalidPreset,
    /// A facet's schema cannot be used.
    InvalidSchema,
    /// A Secret lacks what its type demands.
    InvalidSecret,
    /// A template is wrong.
    InvalidTemplate,
    /// The term is unreadable or empty.
    InvalidTerm,
    /// The organization's time zone is unknown.
    InvalidTimeZone,
    /// What a definition says of how it is metered cannot be used.
    InvalidUsage,
    /// What is used of a definition is counted.
    Metered,
    /// Prometheus says what is used of a definition, and nothing else is counted.
    MeteredByPrometheus,
    /// What is used of a definition was counted by other rules before it was made again.
    MeteredOtherwise,
    /// A namespace that an organization lists has been deleted and made anew.
    NamespaceMadeAnew,
    /// A namespace that an organization lists does not exist.
    NamespaceMissing,
    /// The organization may not be named from the grant's namespace.
    NamespaceNotAllowed,
    /// The operator has no right to list what is in a namespace.
    NamespaceNotListed,
    /// The operator is restricted to other namespaces.
    NamespaceNotServed,
    /// A namespace that an organization lists is never a tenant's.
    NamespaceRefused,
    /// A namespace that an organization lists belongs to an older one.
    NamespaceTaken,
    /// A grant's term leaves it no time in force.
    NeverInForce,
    /// Newer time zone data than what is compiled in is used.
    Newer,
    /// A definition takes its usage from Prometheus, and the operator has none to ask.
    NoPrometheus,
    /// A grant does not say when it starts.
    NoStart,
    /// The operator has no store to count in.
    NoStore,
    /// A definition says nothing of how it is metered.
    NotMetered,
    /// Something holds an object that is to be withdrawn.
    NotWithdrawn,
    /// A grant that is not in force delivers nothing.
    NothingToDeliver,
    /// The organization does not exist.
    OrganizationNotFound,
    /// The organization's time zone is unknown, so a grant cannot be accepted.
    OrganizationNotReady,
    /// There are no overrides of the definition.
    OverridesRefused,
    /// The plan could not be subscribed to today, and goes on for who has it.
    PlanKept,
    /// The plan does not exist.
    PlanNotFound,
    /// The plan is invalid, or of the wrong type.
    PlanNotReady,
    /// The plan is sold no longer.
    PlanRetired,
    /// Prometheus does not answer, or not as it should.
    PrometheusUnavailable,
    /// An object that somebody has changed or deleted is put back.
    PutBack,
    /// A definition's query has no answer that says what is used.
    QueryWithoutAnswer,
    /// What was to be counted anew could not be.
    RecountFailed,
    /// What is to be counted anew cannot be.
    RecountRefused,
    /// What was to be counted anew was.
    Recounted,
    /// Some of what is reported is not counted.
    RegistersRefused,
    /// Refused; `Accepted` says why.
    Rejected,
    /// An output cannot be made of the facets.
    RenderFailed,
    /// A notice that a definition asks for is due.
    RenewalDue,
    /// What the grant renews cannot be renewed by it.
    RenewalInvalid,
    /// A renewal is not suspended, although what it renews is.
    RenewsSuspended,
    /// An override is asked for, and not approved yet.
    Requested,
    /// An object's name is one that the cluster keeps in every namespace.
    ReservedName,
    /// A grant is a draft again.
    ReturnedToDraft,
    /// The revision of a plan that was agreed is lost.
    RevisionLost,
    /// The last valid state could not be kept.
    RevisionNotKept,
    /// A secret field would be shown in a ConfigMap.
    SecretInConfigMap,
    /// A secret field is given in plain.
    SecretInPlain,
    /// The Secret, or its key, that a grant names does not exist.
    SecretNotFound,
    /// It cannot be told whether the Secret that a grant names exists.
    SecretNotSeen,
    /// The operator has no right to list the Secrets in a namespace.
    SecretsNotListed,
    /// The operator is not given the Secrets in a namespace.
    SecretsNotServed,
    /// All namespaces of the organization are served.
    Served,
    /// The store is another one than before, or an older copy.
    StoreReplaced,
    /// The store cannot be used.
    StoreUnavailable,
    /// The summary does not fit into a ConfigMap.
    SummaryTooLarge,
    /// Withdrawn for now.
    Suspended,
    /// A threshold of an allotment is reached.
    ThresholdReached,
    /// An object does not fit into etcd.
    TooLarge,
    /// A plan gives more definitions than it may, or more than can be kept.
    TooManyEntitlements,
    /// All objects of an organization together are too large.
    TooMuch,
    /// Filling the outputs of one grant is too much work.
    TooMuchWork,
    /// An object cannot be read.
    Unreadable,
    /// The folder with time zone data cannot be used.
    Unusable,
    /// It can be used.
    Valid,
    /// Not started.
    Waiting,
    /// The API server did not take an object.
    WriteFailed,
}

impl From<Phase> for ReasonCode {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Draft => Self::Draft,
            Phase::Cancelled => Self::Cancelled,
            Phase::Rejected => Self::Rejected,
            Phase::Requested => Self::Requested,
            Phase::Expired => Self::Expired,
            Phase::Waiting => Self::Waiting,
            Phase::Suspended => Self::Suspended,
            Phase::Active => Self::Active,
            Phase::Grace => Self::Grace,
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl PartialEq<str> for ReasonCode {
    fn eq(&self, word: &str) -> bool {
        self.as_str() == word
    }
}

impl PartialEq<&str> for ReasonCode {
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

#[cfg(test)]
mod tests {
    use super::ReasonCode;

    #[test]
    fn the_list_is_in_the_order_of_the_alphabet() {
        assert!(ReasonCode::ALL.is_sorted_by_key(|reason| reason.as_str()));
    }
}
