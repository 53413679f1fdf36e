//! A check, answered in sentences.

use crate::{
    cli::{
        explain::usage,
        moment::{first_day, last_day, relative, shown},
        text::on_one_line,
    },
    core::{
        calendar::{Instant, parse_instant},
        usage::state::UsageState,
    },
    evaluation::check::{CheckAnswer, CheckOption, CheckReason, CheckedUsage, OptionKind},
    offline::CheckedEntitlement,
};
use rust_decimal::Decimal;

/// What is asked, in the words of whoever asks.
#[derive(Clone, Copy, Debug)]
pub struct AskedUse<'a> {
    /// How much, as plain decimal digits.
    pub amount: &'a str,
    /// In which way.
    pub channel: Option<&'a str>,
    /// Whether also what would help.
    pub with_options: bool,
}

/// Yes or no, and why, in one line.
pub fn verdict(checked: &CheckedEntitlement, asked: AskedUse) -> String {
    let answer = &checked.answer;
    match (answer.allowed, answer.usage.as_ref()) {
        (true, Some(usage)) => format!("Yes: {}.", allowed(checked, usage, asked)),
        (true, None) => format!("Yes: {}.", held(checked)),
        (false, _) => format!("No: {}.", refused(checked, asked)),
    }
}

/// Why so much more may be used.
fn allowed(checked: &CheckedEntitlement, usage: &CheckedUsage, asked: AskedUse) -> String {
    let by = asked.channel.map(|channel| format!(" by {}", on_one_line(channel))).unwrap_or_default();
    let more = format!("{} more may be used{by}", asked.amount);
    match checked.said.map(|said| said.state) {
        Some(None) => {
            return format!(
                "{more}, if so much is left: the operator has not said how it stands at that moment, and its API says how much is"
            );
        }
        Some(Some(UsageState::Overage)) => {
            return format!(
                "{more}, and counts as overage: the operator says Overage, and its API says how much that is"
            );
        }
        Some(Some(state)) if state != UsageState::Unknown => {
            return format!("{more}, if so much is left: the operator says {state}, and its API says how much is");
        }
        Some(Some(_)) | None => {}
    }
    match (checked.answer.reason, usage.remaining.as_deref()) {
        (CheckReason::UsageUnknown, _) | (_, None) => {
            format!("{more}; what is used is not known now, and it may be used meanwhile")
        }
        (CheckReason::Overage, Some(_)) => format!("{more}, and counts as overage: {}{}", left(checked), new(checked)),
        (_, Some("Unlimited")) => format!("{more}: there is no limit"),
        (_, Some(remaining)) => {
            let buffer = if is_more(asked.amount, remaining) { ", and a buffer beyond" } else { "" };
            format!("{more}: {}{buffer}{}", of_channel(checked), new(checked))
        }
    }
}

/// Whether the buffer has to give some of it.
fn is_more(asked: &str, remaining: &str) -> bool {
    let numbers = asked.parse::<Decimal>().ok().zip(remaining.parse::<Decimal>().ok());
    numbers.is_some_and(|(asked, remaining)| asked > remaining)
}

/// That it is held, of what is not metered.
fn held(checked: &CheckedEntitlement) -> String {
    let answer = &checked.answer;
    let until = moment(answer.valid_until.as_deref()).map_or_else(
        || "with no end".to_owned(),
        |until| format!("until {}, {}", last_day(until, checked.zone), relative(until, checked.now, checked.zone)),
    );
    match (&answer.amount, &answer.unit) {
        (Some(amount), Some(unit)) => {
            format!("{amount} {unit} are held, {until}; what is used of them is not metered")
        }
        _ => format!("it is held, {until}"),
    }
}

fn refused(checked: &CheckedEntitlement, asked: AskedUse) -> String {
    let answer = &checked.answer;
    let at = |text: &Option<String>| {
        moment(text.as_deref())
            .map(|at| format!(" on {} ({})", first_day(at, checked.zone), relative(at, checked.now, checked.zone)))
    };
    match answer.reason {
        CheckReason::Waiting => {
            format!("it is not held yet: it begins{}", at(&answer.valid_from).unwrap_or_else(|| " later".to_owned()))
        }
        CheckReason::Expired => format!("it is over{}", ended(checked)),
        CheckReason::Suspended => "it is suspended".to_owned(),
        CheckReason::Exhausted => {
            format!("{} more is too much: {}{}{}", asked.amount, alone(checked), left(checked), new(checked))
        }
        CheckReason::ChannelExhausted => {
            format!(
                "{} more by {} is too much: {}{}",
                asked.amount,
                on_one_line(asked.channel.unwrap_or_default()),
                alone(checked),
                of_channel(checked)
            )
        }
        CheckReason::ChannelNotCovered => {
            let known = checked.channels.join(", ");
            match asked.channel {
                Some(channel) => format!("{} is not covered: there is {known}", on_one_line(channel)),
                None => format!("a use without a channel is not covered: give --channel, one of {known}"),
            }
        }
        CheckReason::UsageUnknown => "what is used is not known now, and nothing may be used meanwhile".to_owned(),
        CheckReason::NotHeld | CheckReason::Allowed | CheckReason::Overage => "it is not held".to_owned(),
    }
}

/// When what is over ended.
fn ended(checked: &CheckedEntitlement) -> String {
    let Some(end) = moment(checked.answer.valid_until.as_deref()) else { return String::new() };
    format!(": it was held until {} ({})", last_day(end, checked.zone), relative(end, checked.now, checked.zone))
}

/// The numbers that are the reason of a no: where the operator counts, those that are reported, if these alone are too much.
fn reckoned(checked: &CheckedEntitlement) -> Option<&CheckedUsage> {
    checked.reported.as_ref().or(checked.answer.usage.as_ref())
}

/// Whose numbers they are, where the operator has more.
fn alone(checked: &CheckedEntitlement) -> &'static str {
    if checked.reported.is_some() { "by EntitlementUsage objects alone, " } else { "" }
}

/// `30 of 110 hours are left`
fn left(checked: &CheckedEntitlement) -> String {
    let CheckAnswer { unit, .. } = &checked.answer;
    let numbers = reckoned(checked).and_then(|usage| Some((usage.remaining.as_deref()?, usage.allotted.as_deref()?)));
    let Some((remaining, allotted)) = numbers else {
        return "the operator says that it is used up".to_owned();
    };
    let unit = unit.as_deref().unwrap_or("units");
    match remaining {
        "0" => format!("nothing of {allotted} {unit} is left"),
        _ => format!("{remaining} of {allotted} {unit} are left"),
    }
}

fn of_channel(checked: &CheckedEntitlement) -> String {
    let channel = reckoned(checked).and_then(|usage| usage.channel.as_ref());
    let capped = channel.filter(|channel| channel.cap.as_deref() != Some("Unlimited"));
    let numbers = capped.and_then(|channel| Some((channel.remaining.as_deref()?, channel.cap.as_deref()?)));
    let Some((remaining, cap)) = numbers else { return left(checked) };
    let unit = checked.answer.unit.as_deref().unwrap_or("units");
    let by = match remaining {
        "0" => format!("nothing of {cap} {unit} is left that way"),
        _ => format!("{remaining} of {cap} {unit} are left that way"),
    };
    format!("{by}, and in all {}", left(checked))
}

/// ` until it is new on 2027-08-01 (in 11 days)`
fn new(checked: &CheckedEntitlement) -> String {
    let reset = reckoned(checked).and_then(|usage| moment(usage.resets_at.as_deref()));
    reset.map_or_else(String::new, |at| {
        format!(" until it is new on {} ({})", first_day(at, checked.zone), relative(at, checked.now, checked.zone))
    })
}

/// What is held, and until when, beside how much of it is used.
pub fn entitled(checked: &CheckedEntitlement) -> Option<String> {
    let answer = &checked.answer;
    if !answer.entitled {
        return None;
    }
    let what = match (&answer.amount, &answer.unit) {
        (Some(amount), Some(unit)) => format!("Entitled to {amount} {unit}"),
        _ => "Entitled".to_owned(),
    };
    let since = moment(answer.valid_from.as_deref()).map(|since| format!(" since {}", shown(since, checked.zone)));
    let until = moment(answer.valid_until.as_deref()).map_or_else(
        || ", with no end".to_owned(),
        |until| format!(", until {} ({})", shown(until, checked.zone), relative(until, checked.now, checked.zone)),
    );
    Some(format!("{what}{}{until}.", since.unwrap_or_default()))
}

/// Where the operator's API answers the same question.
pub fn path(checked: &CheckedEntitlement, asked: AskedUse) -> String {
    let path = usage::path(&checked.answer.organization, &checked.answer.entitlement);
    let channel = asked.channel.map(|channel| format!("&channel={}", on_one_line(channel))).unwrap_or_default();
    let options = if asked.with_options { "&options=true" } else { "" };
    format!("{path}?amount={}{channel}{options}", asked.amount)
}

/// `the add-on extra-seats (Extra seats), 3 times, for entitlements/acme-video: 40 seats then`
pub fn option(option: &CheckOption, unit: Option<&str>) -> String {
    let named = option.display_name.as_deref().map(|name| format!(" ({})", on_one_line(name))).unwrap_or_default();
    let times = option.quantity.filter(|times| *times > 1).map(|times| format!(", {times} times")).unwrap_or_default();
    let kind = match option.kind {
        OptionKind::AddOn => "the add-on",
        OptionKind::Plan => "the plan",
    };
    let then = option.amount.as_deref().map(|amount| format!(": {amount} {} then", unit.unwrap_or("units")));
    format!("{kind} {}{named}{times}, for {}{}", option.plan, option.subscription, then.unwrap_or_default())
}

/// A moment that an answer tells, which is always one.
fn moment(text: Option<&str>) -> Option<Instant> {
    parse_instant(text?).ok()
}
