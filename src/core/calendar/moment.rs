//! What a user writes in `start`, `end` and `effective`.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use super::{
    excerpt,
    instant::{Fraction, Instant, TimeProblem, format_instant, has_form, read_time},
};

/// A date, whose meaning depends on a time zone and on where it stands, or a moment on the time
/// line.
///
/// Its text is `YYYY-MM-DD` or an RFC 3339 time of whole seconds. `t` and `z` may be lower case, as
/// RFC 3339 allows; a fraction (be it `.000`), a leap second, a missing offset and surrounding
/// blanks are refused. A time is displayed in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A day of the calendar.
    Date(NaiveDate),
    /// A moment on the time line.
    Time(Instant),
}

/// A text that is neither a date nor a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{excerpt:?} is no date or time: {problem}; write a date such as 2027-01-31, or an RFC 3339 \
     time of whole seconds with its offset, such as 2027-01-31T09:00:00Z"
)]
pub struct InvalidMoment {
    excerpt: String,
    problem: TimeProblem,
}

impl InvalidMoment {
    /// What is wrong with the text.
    #[must_use]
    pub fn problem(&self) -> TimeProblem {
        self.problem
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read_moment(text).map_err(|problem| InvalidMoment { excerpt: excerpt(text), problem })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Date(date) => write!(formatter, "{date}"),
            Self::Time(instant) => formatter.write_str(&format_instant(instant)),
        }
    }
}

fn read_moment(text: &str) -> Result<Moment, TimeProblem> {
    if !has_form(text, "0000-00-00") {
        return read_time(text, Fraction::Refused).map(Moment::Time);
    }
    text.parse().map(Moment::Date).map_err(|_| TimeProblem::Nonexistent)
}
