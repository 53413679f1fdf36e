//! How the use of what an organization holds stands. Using up an allotment never withdraws configuration: nothing here changes
//! what is held.
//!
//! | file | what it knows |
//! |---|---|
//! | `parts` | what gives an allotment of its own, as the present objects say |
//! | `entitled` | which uses count, by when something was held |
//! | `decided` | the balance and the state of each metered definition |

mod decided;
mod entitled;
mod parts;

pub use decided::{AskedMoment, HeldThen, KnownMeters, MeterDecision, Meters, SaidMeter};
pub use entitled::{entitled_otherwise, entitled_time};
pub use parts::{gave, present};

use crate::core::{
    calendar::Instant,
    usage::{ledger::Ledger, memory::Memory},
};
use std::sync::Arc;

/// What is known of the use of one definition by one organization.
#[derive(Clone, Debug, PartialEq)]
pub struct MeterFacts {
    /// What is remembered of anchors and parts.
    pub memory: Arc<Memory>,
    /// What was used when, but for what is refused.
    pub ledger: Arc<Ledger>,
    /// When the store, or Prometheus, has answered last; none where it has never since the definition was metered.
    pub heard: Option<Heard>,
}

impl MeterFacts {
    /// The same, heard then.
    #[must_use]
    pub fn heard_as(self: &Arc<Self>, heard: Option<Heard>) -> Arc<Self> {
        if heard == self.heard { Arc::clone(self) } else { Arc::new(Self { heard, ..Self::clone(self) }) }
    }
}

/// When something was heard of what is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is known whenever it is asked for, as of manifests.
    Always,
    /// Last at that moment, as far as is known.
    At(Instant),
    /// Last at that moment; it has been asked since, and has not answered.
    Until(Instant),
    /// Not since that moment, from which on it was asked for: what was said last counts.
    NotSince(Instant),
}
