//! How much of what is held is used, in sentences.

use super::moment;
use crate::{
    api::usage::UsageMode,
    cli::moment::{relative, shown},
    core::{
        calendar::{Instant, Tz},
        usage::state::UsageState,
    },
    evaluation::explanation::{BalanceExplanation, BlockExplanation, ChannelExplanation, UsageExplanation},
};

/// How it stands, in one sentence.
pub fn standing(usage: &UsageExplanation, unit: Option<&str>, now: Instant, zone: Tz) -> String {
    let Some(balance) = &usage.balance else {
        let allowed = if usage.allowed { "it may be used meanwhile" } else { "it may not be used meanwhile" };
        return format!("Use: nothing is known of what is used; {allowed}.");
    };
    let unit = unit.unwrap_or("units");
    let in_use = if usage.mode == UsageMode::Held { "in use" } else { "used" };
    let used = format!("{} of {} {unit} {in_use}", balance.used, balance.allotted);
    let since = balance.since.as_deref().and_then(moment);
    let since = since.map(|since| format!(" since {}", shown(since, zone))).unwrap_or_default();
    let left = match balance.remaining.as_str() {
        "Unlimited" => "as much as is wanted is left".to_owned(),
        "0" => "nothing is left".to_owned(),
        left => format!("{left} left"),
    };
    let reset = balance.resets_at.as_deref().and_then(moment);
    let reset = reset.map(|at| format!("; new on {} ({})", shown(at, zone), relative(at, now, zone)));
    let stale = if usage.stale { "; nothing has been heard since for long" } else { "" };
    format!("Use: {used}{since}, {left}{}{}{stale}.", beyond(usage, balance), reset.unwrap_or_default())
}

/// What is more than there is, and what that means.
fn beyond(usage: &UsageExplanation, balance: &BalanceExplanation) -> String {
    let over = |number: &str, what: &str| (number != "0").then(|| format!(", {number} {what}"));
    let told = [over(&balance.overage, "beyond it"), over(&balance.excess, "more than it is now")];
    let refused = match usage.state {
        UsageState::Exhausted | UsageState::Exceeded => Some(", and no more is allowed".to_owned()),
        UsageState::Unknown | UsageState::Overage | UsageState::Warning | UsageState::Ok => None,
    };
    told.into_iter().chain([refused]).flatten().collect()
}

/// What it is taken from, and by which ways.
pub fn details(usage: &UsageExplanation, zone: Tz) -> Vec<String> {
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
