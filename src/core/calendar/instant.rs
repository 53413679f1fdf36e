//! A moment on the time line, and its text.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};

use super::excerpt;

/// A moment on the time line. Those that this module yields are of whole seconds (but for `parse_exact_instant`) and of the years
/// 0000 to 9999.
pub type Instant = DateTime<Utc>;

/// 0000-01-01T00:00:00Z, the first second that RFC 3339 can write, in seconds of the Unix epoch.
const EARLIEST_SECOND: i64 = -62_167_219_200;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write, in seconds of the Unix epoch.
const LATEST_SECOND: i64 = 253_402_300_799;

/// A text that is no RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{excerpt:?} is no time: {problem}; write an RFC 3339 time with its offset, such as \
     2027-01-31T09:00:00Z"
)]
pub struct InvalidInstant {
    excerpt: String,
    problem: TimeProblem,
}

impl InvalidInstant {
    /// What is wrong with the text.
    #[must_use]
    pub fn problem(&self) -> TimeProblem {
        self.problem
    }
}

/// What is wrong with the text of a date or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeProblem {
    /// Its characters are not arranged as those of a date or a time.
    #[error("it does not have the form of one")]
    Form,
    /// Its numbers are beyond the calendar or the clock, such as a 30th of February.
    #[error("there is no such day, time of day or offset")]
    Nonexistent,
    /// It is a local time, which means a different moment in every time zone.
    #[error("its offset from UTC is missing")]
    NoOffset,
    /// It is more precise than a second where whole seconds are asked for.
    #[error("it has a fraction of a second")]
    Fraction,
    /// Its second is 60, which the clocks of computers do not show.
    #[error("it is a leap second, which clocks of computers do not show")]
    LeapSecond,
}

/// What becomes of a fraction of a second in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fraction {
    Refused,
    CutOff,
    Kept,
}

/// Reads an RFC 3339 time. `t` and `z` may be lower case, as RFC 3339 (section 5.6) allows; a space
/// in place of the `T` is refused. A fraction is cut off, so that all times compare at one
/// precision. A time whose year is not one of 0000 to 9999 in UTC becomes the nearest one that is.
///
/// # Errors
/// Where the text is no RFC 3339 time or a leap second.
pub fn parse_instant(text: &str) -> Result<Instant, InvalidInstant> {
    read_time(text, Fraction::CutOff).map_err(|problem| InvalidInstant { excerpt: excerpt(text), problem })
}

/// The same with its fraction, to the microsecond: for what is said of one thing several times in a second.
///
/// # Errors
/// As [`parse_instant`].
pub fn parse_exact_instant(text: &str) -> Result<Instant, InvalidInstant> {
    read_time(text, Fraction::Kept).map_err(|problem| InvalidInstant { excerpt: excerpt(text), problem })
}

/// The RFC 3339 text of an instant in UTC, of whole seconds: `2027-01-31T00:00:00Z`.
#[must_use]
pub fn format_instant(instant: Instant) -> String {
    bounded(instant).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The same with its fraction, if it has any, to the microsecond: `2027-01-31T00:00:00.250Z`.
#[must_use]
pub fn format_exact_instant(instant: Instant) -> String {
    if bounded(instant).timestamp() != instant.timestamp() {
        return format_instant(instant);
    }
    instant.trunc_subsecs(6).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The nearest whole second, not after `instant`, that RFC 3339 can write.
pub(super) fn bounded(instant: Instant) -> Instant {
    let second = instant.timestamp();
    let nearest = second.clamp(EARLIEST_SECOND, LATEST_SECOND);
    // Nearly every instant is one already, and making a date of a second costs about as much as
    // resolving a local time does.
    if nearest == second && instant.timestamp_subsec_nanos() == 0 {
        return instant;
    }
    DateTime::from_timestamp_secs(nearest).unwrap_or(instant)
}

pub(super) fn read_time(text: &str, fraction: Fraction) -> Result<Instant, TimeProblem> {
    // chrono reads more than RFC 3339 allows (a space for the `T`, a Unicode minus), so the form is
    // checked here.
    let (clock, rest) = text.split_at_checked(19).ok_or(TimeProblem::Form)?;
    if !has_form(clock, "0000-00-00T00:00:00") {
        return Err(TimeProblem::Form);
    }
    let offset = after_fraction(rest)?;
    if fraction == Fraction::Refused && offset.len() < rest.len() {
        return Err(TimeProblem::Fraction);
    }
    if offset.is_empty() {
        return Err(TimeProblem::NoOffset);
    }
    if !["Z", "+00:00", "-00:00"].iter().any(|form| has_form(offset, form)) {
        return Err(TimeProblem::Form);
    }
    if clock.ends_with(":60") {
        return Err(TimeProblem::LeapSecond);
    }
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| TimeProblem::Nonexistent)?.to_utc();
    let second = bounded(time);
    let is_exact = fraction == Fraction::Kept && second.timestamp() == time.timestamp();
    Ok(if is_exact { time.trunc_subsecs(6) } else { second })
}

/// Whether `text` has the form of `form`, in which `0` stands for any digit and a letter for itself
/// in either case.
pub(super) fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            _ => byte.eq_ignore_ascii_case(&expected),
        })
}

fn after_fraction(text: &str) -> Result<&str, TimeProblem> {
    let Some(digits) = text.strip_prefix('.') else {
        return Ok(text);
    };
    let rest = digits.trim_start_matches(|character: char| character.is_ascii_digit());
    if rest.len() == digits.len() {
        return Err(TimeProblem::Form);
    }
    Ok(rest)
}
