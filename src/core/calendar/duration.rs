//! ISO 8601 durations.

use std::fmt;
use std::str::FromStr;

use super::excerpt;

/// The greatest number that a part may have: enough to leave the calendar in every unit (ten
/// thousand years are less in seconds), and so small that no sum of parts overflows.
const GREATEST: i64 = 999_999_999_999;

/// An ISO 8601 duration such as `P1Y2M3W4DT5H6M7S`: whole numbers of at most 999999999999, without
/// a sign, each unit at most once and in this order.
///
/// The parts stay as they were given (`P12M` is not `P1Y`, since no two units are the same
/// everywhere); a part of zero is as though it were not there, and the duration without any is
/// displayed as `PT0S`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CalendarDuration {
    years: DurationPart,
    months: DurationPart,
    weeks: DurationPart,
    days: DurationPart,
    hours: DurationPart,
    minutes: DurationPart,
    seconds: DurationPart,
}

/// One of `0..=GREATEST`, in as many bytes as that takes: every grant has several durations in memory.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct DurationPart([u8; 5]);

impl DurationPart {
    fn new(number: i64) -> Self {
        let [_, _, _, bytes @ ..] = number.to_be_bytes();
        Self(bytes)
    }

    /// Signed, as all that it is added to is.
    fn get(self) -> i64 {
        self.0.iter().fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }
}

impl fmt::Debug for DurationPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(formatter)
    }
}

impl CalendarDuration {
    /// A duration of so many months.
    #[must_use]
    pub fn of_months(months: u32) -> Self {
        Self { months: DurationPart::new(months.into()), ..Self::default() }
    }

    /// A duration of so many days.
    #[must_use]
    pub fn of_days(days: u32) -> Self {
        Self { days: DurationPart::new(days.into()), ..Self::default() }
    }

    /// A duration of so many seconds, or the longest that can be written.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).map_or(GREATEST, |seconds| seconds.min(GREATEST));
        Self { seconds: DurationPart::new(seconds), ..Self::default() }
    }

    /// Whether it is no time at all.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it has years, months, weeks or days, which are counted in local time.
    #[must_use]
    pub fn has_date_part(&self) -> bool {
        self.total_months() != 0 || self.total_days() != 0
    }
    /// Whether there are hours, minutes or seconds in it.
    #[must_use]
    pub fn has_time_part(&self) -> bool {
        self.total_seconds() != 0
    }

    /// Its years and months, in months.
    pub(crate) fn total_months(&self) -> i64 {
        self.years.get() * 12 + self.months.get()
    }

    /// Its weeks and days, in days.
    pub(crate) fn total_days(&self) -> i64 {
        self.weeks.get() * 7 + self.days.get()
    }

    /// Its hours, minutes and seconds, in seconds.
    pub(crate) fn total_seconds(&self) -> i64 {
        (self.hours.get() * 60 + self.minutes.get()) * 60 + self.seconds.get()
    }
}

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{excerpt:?} is no duration: {problem}; write an ISO 8601 duration such as P1Y, P1M15D or PT12H")]
pub struct InvalidDuration {
    excerpt: String,
    problem: DurationProblem,
}

impl InvalidDuration {
    /// What is wrong with the text.
    #[must_use]
    pub fn problem(&self) -> DurationProblem {
        self.problem
    }
}

/// What is wrong with the text of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationProblem {
    /// It is a number, a word or nothing.
    #[error("it does not begin with P")]
    NoPrefix,
    /// `P` alone.
    #[error("it has no part")]
    NoPart,
    /// A `T` at the end.
    #[error("nothing follows T")]
    NothingAfterT,
    /// A plus or a minus.
    #[error("a sign is not allowed")]
    Sign,
    /// A decimal point or comma.
    #[error("only whole numbers are allowed")]
    Fraction,
    /// More than any calendar spans.
    #[error("a number is above {GREATEST}")]
    TooGreat,
    /// A number at the end, or before the `T`.
    #[error("a number has no unit behind it")]
    NoUnit,
    /// A unit without its number.
    #[error("{0} has no number before it")]
    NoNumber(char),
    /// `p1y`.
    #[error("{0:?} has to be a capital letter")]
    LowerCase(char),
    /// A unit out of order, twice, or on the wrong side of the `T`.
    #[error("{0} is out of place: the order is Y, M, W, D, then T and H, M, S, each at most once")]
    OutOfPlace(char),
    /// Anything else.
    #[error("{0:?} means nothing here")]
    Unexpected(char),
}

impl FromStr for CalendarDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read_duration(text).map_err(|problem| InvalidDuration { excerpt: excerpt(text), problem })
    }
}

impl fmt::Display for CalendarDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return formatter.write_str("PT0S");
        }
        formatter.write_str("P")?;
        write_part(formatter, self.years, 'Y')?;
        write_part(formatter, self.months, 'M')?;
        write_part(formatter, self.weeks, 'W')?;
        write_part(formatter, self.days, 'D')?;
        if self.total_seconds() == 0 {
            return Ok(());
        }
        formatter.write_str("T")?;
        write_part(formatter, self.hours, 'H')?;
        write_part(formatter, self.minutes, 'M')?;
        write_part(formatter, self.seconds, 'S')
    }
}

fn write_part(formatter: &mut fmt::Formatter<'_>, part: DurationPart, unit: char) -> fmt::Result {
    let number = part.get();
    if number == 0 {
        return Ok(());
    }
    write!(formatter, "{number}{unit}")
}

fn read_duration(text: &str) -> Result<CalendarDuration, DurationProblem> {
    let parts = text.strip_prefix('P').ok_or_else(|| wrong_prefix(text))?;
    let (date, time) = match parts.split_once('T') {
        Some((_, "")) => return Err(DurationProblem::NothingAfterT),
        Some(sides) => sides,
        None if parts.is_empty() => return Err(DurationProblem::NoPart),
        None => (parts, ""),
    };
    let [years, months, weeks, days] = read_parts(date, ['Y', 'M', 'W', 'D'])?.map(DurationPart::new);
    let [hours, minutes, seconds] = read_parts(time, ['H', 'M', 'S'])?.map(DurationPart::new);
    Ok(CalendarDuration { years, months, weeks, days, hours, minutes, seconds })
}

/// The number of each of `units`, zero for those that `text` does not have.
fn read_parts<const N: usize>(mut text: &str, units: [char; N]) -> Result<[i64; N], DurationProblem> {
    let mut numbers = [0; N];
    let mut slots = units.iter().zip(&mut numbers);
    while !text.is_empty() {
        let (number, unit, rest) = split_part(text)?;
        // The search goes on behind the unit found last, which enforces order and uniqueness.
        let (_, slot) = slots.find(|(expected, _)| **expected == unit).ok_or_else(|| wrong_unit(unit))?;
        *slot = number;
        text = rest;
    }
    Ok(numbers)
}

/// The number, the unit and the rest of a text such as `1Y2M`.
fn split_part(text: &str) -> Result<(i64, char, &str), DurationProblem> {
    let behind = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let digits = text.strip_suffix(behind).unwrap_or_default();
    let mut characters = behind.chars();
    let unit = characters.next().ok_or(DurationProblem::NoUnit)?;
    if digits.is_empty() {
        return Err(wrong_number(unit));
    }
    let number = digits.parse().map_err(|_| DurationProblem::TooGreat)?;
    if number > GREATEST {
        return Err(DurationProblem::TooGreat);
    }
    Ok((number, unit, characters.as_str()))
}

fn wrong_prefix(text: &str) -> DurationProblem {
    match text.chars().next() {
        Some('+' | '-') => DurationProblem::Sign,
        Some('p') => DurationProblem::LowerCase('p'),
        _ => DurationProblem::NoPrefix,
    }
}

fn wrong_number(found: char) -> DurationProblem {
    match found {
        'Y' | 'M' | 'W' | 'D' | 'H' | 'S' => DurationProblem::NoNumber(found),
        _ => wrong_unit(found),
    }
}

fn wrong_unit(found: char) -> DurationProblem {
    match found {
        '+' | '-' => DurationProblem::Sign,
        '.' | ',' => DurationProblem::Fraction,
        'Y' | 'M' | 'W' | 'D' | 'T' | 'H' | 'S' => DurationProblem::OutOfPlace(found),
        'y' | 'm' | 'w' | 'd' | 't' | 'h' | 's' => DurationProblem::LowerCase(found),
        _ => DurationProblem::Unexpected(found),
    }
}
