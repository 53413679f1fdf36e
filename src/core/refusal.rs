//! Why a grant is refused.

use super::reason::ReasonCode;
use std::fmt;

/// The reasons, in the order in which the first that applies is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The organization does not exist.
    OrganizationNotFound,
    /// The organization may not be named from the instance's namespace.
    NamespaceNotAllowed,
    /// The organization's time zone is unknown.
    OrganizationNotReady,
    /// The definition does not exist.
    DefinitionNotFound,
    /// The definition is invalid.
    DefinitionNotReady,
    /// There are no overrides of the definition.
    OverridesRefused,
    /// The amount is unreadable, given for a Feature, or lacking where an override needs one.
    InvalidAmount,
    /// The plan does not exist.
    PlanNotFound,
    /// The plan is invalid, or an add-on.
    PlanNotReady,
    /// The plan is sold no longer.
    PlanRetired,
    /// What the grant renews cannot be renewed by it.
    RenewalInvalid,
    /// The term is unreadable or empty.
    InvalidTerm,
    /// Another chain of grants has the organization's only seat.
    Duplicate,
    /// What checks who asks for an override, and who approves it, is not there.
    ApprovalsUnprotected,
    /// The override was denied.
    Denied,
    /// The override was not approved in time.
    ApprovalExpired,
    /// The override is not approved yet.
    ApprovalRequired,
}

impl Reason {
    /// The word in conditions and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.code().as_str()
    }

    /// Among all reasons.
    #[must_use]
    pub fn code(self) -> ReasonCode {
        match self {
            Self::OrganizationNotFound => ReasonCode::OrganizationNotFound,
            Self::NamespaceNotAllowed => ReasonCode::NamespaceNotAllowed,
            Self::OrganizationNotReady => ReasonCode::OrganizationNotReady,
            Self::DefinitionNotFound => ReasonCode::DefinitionNotFound,
            Self::DefinitionNotReady => ReasonCode::DefinitionNotReady,
            Self::OverridesRefused => ReasonCode::OverridesRefused,
            Self::InvalidAmount => ReasonCode::InvalidAmount,
            Self::PlanNotFound => ReasonCode::PlanNotFound,
            Self::PlanNotReady => ReasonCode::PlanNotReady,
            Self::PlanRetired => ReasonCode::PlanRetired,
            Self::RenewalInvalid => ReasonCode::RenewalInvalid,
            Self::InvalidTerm => ReasonCode::InvalidTerm,
            Self::Duplicate => ReasonCode::Duplicate,
            Self::ApprovalsUnprotected => ReasonCode::ApprovalsUnprotected,
            Self::Denied => ReasonCode::Denied,
            Self::ApprovalExpired => ReasonCode::ApprovalExpired,
            Self::ApprovalRequired => ReasonCode::ApprovalRequired,
        }
    }

    /// What of the object it is about, as a JSON pointer.
    #[must_use]
    pub fn pointer(self) -> &'static str {
        match self {
            Self::OrganizationNotFound | Self::OrganizationNotReady => "/spec/organization",
            Self::NamespaceNotAllowed => "/metadata/namespace",
            Self::DefinitionNotFound | Self::DefinitionNotReady | Self::OverridesRefused => "/spec/definition",
            Self::InvalidAmount => "/spec/amount",
            Self::PlanNotFound | Self::PlanNotReady | Self::PlanRetired => "/spec/plan",
            Self::RenewalInvalid => "/spec/renews",
            Self::InvalidTerm => "/spec/end",
            Self::Duplicate
            | Self::ApprovalsUnprotected
            | Self::Denied
            | Self::ApprovalExpired
            | Self::ApprovalRequired => "/metadata/name",
        }
    }

    /// Whether it is about the plan, which a renewal takes over from what it renews.
    #[must_use]
    pub fn is_of_plan(self) -> bool {
        matches!(self, Self::PlanNotFound | Self::PlanNotReady | Self::PlanRetired)
    }

    /// Whether also a grant that was accepted once is refused by it: losing the right to be granted withdraws.
    #[must_use]
    pub fn refuses_accepted(self) -> bool {
        self <= Self::NamespaceNotAllowed
    }
}

/// A refusal, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first reason that applies.
    pub reason: Reason,
    /// A sentence that says what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal for that reason.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.reason.as_str(), self.message)
    }
}
