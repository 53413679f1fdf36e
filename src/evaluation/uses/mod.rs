//! Whether a use is counted: asked and answered for one key of one meter, of what is known while nobody else can write it.
//!
//! A use is asked for as at the last moment of the period that it lies in, but not ahead of now: what has begun since is not given
//! away to what was used before, and a correction of an open period goes by what there is in it. Where what was held then is over
//! since, the last moment of that counts, so that what was reserved can be settled.
//!
//! | file | what it knows |
//! |---|---|
//! | `moment` | as at which moment a use is asked for |
//! | `judgement` | whether it is counted, and what is answered |

mod judgement;
mod moment;

pub use judgement::{KeptDecision, SettledUse, UseJudge, UseJudgement};

use crate::core::{
    calendar::{Instant, format_instant},
    definition::Definition,
    usage::register::Register,
};
use rust_decimal::Decimal;
use std::sync::Arc;

/// What a key is to come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsePut {
    /// How much; not negative.
    pub amount: Decimal,
    /// In which way.
    pub channel: Option<Arc<str>>,
    /// When; absent: as it is known, else `as_of`, else now.
    pub at: Option<Instant>,
    /// As of when that is said; absent: now, and after whatever was said before.
    pub as_of: Option<Instant>,
    /// Whether it is counted in any case.
    pub always: bool,
}

/// What is to become of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseChange {
    /// It comes to that.
    Put(UsePut),
    /// It is taken back.
    TakeBack,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct UseQuestion<'a> {
    /// The entitlement, by its definition's name.
    pub entitlement: &'a Arc<str>,
    /// The definition.
    pub definition: &'a Definition,
    /// What the key comes to, as far as it is known.
    pub known: Option<&'a Register>,
    /// What is to become of it.
    pub change: &'a UseChange,
    /// The moment.
    pub now: Instant,
}

/// What becomes of a use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseVerdict {
    /// It is to be kept like that.
    Count(Register),
    /// It is kept like that already.
    Same,
    /// More is known already, as of a later moment.
    Older,
    /// It is not allowed, and nothing changes.
    Denied,
}

/// Why nothing can be decided of a use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UseRefusal {
    /// Nothing counts it.
    #[error("it is not metered: its definition has no usage, so there is nothing to count")]
    NotMetered,
    /// Prometheus says what is used.
    #[error("its usage is taken from Prometheus: uses by the API would be counted twice")]
    FromPrometheus,
    /// It lies ahead.
    #[error("{} lies more than 5 minutes ahead: send it then", format_instant(*.0))]
    Ahead(Instant),
    /// The period is closed.
    #[error(
        "its period ended at {}, and uses of it were taken until {}: correct it with an EntitlementUsage",
        format_instant(*.ended), format_instant(*.taken_until)
    )]
    Late {
        /// When the period ended.
        ended: Instant,
        /// Until when uses of it were taken.
        taken_until: Instant,
    },
    /// What is held has changed, and that is not written down yet.
    #[error(
        "what is held has just changed, and the replica that leads has not noted it yet: try again in a few seconds"
    )]
    Unnoted,
    /// There is no such use.
    #[error("there is no such use of yours: each caller has keys of its own")]
    Unknown,
}
