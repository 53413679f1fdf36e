//! Whether a request is allowed, of what is held.

use super::{balance::Balance, meter::Meter, rules::UsageRules};
use crate::{api::usage::UsageLimit, core::amount::Amount};
use rust_decimal::Decimal;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageRequest<'a> {
    /// How much.
    pub amount: Decimal,
    /// In which way.
    pub channel: Option<&'a str>,
}

/// An amount that can be asked for: more than nothing.
///
/// # Errors
/// What to write instead.
pub fn read_asked_amount(text: &str) -> Result<Decimal, &'static str> {
    match Amount::parse(text) {
        Ok(Amount::Limited(amount)) if amount > Decimal::ZERO => Ok(amount),
        _ => Err("write a number above 0, such as 1 or 0.25, with at most 15 digits before the point and 9 behind it"),
    }
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageAllowance {
    /// It is within what is left.
    Allowed,
    /// It is allowed, and goes beyond.
    Overage,
    /// The channel is not covered.
    ChannelNotCovered,
    /// Too little is left.
    Exhausted,
    /// Too little is left of what the channel may be used for.
    ChannelExhausted,
}

impl UsageAllowance {
    /// What is answered to a request.
    #[must_use]
    pub fn of(meter: &Meter, balance: &Balance, request: UsageRequest) -> Self {
        if !meter.rules.covers(request.channel) {
            return Self::ChannelNotCovered;
        }
        let is_within = balance.room(meter).is_none_or(|room| request.amount <= room);
        if !is_within && meter.rules.limit == UsageLimit::Hard {
            return Self::Exhausted;
        }
        if !has_channel_room(balance, request) {
            return Self::ChannelExhausted;
        }
        let is_beyond = balance.left().is_some_and(|left| balance.overage.saturating_add(request.amount) > left);
        if is_beyond && meter.rules.limit == UsageLimit::Soft { Self::Overage } else { Self::Allowed }
    }

    /// What is answered by its channel alone, whatever is left in all.
    #[must_use]
    pub fn by_channel(rules: &UsageRules, balance: &Balance, request: UsageRequest) -> Self {
        if !rules.covers(request.channel) {
            return Self::ChannelNotCovered;
        }
        if has_channel_room(balance, request) { Self::Allowed } else { Self::ChannelExhausted }
    }

    /// Whether it may be used.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed | Self::Overage)
    }
}

impl Balance {
    /// How much more a Hard limit allows; none where it has no bound. It may be negative.
    #[must_use]
    pub fn room(&self, meter: &Meter) -> Option<Decimal> {
        let left = self.left()?;
        let buffer = meter.rules.buffer.of(self.allotted);
        Some(left.saturating_add((buffer - self.excess).max(Decimal::ZERO)).saturating_sub(self.overage))
    }
}

fn has_channel_room(balance: &Balance, request: UsageRequest) -> bool {
    let channel = request.channel.and_then(|channel| balance.channels.get(channel));
    channel.is_none_or(|channel| match channel.cap {
        None | Some(Amount::Unlimited) => true,
        Some(Amount::Limited(cap)) => channel.used.saturating_add(request.amount) <= cap,
    })
}
