//! An end that may never come.

use std::fmt;
use std::str::FromStr;

use super::instant::{Instant, InvalidInstant, format_instant, parse_instant};
use super::nominal::Nominal;

/// The text of [`Bound::Never`] in a status.
pub const NEVER: &str = "9999-12-31T00:00:00Z";

/// [`NEVER`] in seconds of the Unix epoch.
const NEVER_SECOND: i64 = 253_402_214_400;

/// A moment that comes, or never. Never is after every moment.
///
/// A bound that is made from a moment (`From`, `FromStr`) is `Never` from 9999-12-31 on, in UTC or
/// by the local value of a [`Nominal`]: an end on that day means never, and the text of a status
/// could not tell the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound<T = Instant> {
    /// It comes at this moment.
    At(T),
    /// It does not come.
    Never,
}

impl<T> Bound<T> {
    /// The moment, if it comes.
    #[must_use]
    pub fn at(self) -> Option<T> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Never => None,
        }
    }
}

impl Bound<Nominal> {
    /// The same bound without the local value.
    #[must_use]
    pub fn instant(self) -> Bound {
        self.at().map_or(Bound::Never, |nominal| Bound::At(nominal.instant()))
    }
}

impl Bound {
    /// Whether it has come when the clock shows `now`; the bound itself belongs to what follows it.
    #[must_use]
    pub fn has_come(self, now: Instant) -> bool {
        self <= Self::At(now)
    }
}

impl From<Instant> for Bound {
    fn from(instant: Instant) -> Self {
        if instant.timestamp() >= NEVER_SECOND {
            return Self::Never;
        }
        Self::At(instant)
    }
}

impl From<Nominal> for Bound<Nominal> {
    fn from(nominal: Nominal) -> Self {
        let shown = Bound::from(nominal.local().and_utc());
        if shown == Bound::Never || Bound::from(nominal.instant()) == Bound::Never {
            return Self::Never;
        }
        Self::At(nominal)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::At(instant) => formatter.write_str(&format_instant(instant)),
            Self::Never => formatter.write_str(NEVER),
        }
    }
}

/// Reads what `Display` writes, and any other RFC 3339 time as [`parse_instant`] does.
impl FromStr for Bound {
    type Err = InvalidInstant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_instant(text).map(Self::from)
    }
}
