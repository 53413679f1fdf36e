//! What an override states of who asked for it, what a decision states, and what was decided for good.

use crate::{
    api::{entitlement_definition::OverrideRules, override_decision::Ruling},
    core::calendar::{CalendarDuration, Instant, Tz},
    core::{problem::Problem, reason::ReasonCode},
};
use std::sync::Arc;

/// Who asked for an override, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRequest {
    /// The user name of who asks.
    pub by: Arc<str>,
    /// The user name of who restored it: he counts as asking, too.
    pub restored_by: Option<Arc<str>>,
    /// Why it is asked for.
    pub reason: Arc<str>,
    /// The ticket that it belongs to.
    pub ticket: Option<Arc<str>>,
}

/// One person's yes or no, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedDecision {
    /// The name of the object.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The name of the override that it is about.
    pub override_name: Arc<str>,
    /// The UID of the override that it is about.
    pub override_uid: Arc<str>,
    /// The definition that it names.
    pub definition: Arc<str>,
    /// Yes or no.
    pub ruling: Ruling,
    /// The user name of who decided.
    pub by: Arc<str>,
    /// Why, for people.
    pub comment: Option<Arc<str>>,
    /// Its `creationTimestamp` alone: an annotation could date it back.
    pub created: Instant,
}

/// What was decided of an override for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It was approved.
    Accepted {
        /// When the last approval that it needed was given.
        at: Instant,
        /// Who approved, in the order of their decisions.
        by: Vec<Arc<str>>,
        /// The organization's time zone then.
        zone: Tz,
    },
    /// It was denied.
    Denied {
        /// When.
        at: Instant,
        /// By whom.
        by: Arc<str>,
    },
    /// It was not approved in time.
    Expired {
        /// Until when it could have been.
        at: Instant,
    },
}

/// What a definition says of its overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// How many people have to approve what a person asks for.
    pub approvals: u32,
    /// How long one is at most.
    pub max_term: CalendarDuration,
    /// How long after it was made one can be approved.
    pub expires_after: CalendarDuration,
    /// There are none.
    pub refused: bool,
}

/// What user names of service accounts begin with.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Whether a user name is that of a service account, which is no person.
#[must_use]
pub fn is_service_account(user: &str) -> bool {
    user.starts_with(SERVICE_ACCOUNT)
}

/// Why a decision of somebody never counts, whatever it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// A service account is no person.
    ServiceAccount,
    /// Whoever asks for it can't decide it.
    Asker,
}

impl Default for Requirements {
    /// What is demanded where nothing is said.
    fn default() -> Self {
        Self {
            approvals: 1,
            max_term: CalendarDuration::of_days(30),
            expires_after: CalendarDuration::of_days(14),
            refused: false,
        }
    }
}

impl ExceptionRequest {
    /// Why a decision of that user on it never counts, if it does not.
    #[must_use]
    pub fn objection_to(&self, user: &str) -> Option<Objection> {
        if is_service_account(user) {
            return Some(Objection::ServiceAccount);
        }
        self.askers().any(|asker| asker == user).then_some(Objection::Asker)
    }

    /// Whether a service account asked for it.
    #[must_use]
    pub fn is_of_service_account(&self) -> bool {
        self.askers().any(is_service_account)
    }

    /// Who asked for it, and who put it back.
    pub fn askers(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.by).chain(self.restored_by.as_deref())
    }
}

impl Requirements {
    /// Reads what a definition says.
    ///
    /// # Errors
    /// `InvalidDuration`, where one is unreadable or no time.
    pub fn read(rules: &OverrideRules) -> Result<Self, Problem> {
        Ok(Self {
            approvals: rules.approvals,
            max_term: duration("overrides.maxTerm", &rules.max_term)?,
            expires_after: duration("overrides.expiresAfter", &rules.expires_after)?,
            refused: rules.refused,
        })
    }

    /// How many approvals what somebody asked for needs.
    #[must_use]
    pub fn approvals_of(&self, request: &ExceptionRequest) -> u32 {
        match self.approvals {
            0 => 0,
            approvals => approvals.saturating_add(u32::from(request.is_of_service_account())),
        }
    }
}

fn duration(field: &str, text: &str) -> Result<CalendarDuration, Problem> {
    let duration: CalendarDuration =
        text.parse().map_err(|error| Problem::new(ReasonCode::InvalidDuration, format!("{field}: {error}")))?;
    if duration.is_zero() {
        let message =
            format!("{field}: there is no override of no time; to have none at all, set overrides.refused to true");
        return Err(Problem::new(ReasonCode::InvalidDuration, message));
    }
    Ok(duration)
}
