//! `check`: whether so much more of an entitlement may be used, in one line; the service desk's one command.

mod sentences;

use super::{
    completion::names::{definitions, organizations},
    concern::CatalogueConcern,
    explain::usage,
    offline::{Examination, MomentArguments, SourceArguments},
    outcome::{CommandFailure, Outcome},
    print, say,
    suggestions::known_definition,
    terminal::{Palette, Tone, columns_of_standard_output},
    text::{COLUMNS, Paper, on_one_line},
};
use crate::{
    cli::moment::shown,
    core::{
        amount::Amount,
        schema::wording::closest,
        usage::allowance::{UsageRequest, read_asked_amount},
    },
    evaluation::check::CheckAnswer,
    offline::CheckedEntitlement,
};
use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;
use rust_decimal::Decimal;
use sentences::AskedUse;
use serde::Serialize;

/// Answers whether an organization may use so much more of an entitlement, and why: the exit code says it, too
///
/// The first line answers. Below it you find what is held and until when, how much of it is used and left, and with --options what
/// would help. What is not metered is allowed to whoever holds it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator check acme seats
  entitlement-operator check \"Acme GmbH\" seats --amount 5 --options
  entitlement-operator check acme seats -f clients/ --at 2026-07-01
  entitlement-operator check acme backup -f clients/ --at 2026-07-01 -o json

TIME is an RFC 3339 time, a date (00:00 where the client is), or a time from now such as +90d, -12h, +15min, +1mo, +1y or \
-P1M, by the client's calendar.

Exit codes: 0 yes, 1 no, 2 no answer: usage, input that is unreadable or invalid, a cluster that cannot be looked at, or no \
such organization or entitlement.")]
pub struct CheckArguments {
    /// The organization: its name, its display name, or the beginning of either, in any case
    #[arg(add = ArgValueCompleter::new(organizations))]
    organization: String,
    /// The entitlement: the definition's name, which is the handle that applications check
    #[arg(add = ArgValueCompleter::new(definitions))]
    entitlement: String,
    /// How much more: a number above 0, with at most 15 digits before the point and 9 behind it
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = read_asked_amount, allow_hyphen_values = true)]
    amount: Decimal,
    /// In which way, where the entitlement can be used in several ways, such as phone
    #[arg(long, value_name = "NAME", value_parser = channel)]
    channel: Option<String>,
    /// Says which add-ons and plans would help, where the answer is no
    #[arg(long)]
    options: bool,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    moment: MomentArguments,
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: CheckFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CheckFormat {
    Text,
    Json,
}

/// Messages quote it, so it is no longer than a channel can be.
fn channel(text: &str) -> Result<String, String> {
    let is_name = (1..=MOST_CHARACTERS).contains(&text.chars().count());
    is_name.then(|| text.to_owned()).ok_or_else(|| format!("a channel has a name of 1 to {MOST_CHARACTERS} characters"))
}

const MOST_CHARACTERS: usize = 63;

/// What is invalid has been said before.
const NO_ANSWER: &str = "no answer, as it would leave out what is invalid in the files: mend that, or leave the file out if it is not needed";

/// Says whether so much more may be used. Whatever keeps it from an answer is no answer: never the exit code of a no.
pub fn check(arguments: &CheckArguments) -> Result<Outcome, CommandFailure> {
    answer(arguments).map_err(|failure| CommandFailure::Unanswered(Box::new(failure)))
}

fn answer(arguments: &CheckArguments) -> Result<Outcome, CommandFailure> {
    let when = arguments.moment.moment();
    let Some((examination, organization)) =
        Examination::of_organization(&arguments.source, when, &arguments.organization, CatalogueConcern::Whole)?
    else {
        return Ok(Outcome::Unreadable);
    };
    if examination.is_partial() {
        return Err(CommandFailure::Impossible(NO_ANSWER.to_owned()));
    }
    let inventory = &examination.manifests.inventory;
    let entitlement = known_definition(inventory, &arguments.entitlement)?;
    let request = UsageRequest { amount: arguments.amount, channel: arguments.channel.as_deref() };
    let checked = inventory.check(&organization, &entitlement, request, when, arguments.options);
    let Some(checked) = checked else {
        return Err(CommandFailure::Usage(format!("nothing is known of the organization {organization}")));
    };
    check_channel(&checked, request)?;
    let text = match arguments.output {
        CheckFormat::Json => json(&checked, &examination.not_seen())?,
        CheckFormat::Text => text(&checked, request, arguments.options),
    };
    print(&text).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(if checked.answer.allowed { Outcome::Valid } else { Outcome::Refused })
}

/// Refuses a channel of a Feature, which has none, and says what was perhaps meant by one that is not listed.
fn check_channel(checked: &CheckedEntitlement, request: UsageRequest) -> Result<(), CommandFailure> {
    let Some(channel) = request.channel else { return Ok(()) };
    let handle = &checked.answer.entitlement;
    if checked.answer.type_ == Some("Feature") {
        let sentence = format!("{handle} is a Feature, which is on or off and has no channels: leave out --channel");
        return Err(CommandFailure::Usage(sentence));
    }
    let known: Vec<&str> = checked.channels.iter().map(AsRef::as_ref).collect();
    if let Some(near) = closest(channel, &known).filter(|_| !known.contains(&channel)) {
        say(&format!("note: {handle} does not list the channel {}: did you mean {near}?", on_one_line(channel)));
    }
    Ok(())
}

/// An answer, as far as the caller's rights let it be seen.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeenAnswer<'a> {
    #[serde(flatten)]
    answer: &'a CheckAnswer,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    not_seen: &'a [String],
}

/// The answer as the API gives it, with what could not be seen.
fn json(checked: &CheckedEntitlement, not_seen: &[String]) -> Result<String, CommandFailure> {
    let seen = SeenAnswer { answer: &checked.answer, not_seen };
    Ok(format!("{}\n", serde_json::to_string_pretty(&seen)?))
}

fn text(checked: &CheckedEntitlement, request: UsageRequest, with_options: bool) -> String {
    let answer = &checked.answer;
    let asked = Amount::Limited(request.amount).to_string();
    let asked = AskedUse { amount: &asked, channel: request.channel, with_options };
    let columns = columns_of_standard_output().unwrap_or(COLUMNS);
    let mut paper = Paper::new(Palette::of_standard_output(), columns);
    let tone = if answer.allowed { Tone::Good } else { Tone::Bad };
    // However long it is: who reads the first line has the answer.
    let verdict = on_one_line(&sentences::verdict(checked, asked));
    let verdict = paper.palette().paint(tone, &verdict);
    paper.raw_line(&verdict);
    let client = named(&answer.organization, checked.organization_name.as_deref());
    let what = named(&answer.entitlement, checked.entitlement_name.as_deref());
    let at = shown(checked.now, checked.zone);
    paper.paragraph(0, None, &format!("{client}: {what}, at {at}; all times are those of {}", checked.zone.name()));
    if let Some(entitled) = sentences::entitled(checked) {
        paper.paragraph(2, None, &entitled);
    }
    if let Some(usage) = &checked.usage {
        let (unit, now, zone) = (answer.unit.as_deref(), checked.now, checked.zone);
        paper.paragraph(2, None, &usage::standing(usage, unit, now, zone));
        if let Some(request) = usage::request(usage, &sentences::path(checked, asked), now) {
            paper.raw_line(&format!("    {request}"));
        }
        for detail in usage::details(usage, unit, now, zone) {
            paper.paragraph(4, Some(Tone::Quiet), &detail);
        }
    }
    would_help(&mut paper, checked);
    paper.into_text()
}

fn would_help(paper: &mut Paper, checked: &CheckedEntitlement) {
    match &checked.answer.options {
        None => {}
        Some(options) if options.is_empty() => {
            paper.paragraph(2, None, "No add-on and no plan that its subscriptions could have would help.");
        }
        Some(options) => {
            paper.paragraph(2, None, "What would help:");
            for option in options {
                paper.paragraph(4, None, &sentences::option(option, checked.answer.unit.as_deref()));
            }
        }
    }
}

/// `Acme GmbH (acme)`
fn named(name: &str, for_people: Option<&str>) -> String {
    for_people.map_or_else(|| name.to_owned(), |shown| format!("{} ({name})", on_one_line(shown)))
}
