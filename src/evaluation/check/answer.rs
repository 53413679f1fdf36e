//! What is answered to a check, in the shape that programs read. Amounts are plain decimal digits or `Unlimited`, and moments RFC
//! 3339 times in UTC, as in the summary.

use super::{CheckOption, CheckReason};
use crate::{
    api::{entitlement_definition::EntitlementType, facet_fields::FacetFields},
    core::{
        amount::Amount,
        calendar::{Instant, format_instant},
        usage::{
            balance::{Balance, ChannelBalance},
            state::UsageState,
        },
    },
    evaluation::usage::MeterDecision,
};
use rust_decimal::Decimal;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The answer to a check: whether so much more may be used, and why.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Decision)]
pub struct CheckAnswer {
    /// The organization's name.
    pub organization: String,
    /// The entitlement's handle, which is its definition's name.
    pub entitlement: String,
    /// Whether it is in force.
    pub entitled: bool,
    /// Whether what is asked for may be used.
    pub allowed: bool,
    /// Why.
    pub reason: CheckReason,
    /// `Feature`, `Quantity` or `Credit`; null where no definition is known.
    #[serde(rename = "type")]
    #[schema(required = true, value_type = Option<EntitlementType>)]
    pub type_: Option<&'static str>,
    /// What is counted; null for a Feature.
    #[schema(required = true)]
    pub unit: Option<String>,
    /// How much is held; `"0"` where not entitled, null for a Feature.
    #[schema(required = true, value_type = Option<Amount>)]
    pub amount: Option<String>,
    /// The first moment of the unbroken run around this one, else of the next one; of what is over, of the last one. Null where
    /// open.
    #[schema(required = true, format = DateTime)]
    pub valid_from: Option<String>,
    /// The first moment after it; null where open.
    #[schema(required = true, format = DateTime)]
    pub valid_until: Option<String>,
    /// Without secret fields; empty where not entitled.
    #[schema(value_type = BTreeMap<String, Object>)]
    pub facets: FacetFields,
    /// How its use stands; null where it is not metered, or not in force.
    #[schema(required = true)]
    pub usage: Option<CheckedUsage>,
    /// With what it would be allowed, the smallest amount first; absent where that is not asked for, or it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub options: Option<Vec<CheckOption>>,
    /// The moment that this is of.
    #[schema(format = DateTime)]
    pub at: String,
}

/// How the use of a definition stands. The numbers are null where nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Usage)]
pub struct CheckedUsage {
    /// All that can be used now.
    #[schema(required = true, value_type = Option<Amount>)]
    pub allotted: Option<String>,
    /// What was used of it; of what is `Held`, what is in use.
    #[schema(required = true, value_type = Option<Amount>)]
    pub used: Option<String>,
    /// What is left.
    #[schema(required = true, value_type = Option<Amount>)]
    pub remaining: Option<String>,
    /// What was used beyond all of it.
    #[schema(required = true, value_type = Option<Amount>)]
    pub overage: Option<String>,
    /// What was used of what has been lowered since, beyond what it is now.
    #[schema(required = true, value_type = Option<Amount>)]
    pub excess: Option<String>,
    /// When the allotment is new; null where it never is.
    #[schema(required = true, format = DateTime)]
    pub resets_at: Option<String>,
    /// In one word.
    pub state: UsageState,
    /// This is what was known last: nothing has been heard since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// What is to be known of the store that this is from, such as that it is another one than it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub notice: Option<String>,
    /// How the channel stands that is asked for, where the definition or a grant knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub channel: Option<CheckedChannel>,
}

/// How one channel stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ChannelUsage)]
pub struct CheckedChannel {
    /// Its name.
    pub name: String,
    /// How much was used that way.
    #[schema(value_type = Amount)]
    pub used: String,
    /// How much of the total can be; null where all of it can.
    #[schema(required = true, value_type = Option<Amount>)]
    pub cap: Option<String>,
    /// What is left of that; null where all of the total can be used that way.
    #[schema(required = true, value_type = Option<Amount>)]
    pub remaining: Option<String>,
}

/// What is told of a meter, in numbers: little to keep until it is put into words.
#[derive(Clone, Debug)]
pub(super) struct MeterStanding {
    state: UsageState,
    balance: Option<ToldBalance>,
    resets_at: Option<Instant>,
    stale: bool,
    channel: Option<(Arc<str>, ChannelBalance)>,
}

#[derive(Clone, Copy, Debug)]
struct ToldBalance {
    allotted: Amount,
    used: Decimal,
    remaining: Amount,
    overage: Decimal,
    excess: Decimal,
}

impl MeterStanding {
    /// How a meter stands, for whoever asks for a channel; none where nothing is in force.
    pub(super) fn of(meter: &MeterDecision, channel: Option<&str>) -> Option<Self> {
        let balance = meter.balance.as_ref();
        let channel = channel.zip(balance).and_then(|(name, balance)| balance.channels.get_key_value(name));
        let told = |balance: &Balance| ToldBalance {
            allotted: balance.allotted,
            used: balance.used,
            remaining: balance.remaining,
            overage: balance.overage,
            excess: balance.excess,
        };
        Some(Self {
            state: meter.state?,
            balance: balance.map(told),
            resets_at: meter.resets_at(),
            stale: meter.is_of_before(),
            channel: channel.map(|(name, channel)| (Arc::clone(name), channel.clone())),
        })
    }

    /// The same in words.
    pub(super) fn told(&self) -> CheckedUsage {
        let number = |of: fn(&ToldBalance) -> Decimal| self.balance.as_ref().map(|balance| digits(of(balance)));
        let amount = |of: fn(&ToldBalance) -> Amount| self.balance.as_ref().map(|balance| of(balance).to_string());
        CheckedUsage {
            state: self.state,
            allotted: amount(|balance| balance.allotted),
            used: number(|balance| balance.used),
            remaining: amount(|balance| balance.remaining),
            overage: number(|balance| balance.overage),
            excess: number(|balance| balance.excess),
            resets_at: self.resets_at.map(format_instant),
            stale: self.stale,
            notice: None,
            channel: self.channel.as_ref().map(|(name, channel)| CheckedChannel::of(name, channel)),
        }
    }
}

impl CheckedUsage {
    /// How a meter stands, for whoever asks for a channel; none where nothing is in force.
    #[must_use]
    pub fn of(meter: &MeterDecision, channel: Option<&str>) -> Option<Self> {
        MeterStanding::of(meter, channel).map(|standing| standing.told())
    }
}

impl CheckedChannel {
    fn of(name: &str, channel: &ChannelBalance) -> Self {
        let remaining = channel.cap.map(|cap| match cap {
            Amount::Limited(cap) => digits((cap - channel.used).max(Decimal::ZERO)),
            Amount::Unlimited => cap.to_string(),
        });
        Self {
            name: name.to_owned(),
            used: digits(channel.used),
            cap: channel.cap.map(|cap| cap.to_string()),
            remaining,
        }
    }
}

fn digits(number: Decimal) -> String {
    Amount::Limited(number).to_string()
}
