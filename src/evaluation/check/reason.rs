//! Why something is allowed, or is not.

use crate::{
    api::Phase,
    core::{
        calendar::Instant,
        usage::{
            allowance::{UsageAllowance, UsageRequest},
            state::UsageState,
        },
    },
    evaluation::{holding::Holding, usage::MeterDecision},
};
use serde::Serialize;
use std::fmt;
use utoipa::ToSchema;

/// Why something is allowed, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[schema(as = Reason)]
pub enum CheckReason {
    /// It is held, and enough is left.
    Allowed,
    /// It is allowed, and goes beyond what is left.
    Overage,
    /// It is not held.
    NotHeld,
    /// It is held from a later moment on.
    Waiting,
    /// It was held, and is over.
    Expired,
    /// It is withdrawn for now.
    Suspended,
    /// Too little is left.
    Exhausted,
    /// Too little is left of what may be used by that channel.
    ChannelExhausted,
    /// The channel is not covered.
    ChannelNotCovered,
    /// Nothing is known of what is used: the definition says whether it is allowed then.
    UsageUnknown,
}

impl CheckReason {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Allowed,
        Self::Overage,
        Self::NotHeld,
        Self::Waiting,
        Self::Expired,
        Self::Suspended,
        Self::Exhausted,
        Self::ChannelExhausted,
        Self::ChannelNotCovered,
        Self::UsageUnknown,
    ];

    /// The reason for what is answered to a request.
    #[must_use]
    pub fn of(holding: Option<&Holding>, meter: Option<&MeterDecision>, request: UsageRequest, now: Instant) -> Self {
        let is_in_force = holding.is_some_and(|holding| !holding.in_force.is_empty());
        match meter {
            None if is_in_force => Self::Allowed,
            Some(meter) if meter.state.is_some() => Self::of_meter(meter, request, now),
            // The objects may tell it no more.
            Some(meter) if meter.was_suspended(now) => Self::Suspended,
            None | Some(_) => Self::of_phases(holding),
        }
    }

    /// Why nothing is in force: what is nearest to it says so.
    fn of_phases(holding: Option<&Holding>) -> Self {
        let has = |phase| holding.is_some_and(|holding| holding.members.iter().any(|one| one.verdict.phase == phase));
        let nearest =
            [(Phase::Suspended, Self::Suspended), (Phase::Waiting, Self::Waiting), (Phase::Expired, Self::Expired)];
        nearest.into_iter().find(|(phase, _)| has(*phase)).map_or(Self::NotHeld, |(_, reason)| reason)
    }

    fn of_meter(meter: &MeterDecision, request: UsageRequest, now: Instant) -> Self {
        if !meter.rules.covers(request.channel) {
            return Self::ChannelNotCovered;
        }
        if meter.is_denied_unknown() {
            return Self::UsageUnknown;
        }
        match meter.meter(now).zip(meter.balance.as_ref()) {
            Some((meter, balance)) => UsageAllowance::of(&meter, balance, request).into(),
            None => Self::of_state(meter.state).within(meter.allowance_of_unused(request, now)),
        }
    }

    /// The same of a request that is too much even if nothing is used yet.
    fn within(self, of_unused: Option<UsageAllowance>) -> Self {
        of_unused.filter(|allowance| !allowance.is_allowed()).map_or(self, Self::from)
    }

    /// Where no numbers are known, the state that was said last counts.
    fn of_state(state: Option<UsageState>) -> Self {
        match state {
            None | Some(UsageState::Unknown) => Self::UsageUnknown,
            Some(UsageState::Exceeded | UsageState::Exhausted) => Self::Exhausted,
            Some(UsageState::Overage) => Self::Overage,
            Some(UsageState::Warning | UsageState::Ok) => Self::Allowed,
        }
    }

    /// Whether it is allowed. Where nothing is known of what is used, the definition says so.
    #[must_use]
    pub(super) fn is_allowed(self, meter: Option<&MeterDecision>) -> bool {
        match self {
            Self::Allowed | Self::Overage => true,
            Self::UsageUnknown => meter.is_none_or(|meter| !meter.is_denied_unknown()),
            Self::NotHeld
            | Self::Waiting
            | Self::Expired
            | Self::Suspended
            | Self::Exhausted
            | Self::ChannelExhausted
            | Self::ChannelNotCovered => false,
        }
    }

    /// Its name for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::Overage => "Overage",
            Self::NotHeld => "NotHeld",
            Self::Waiting => "Waiting",
            Self::Expired => "Expired",
            Self::Suspended => "Suspended",
            Self::Exhausted => "Exhausted",
            Self::ChannelExhausted => "ChannelExhausted",
            Self::ChannelNotCovered => "ChannelNotCovered",
            Self::UsageUnknown => "UsageUnknown",
        }
    }
}

impl From<UsageAllowance> for CheckReason {
    fn from(allowance: UsageAllowance) -> Self {
        match allowance {
            UsageAllowance::Allowed => Self::Allowed,
            UsageAllowance::Overage => Self::Overage,
            UsageAllowance::ChannelNotCovered => Self::ChannelNotCovered,
            UsageAllowance::Exhausted => Self::Exhausted,
            UsageAllowance::ChannelExhausted => Self::ChannelExhausted,
        }
    }
}

impl fmt::Display for CheckReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
