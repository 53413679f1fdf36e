//! Time zones: their names, and which instant a local time means in one.
//!
//! The data is compiled in. It knows every clock change until the end of 2099; from then on the
//! clocks stay as they are.

use std::cmp::Reverse;

use chrono::{MappedLocalTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{GapInfo, IANA_TZDB_VERSION, TZ_VARIANTS, Tz};

use super::excerpt::excerpt;
use super::instant::{Instant, bounded};

/// How alike a name has to be to be suggested: 1 is the same, 0 has nothing in common.
const ALIKE: f64 = 0.75;

/// A name longer than this is not compared with others: it is none that was misspelt.
const LONGEST_COMPARED: usize = 64;

/// A name that is no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{excerpt:?} is no time zone of the IANA time zone database, release {release}; {advice}",
    release = tz_release(),
    advice = self.advice()
)]
pub struct UnknownTimeZone {
    excerpt: String,
    suggestion: Option<Tz>,
}

impl UnknownTimeZone {
    /// The time zone that was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<Tz> {
        self.suggestion
    }

    fn advice(&self) -> String {
        match self.suggestion {
            Some(zone) => format!("did you mean {:?}?", zone.name()),
            None => "write a name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
        }
    }
}

/// The time zone of an IANA name, whose letters are in the case that IANA gives them.
///
/// # Errors
/// Where the compiled-in database has no zone of exactly this name.
pub fn parse_zone(name: &str) -> Result<Tz, UnknownTimeZone> {
    name.parse().map_err(|_| UnknownTimeZone { excerpt: excerpt(name), suggestion: suggest(name) })
}

/// The release of the IANA time zone database that is compiled in, such as `2025b`.
#[must_use]
pub fn tz_release() -> &'static str {
    IANA_TZDB_VERSION
}

/// The instant that a local time means: of one that exists twice the first, and for one that does
/// not exist the moment at which the clocks change. Fractions of a second are cut off.
#[must_use]
pub fn resolve(local: NaiveDateTime, zone: Tz) -> Instant {
    let local = bounded(local.and_utc()).naive_utc();
    let instant = match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => time.to_utc(),
        // A time that chrono cannot map is always in a gap, so that the reading as UTC is for the
        // types only.
        MappedLocalTime::None => clock_change(local, zone).unwrap_or(local.and_utc()),
    };
    bounded(instant)
}

/// The moment at which the clocks skip `local`; none where they do not.
fn clock_change(local: NaiveDateTime, zone: Tz) -> Option<Instant> {
    // The gap's beginning with the old offset, since its end with the new one may exist twice.
    let (begin, old_offset) = GapInfo::new(&local, &zone)?.begin?;
    Some(begin.checked_sub_offset(old_offset.fix())?.and_utc())
}

fn suggest(name: &str) -> Option<Tz> {
    if name.len() > LONGEST_COMPARED {
        return None;
    }
    let name = name.trim().to_lowercase();
    TZ_VARIANTS
        .iter()
        .map(|zone| (likeness(&name, zone.name()), *zone))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(left, left_zone), (right, right_zone)| {
            // Of names that are equally alike the shortest is the plainest: UTC rather than
            // Etc/UTC.
            let shortest = |zone: &Tz| Reverse(zone.name().len());
            left.total_cmp(right).then_with(|| shortest(left_zone).cmp(&shortest(right_zone)))
        })
        .map(|(_, zone)| zone)
}

/// How alike a lower-case name is to a zone's, or to the place at its end (`berlin` to
/// `Europe/Berlin`).
fn likeness(name: &str, zone: &str) -> f64 {
    let zone = zone.to_lowercase();
    let place = zone.rsplit('/').next().unwrap_or(&zone);
    strsim::normalized_damerau_levenshtein(name, &zone).max(strsim::normalized_damerau_levenshtein(name, place))
}
