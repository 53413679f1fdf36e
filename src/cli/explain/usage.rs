//! How much of what is held is used, in sentences.

use super::moment;
use crate::{
    api::usage::UsageMode,
    cli::moment::{relative, shown},
    core::{
        calendar::{Instant, Tz, format_instant},
        usage::state::UsageState,
    },
    evaluation::explanation::{
        BalanceExplanation, BlockExplanation, ChannelExplanation, CountExplanation, UsageExplanation,
    },
};
use rust_decimal::Decimal;

/// How what is used stands, in some words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageCell {
    /// `8 left`; `5 beyond`; where the operator alone has the numbers, or nothing is known, its word: `Exhausted`.
    pub standing: String,
    /// Whether more may be used.
    pub is_allowed: bool,
}

/// How it stands, for a table.
pub fn in_short(usage: &UsageExplanation) -> UsageCell {
    let standing = usage.balance.as_ref().filter(|_| usage.counted.is_none()).map(|balance| {
        let beyond =
            [&balance.overage, &balance.excess].into_iter().filter_map(|number| number.parse::<Decimal>().ok());
        let beyond: Decimal = beyond.sum();
        match balance.remaining.as_str() {
            "Unlimited" => "no limit".to_owned(),
            "0" if !beyond.is_zero() => format!("{} beyond", beyond.normalize()),
            left => format!("{left} left"),
        }
    });
    UsageCell { standing: standing.unwrap_or_else(|| usage.state.to_string()), is_allowed: usage.allowed }
}

/// Where the operator's API tells how an entitlement stands.
pub fn path(organization: &str, entitlement: &str) -> String {
    format!("/v1/organizations/{organization}/entitlements/{entitlement}")
}

/// How it stands, in one sentence.
pub fn standing(usage: &UsageExplanation, unit: Option<&str>, now: Instant, zone: Tz) -> String {
    if let Some(count) = &usage.counted {
        return counted(usage, count, now, zone);
    }
    let Some(balance) = &usage.balance else {
        let allowed = if usage.allowed { "it may be used meanwhile" } else { "it may not be used meanwhile" };
        return format!("Use: nothing is known of what is used; {allowed}.");
    };
    let stale = if usage.stale { "; nothing has been heard since for long" } else { "" };
    let told = numbers(balance, usage.mode, unit, &beyond(usage, balance), now, zone);
    format!("Use: {told}{stale}.")
}

/// What to ask the operator's API for, where that alone has the numbers. `path` is where it tells them. This is a line of its own,
/// however long, as it is copied.
pub fn request(usage: &UsageExplanation, path: &str, now: Instant) -> Option<String> {
    let count = usage.counted.as_ref().filter(|count| !is_unknown(usage, count))?;
    let and = if path.contains('?') { '&' } else { '?' };
    let query =
        count.state_since.as_ref().map_or_else(|| format!("{and}at={}", format_instant(now)), |_| String::new());
    Some(format!("GET {path}{query}"))
}

/// Whether the operator says that it does not know.
fn is_unknown(usage: &UsageExplanation, count: &CountExplanation) -> bool {
    count.state_since.is_some() && usage.state == UsageState::Unknown
}

/// How it stands where the operator alone has the numbers, and who gets them.
fn counted(usage: &UsageExplanation, count: &CountExplanation, now: Instant, zone: Tz) -> String {
    let since = count.state_since.as_deref().and_then(moment);
    let state = usage.state;
    let said = since.map_or_else(
        || "has not said how it stands at that moment".to_owned(),
        |since| format!("says {state} since {}", shown(since, zone)),
    );
    let reset = reset(count.resets_at.as_deref(), now, zone);
    if is_unknown(usage, count) {
        return format!("Use: the operator {said}{reset}. It does not know now how much is used.");
    }
    format!(
        "Use: the operator {said}{reset}. How much is used, its store knows, which this command cannot read. The operator's API \
         tells it whoever may check this organization (docs/checks.md: Who may ask):"
    )
}

/// `; new on 2027-08-01 00:00 CEST (in 11 days)`
fn reset(at: Option<&str>, now: Instant, zone: Tz) -> String {
    let at = at.and_then(moment);
    at.map(|at| format!("; new on {} ({})", shown(at, zone), relative(at, now, zone))).unwrap_or_default()
}

/// `80 of 110 hours used since 2027-07-01 00:00 CEST, 30 left; new on 2027-08-01 00:00 CEST (in 11 days)`
fn numbers(
    balance: &BalanceExplanation,
    mode: UsageMode,
    unit: Option<&str>,
    beyond: &str,
    now: Instant,
    zone: Tz,
) -> String {
    let unit = unit.unwrap_or("units");
    let in_use = if mode == UsageMode::Held { "in use" } else { "used" };
    let used = format!("{} of {} {unit} {in_use}", balance.used, balance.allotted);
    let since = balance.since.as_deref().and_then(moment);
    let since = since.map(|since| format!(" since {}", shown(since, zone))).unwrap_or_default();
    let left = match balance.remaining.as_str() {
        "Unlimited" => "as much as is wanted is left".to_owned(),
        "0" => "nothing is left".to_owned(),
        left => format!("{left} left"),
    };
    format!("{used}{since}, {left}{beyond}{}", reset(balance.resets_at.as_deref(), now, zone))
}

/// What is more than there is, and what that means.
fn beyond(usage: &UsageExplanation, balance: &BalanceExplanation) -> String {
    let refused = match usage.state {
        UsageState::Exhausted | UsageState::Exceeded => Some(", and no more is allowed".to_owned()),
        UsageState::Unknown | UsageState::Overage | UsageState::Warning | UsageState::Ok => None,
    };
    over(balance) + &refused.unwrap_or_default()
}

fn over(balance: &BalanceExplanation) -> String {
    let over = |number: &str, what: &str| (number != "0").then(|| format!(", {number} {what}"));
    let told = [over(&balance.overage, "beyond it"), over(&balance.excess, "more than it is now")];
    told.into_iter().flatten().collect()
}

/// What of it is reported, where the operator counts more.
fn reported(usage: &UsageExplanation, unit: Option<&str>, now: Instant, zone: Tz) -> Option<String> {
    let balance = usage.counted.as_ref()?.reported.as_ref()?;
    let is_nothing = [&balance.used, &balance.overage, &balance.excess].iter().all(|number| number.as_str() == "0");
    let told = match is_nothing {
        true => "nothing".to_owned(),
        false => numbers(balance, usage.mode, unit, &over(balance), now, zone),
    };
    Some(format!("Reported by EntitlementUsage objects alone: {told}"))
}

/// What it is taken from, and by which ways.
pub fn details(usage: &UsageExplanation, unit: Option<&str>, now: Instant, zone: Tz) -> Vec<String> {
    if let Some(count) = &usage.counted {
        let notice = count.notice.as_ref().map(|notice| format!("Note: {notice}"));
        return reported(usage, unit, now, zone).into_iter().chain(notice).collect();
    }
    let Some(balance) = &usage.balance else { return Vec::new() };
    let blocks = balance.blocks.iter().filter(|_| is_worth_telling(balance)).map(|one| block(one, zone));
    let channels = balance.channels.iter().map(channel);
    let unentitled = (balance.unentitled != "0").then(|| {
        format!(
            "{} used when nothing was held: this is not counted, unless a grant comes to cover it",
            balance.unentitled
        )
    });
    blocks.chain(channels).chain(unentitled).collect()
}

/// One block that says what the total says needs no line of its own.
fn is_worth_telling(balance: &BalanceExplanation) -> bool {
    !matches!(balance.blocks.as_slice(), [one] if one.taken == balance.used && one.amount == balance.allotted)
}

fn block(block: &BlockExplanation, zone: Tz) -> String {
    let part = block.part.as_deref().unwrap_or("what was carried over");
    let until = block.until.as_deref().and_then(moment);
    let until = until.map(|until| format!(", until {}", shown(until, zone))).unwrap_or_default();
    format!("{} of {} from {part}{until}", block.taken, block.amount)
}

fn channel(channel: &ChannelExplanation) -> String {
    match channel.cap.as_deref() {
        None | Some("Unlimited") => format!("{}: {} used", channel.name, channel.used),
        Some(cap) => format!("{}: {} used, of {cap} at most", channel.name, channel.used),
    }
}
