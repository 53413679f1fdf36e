//! What is legal in a grant, but hardly meant. The webhook and `validate` both say so before the grant is made.

use crate::{
    api::lifecycle::State,
    core::{
        amount::Amount,
        approval::{Objection, StatedDecision},
        calendar::{Instant, Moment, Nominal, Tz, format_instant},
        facets::{Statement, unstated},
        grant::{Grant, GrantAmendment},
        problem::Problem,
        reason::ReasonCode,
        source::{
            stated::{StatedAmendment, StatedSource},
            subscription::{StatedWindow, Subscription},
        },
    },
};
use chrono::{NaiveDateTime, TimeDelta, Timelike};
use std::sync::Arc;

/// More fields than this are counted.
const MOST_NAMED: usize = 3;
/// Where a grant names the one that it renews.
const RENEWS: &str = "/spec/renews";
/// Seconds of a minute.
const MINUTE: u32 = 60;

/// What may not be meant of a grant, with the one that it renews, its definition's amount, and its organization's time zone,
/// as far as there are such. Of one that is over nothing needs to be said.
#[must_use]
pub fn doubts(grant: &Grant, renewed: Option<&Grant>, preset: Option<Amount>, zone: Option<Tz>) -> Vec<Problem> {
    if grant.state == State::Cancelled {
        return Vec::new();
    }
    let renewal = renewed.into_iter().flat_map(|renewed| of_renewal(grant, renewed, preset));
    let amendments = grant.amendments.iter().map(|one| &one.stated);
    let zone = grant.accepted.as_ref().map(|accepted| accepted.zone).or(zone);
    renewal.chain(of_ends(&grant.source, amendments, zone)).collect()
}

/// Why a decision never counts, with the override of that name and namespace if there is one, and all decisions on overrides.
#[must_use]
pub fn decision_doubts<'a>(
    decision: &StatedDecision,
    about: Option<&Grant>,
    all: impl Iterator<Item = &'a StatedDecision>,
) -> Option<Problem> {
    let StatedDecision { namespace, override_name: name, by, .. } = decision;
    let doubt =
        |field: &str, why: String| Some(Problem::new(ReasonCode::DecisionIgnored, why).at(format!("/spec/{field}")));
    let Some((grant, request)) = about.and_then(|grant| Some((grant, grant.request.as_deref()?))) else {
        return doubt("override/name", format!("there is no override {namespace}/{name}, so this decides nothing"));
    };
    let uid = &grant.age.uid;
    if uid.is_empty() {
        let why = format!(
            "the manifest of the override {namespace}/{name} has no metadata.uid, so this decides nothing here"
        );
        return doubt("override/uid", why);
    }
    if decision.override_uid != *uid {
        let why = format!(
            "the override {namespace}/{name} has the UID {uid}, so this decides nothing: it was for another one of that name"
        );
        return doubt("override/uid", why);
    }
    if decision.definition != grant.id.definition {
        let why = format!("the override {namespace}/{name} is of {}, so this decides nothing", grant.id.definition);
        return doubt("definition", why);
    }
    match request.objection_to(by) {
        Some(Objection::Asker) => {
            return doubt("decidedBy", format!("{by} asked for {namespace}/{name}, so somebody else has to decide"));
        }
        Some(Objection::ServiceAccount) => {
            return doubt("decidedBy", format!("{by} is no person, so this decides nothing"));
        }
        None => {}
    }
    let order = |one: &StatedDecision| (one.created, one.ruling, Arc::clone(&one.name));
    let is_of_both = |one: &&StatedDecision| {
        (&one.namespace, &one.override_uid, &one.definition, &one.by)
            == (namespace, &decision.override_uid, &decision.definition, by)
    };
    let first = all.filter(is_of_both).min_by_key(|one| order(one)).filter(|first| first.name != decision.name)?;
    doubt(
        "decidedBy",
        format!("{by} has decided on {namespace}/{name} before, by {}, and the first counts", first.name),
    )
}

/// The same of a subscription, with the one that it renews, and its organization's time zone.
#[must_use]
pub fn subscription_doubts(
    subscription: &Subscription,
    renewed: Option<&Subscription>,
    zone: Option<Tz>,
) -> Vec<Problem> {
    if subscription.state == State::Cancelled {
        return Vec::new();
    }
    let suspended = renewed.and_then(|renewed| not_suspended(&subscription.source, &renewed.source));
    let amendments = subscription.amendments.iter().map(|one| &one.stated);
    let zone = subscription.accepted.as_ref().map(|accepted| accepted.zone).or(zone);
    suspended
        .into_iter()
        .chain(of_ends(&subscription.source, amendments, zone))
        .chain(of_windows(subscription, zone))
        .collect()
}

/// Ends of entries in the last minute of a day where the client is.
fn of_windows(subscription: &Subscription, zone: Option<Tz>) -> Vec<Problem> {
    let add_ons = subscription.add_ons.iter().map(|entry| &entry.window).enumerate().map(|one| ("addOns", one));
    let add = subscription.add.iter().map(|entry| &entry.window).enumerate().map(|one| ("add", one));
    let remove = subscription.remove.iter().map(|entry| &entry.window).enumerate().map(|one| ("remove", one));
    let late = |(list, (index, window)): (&str, (usize, &StatedWindow))| {
        let Some(Ok(Moment::Time(end))) = &window.end else { return None };
        let problem = Problem::new(ReasonCode::EndBeforeMidnight, late(*end, None, zone)?);
        Some(problem.at(format!("/spec/{list}/{index}/end")))
    };
    add_ons.chain(add).chain(remove).filter_map(late).collect()
}

/// The grant that one renews, if it can.
#[must_use]
pub fn is_renewed_by(renewed: &Grant, renewal: &Grant) -> bool {
    let renews = renewal.renews.clone().map(|name| renewal.id.source.beside(name));
    renews.as_ref() == Some(&renewed.id.source)
        && renewal.organization == renewed.organization
        && renewal.id.definition == renewed.id.definition
}

/// A renewal takes over the term alone.
fn of_renewal(grant: &Grant, renewed: &Grant, preset: Option<Amount>) -> Vec<Problem> {
    let name = &renewed.id.source.name;
    let mut doubts = Vec::new();
    if let (Some(amount), None) = (stated_amount(renewed), stated_amount(grant)) {
        let instead = preset.map(|preset| format!(", {preset}")).unwrap_or_default();
        let message = format!(
            "it renews {name}, which states amount {amount}, but states none itself, so that of the definition counts{instead}: state the amount that is to hold"
        );
        doubts.push(Problem::new(ReasonCode::AmountNotRenewed, message).at(RENEWS));
    }
    let missing = missing_values(grant, renewed);
    if !missing.is_empty() {
        let message = format!(
            "it renews {name}, which states {}, but does not state that itself, so presets and defaults count: state what is to hold",
            some_of(&missing)
        );
        doubts.push(Problem::new(ReasonCode::FacetsNotRenewed, message).at(RENEWS));
    }
    doubts.extend(not_suspended(&grant.source, &renewed.source));
    doubts
}

fn not_suspended(renewal: &StatedSource, renewed: &StatedSource) -> Option<Problem> {
    let name = &renewed.age.name;
    (renewed.suspended && !renewal.suspended).then(|| {
        let message = format!(
            "it renews {name}, which is suspended, but is not suspended itself, so what is withheld now is delivered again from its start on: set suspended: true here too, or take it off {name}"
        );
        Problem::new(ReasonCode::RenewsSuspended, message).at(RENEWS)
    })
}

/// Those that are not taken back.
fn amendments(grant: &Grant) -> impl Iterator<Item = (usize, &GrantAmendment)> {
    grant.amendments.iter().enumerate().filter(|(_, amendment)| !amendment.revoked)
}

/// The amount that a grant comes to state, once all its amendments count.
fn stated_amount(grant: &Grant) -> Option<Amount> {
    let zone = grant.accepted.as_ref().map_or(Tz::UTC, |accepted| accepted.zone);
    let effective = |amendment: &GrantAmendment| {
        let moment = amendment.effective.as_ref().ok()?;
        Some((Nominal::of_start(*moment, zone).instant(), amendment.name.clone()))
    };
    let amended = amendments(grant)
        .filter_map(|(_, one)| Some((effective(one)?, one.amount()?)))
        .max_by(|(one, _), (other, _)| one.cmp(other));
    let stated = || grant.amount.as_ref()?.as_ref().ok().copied();
    amended.map(|(_, amount)| amount).or_else(stated)
}

/// The values and sources of secret values that the renewed grant states and the renewal does not.
fn missing_values(grant: &Grant, renewed: &Grant) -> Vec<String> {
    let stated = |grant: &Grant| {
        let counting: Vec<usize> = amendments(grant).map(|(index, _)| index).collect();
        Statement::of(grant, &counting).merged()
    };
    let values = unstated(&stated(renewed), &stated(grant));
    let is_sourced = |facet: &str, field: &str| {
        grant.secret_facets.iter().any(|source| source.facet == facet && source.field == field)
    };
    let secrets = renewed.secret_facets.iter().filter(|source| !is_sourced(&source.facet, &source.field));
    let secrets = secrets.map(|source| format!("secretFacets.{}.{}", source.facet, source.field));
    values.into_iter().map(|path| format!("facets.{path}")).chain(secrets).collect()
}

fn some_of(names: &[String]) -> String {
    let first = names.get(..MOST_NAMED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(MOST_NAMED) {
        0 => first,
        others => format!("{first} and {others} more"),
    }
}

/// Ends in the last minute of a day. A term is half-open, so such an end leaves a gap before what follows, and a length that
/// is no whole number of days.
fn of_ends<'a>(
    source: &'a StatedSource,
    amendments: impl Iterator<Item = &'a StatedAmendment>,
    zone: Option<Tz>,
) -> Vec<Problem> {
    let own = match &source.end {
        Some(Ok(Moment::Time(end))) => Some(("/spec/end".to_owned(), *end, source.written.end.as_deref())),
        _ => None,
    };
    let amended = amendments.enumerate().filter(|(_, amendment)| !amendment.revoked);
    let amended = amended.filter_map(|(index, amendment)| match &amendment.end {
        Some(Ok(Moment::Time(end))) => {
            Some((format!("/spec/amendments/{index}/end"), *end, amendment.written_end.as_deref()))
        }
        _ => None,
    });
    let ends = own.into_iter().chain(amended);
    ends.filter_map(|(pointer, end, written)| {
        Some(Problem::new(ReasonCode::EndBeforeMidnight, late(end, written, zone)?).at(pointer))
    })
    .collect()
}

/// What is said of an end in the last minute of a day: of the client's, or of that in whose time it is written.
fn late(end: Instant, written: Option<&str>, zone: Option<Tz>) -> Option<String> {
    // An end on the last day that there is means never.
    if format_instant(end).starts_with("9999-12-31") {
        return None;
    }
    let local = zone.map(|zone| Nominal::of_instant(end, zone).local());
    if let Some(local) = local.filter(is_last_minute) {
        let (date, time) = (local.date(), local.time());
        return Some(format!(
            "it ends at {time} of {date} where the client is, {} before that day is over: write the date {date}, whose whole day is included",
            until_midnight(local)
        ));
    }
    let text = written?;
    let written: NaiveDateTime = text.get(..19)?.to_ascii_uppercase().parse().ok().filter(is_last_minute)?;
    let date = written.date();
    let after = end + TimeDelta::seconds(i64::from(MINUTE - written.second()));
    Some(format!(
        "it ends at {text}, {} before that day is over: write {}, or the date {date} if the whole day where the client is is meant",
        until_midnight(written),
        format_instant(after)
    ))
}

fn is_last_minute(local: &NaiveDateTime) -> bool {
    (local.hour(), local.minute()) == (23, 59)
}

fn until_midnight(local: NaiveDateTime) -> String {
    match MINUTE - local.second() {
        1 => "a second".to_owned(),
        MINUTE => "a minute".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
