//! How much of what is held is used, and how much is left.

use crate::{
    api::usage::UsageMode,
    core::{
        calendar::{Bound, Instant, NEVER, format_instant},
        usage::{
            balance::{Balance, BlockBalance},
            state::UsageState,
        },
    },
    evaluation::usage::MeterDecision,
};
use serde::Serialize;
use std::sync::Arc;

/// How the use of a definition stands. Amounts are plain decimal digits, or `Unlimited`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageExplanation {
    /// What is metered: `Consumed` or `Held`.
    pub mode: UsageMode,
    /// In one word.
    pub state: UsageState,
    /// Whether more may be used.
    pub allowed: bool,
    /// Nothing has been heard for longer than the definition lets count.
    #[serde(skip_serializing_if = "is_false")]
    pub stale: bool,
    /// The numbers; absent where nothing is known.
    #[serde(flatten)]
    pub balance: Option<BalanceExplanation>,
    /// What there is in place of the numbers where the operator alone has them.
    #[serde(flatten)]
    pub counted: Option<CountExplanation>,
}

/// What can be told where the operator alone has the numbers, as it counts more than is reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CountExplanation {
    /// None of them, so that nobody takes one that is missing for nothing used.
    #[serde(flatten)]
    numbers: UntoldNumbers,
    /// Since when it stands so.
    pub state_since: Option<String>,
    /// When the allotment is new.
    pub resets_at: Option<String>,
    /// The numbers by EntitlementUsage objects alone; absent where nothing is known of these.
    pub reported: Option<BalanceExplanation>,
    /// What is to be known of the store that the operator counts by, such as that it is another one than it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

impl CountExplanation {
    /// Without numbers but those that are reported.
    #[must_use]
    pub fn of(state_since: Option<String>, resets_at: Option<String>, reported: Option<BalanceExplanation>) -> Self {
        Self { numbers: UntoldNumbers::default(), state_since, resets_at, reported, notice: None }
    }
}

/// Numbers that are `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct UntoldNumbers {
    allotted: Option<String>,
    used: Option<String>,
    remaining: Option<String>,
    excess: Option<String>,
    overage: Option<String>,
    unentitled: Option<String>,
}

/// What is used, and what is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BalanceExplanation {
    /// All that can be used now.
    pub allotted: String,
    /// What was used of it.
    pub used: String,
    /// What is left.
    pub remaining: String,
    /// What was used of what has been lowered since, beyond what it is now.
    pub excess: String,
    /// What was used beyond all allotments.
    pub overage: String,
    /// What was used when nothing was held, which is not counted.
    pub unentitled: String,
    /// The first moment of the period.
    pub since: Option<String>,
    /// When the allotment is new.
    pub resets_at: Option<String>,
    /// What it is taken from, in that order; nothing of what is `Held`, which is of all together.
    pub blocks: Vec<BlockExplanation>,
    /// What was used by each channel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelExplanation>,
}

/// An allotment that is used up by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockExplanation {
    /// What gives it; absent of what was carried over from the period before.
    pub part: Option<Arc<str>>,
    /// How much it is.
    pub amount: String,
    /// How much of it is used.
    pub taken: String,
    /// When it is over.
    pub until: Option<String>,
}

/// A way of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelExplanation {
    /// Its name.
    pub name: Arc<str>,
    /// How much was used that way.
    pub used: String,
    /// How much can be; absent where all of the total can.
    pub cap: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl UsageExplanation {
    /// How the use of a definition stands; none where nothing of it is in force.
    #[must_use]
    pub fn of(meter: &MeterDecision) -> Option<Self> {
        let mode = meter.rules.mode;
        Some(Self {
            mode,
            state: meter.state?,
            allowed: meter.is_allowed(),
            stale: meter.is_stale,
            balance: meter.balance.as_ref().map(|balance| self::balance(balance, mode)),
            counted: None,
        })
    }
}

fn balance(balance: &Balance, mode: UsageMode) -> BalanceExplanation {
    let digits = |number: rust_decimal::Decimal| number.normalize().to_string();
    let block = |block: &BlockBalance| BlockExplanation {
        part: block.part.clone(),
        amount: block.amount.to_string(),
        taken: digits(block.taken),
        until: Some(told(block.until)).filter(|until| until != NEVER),
    };
    BalanceExplanation {
        allotted: balance.allotted.to_string(),
        used: digits(balance.used),
        remaining: balance.remaining.to_string(),
        excess: digits(balance.excess),
        overage: digits(balance.overage),
        unentitled: digits(balance.unentitled),
        since: balance.period.map(|period| format_instant(period.from)),
        resets_at: balance.resets_at().map(format_instant),
        blocks: balance.blocks.iter().filter(|_| mode == UsageMode::Consumed).map(block).collect(),
        channels: balance
            .channels
            .iter()
            .map(|(name, channel)| ChannelExplanation {
                name: Arc::clone(name),
                used: digits(channel.used),
                cap: channel.cap.map(|cap| cap.to_string()),
            })
            .collect(),
    }
}

fn told(bound: Bound<Instant>) -> String {
    bound.at().map_or_else(|| NEVER.to_owned(), format_instant)
}
