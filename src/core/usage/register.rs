//! A register: what a key comes to as of a moment. It is a state and no event, so reports may be repeated, reordered and
//! corrected without any rule.

use super::rules::UsageRules;
use crate::core::calendar::{Instant, format_instant};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use std::sync::Arc;

/// How far ahead of the clock a use may be dated, for clocks that are apart.
pub const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Which register of a meter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterId {
    /// Who reports it: a caller of the API, `EntitlementUsage <namespace>/<name>`, or `Prometheus`.
    pub origin: Arc<str>,
    /// What it is of, in the reporter's words: a use, a case, a seat, a bucket.
    pub key: Arc<str>,
}

/// What a register says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// When it was used; of what is Held, since when.
    pub at: Instant,
    /// The way in which it was used.
    pub channel: Option<Arc<str>>,
    /// What it comes to; not negative.
    pub amount: Decimal,
    /// As of when that is said.
    pub as_of: Instant,
    /// Whether it was taken back: it counts nothing, but what was said of it earlier does not count either.
    pub deleted: bool,
}

impl Register {
    /// Whether it counts in place of what was known of the same key: what is said as of an earlier moment changes nothing, and
    /// of two reports as of the same the one that comes later does.
    #[must_use]
    pub fn replaces(&self, known: &Self) -> bool {
        self.as_of >= known.as_of
    }

    /// What it adds to the sum at its moment.
    #[must_use]
    pub fn counted(&self) -> Decimal {
        if self.deleted { Decimal::ZERO } else { self.amount }
    }
}

/// Why a register is not counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefusal {
    /// The channel is not covered.
    #[error("{}", told_channel(.channel.as_deref(), .known))]
    ChannelNotCovered {
        /// The one that it names.
        channel: Option<Arc<str>>,
        /// Those that there are.
        known: Vec<Arc<str>>,
    },
    /// It lies ahead.
    #[error("it is dated {}, which lies ahead: it counts from then on", format_instant(*.0))]
    Ahead(Instant),
    /// Prometheus says what is used.
    #[error("the definition takes its usage from Prometheus: nothing else is counted")]
    FromPrometheus,
}

fn told_channel(channel: Option<&str>, known: &[Arc<str>]) -> String {
    let said =
        channel.map_or("it names no channel".to_owned(), |channel| format!("channel {channel:?} is not covered"));
    format!("{said}: the definition has {}", known.join(", "))
}

/// Why a register does not count now.
#[must_use]
pub fn refusal(rules: &UsageRules, register: &Register, now: Instant) -> Option<RegisterRefusal> {
    if !rules.covers(register.channel.as_deref()) {
        let known = rules.channels.keys().cloned().collect();
        return Some(RegisterRefusal::ChannelNotCovered { channel: register.channel.clone(), known });
    }
    (register.at.signed_duration_since(now) > AHEAD).then_some(RegisterRefusal::Ahead(register.at))
}
