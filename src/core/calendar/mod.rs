//! The calendar arithmetic of terms: from the text of a manifest to moments on the time line, and back.
//!
//! | file | what it knows |
//! |---|---|
//! | `instant` | a moment on the time line, and its RFC 3339 text |
//! | `bound` | an instant, or never |
//! | `moment` | what a user writes: a date or a time |
//! | `duration` | ISO 8601 durations |
//! | `zone` | a time zone: its local time at an instant, and the instant that a local time means |
//! | `zone_data` | the time zones by name, and their release |
//! | `nominal` | a moment that remembers the local value it was given as |
//! | `arithmetic` | a moment plus or minus a duration, and the length between two |
//! | `local` | a moment as the clocks of a zone show it, and the last day before one |
//!
//! All of it is pure, and no input makes it panic. Every [`Instant`] that it returns has whole seconds and is in the years
//! 0000 to 9999, so RFC 3339 can write it. Only texts and errors allocate: the arithmetic runs for every grant at every
//! evaluation.

mod arithmetic;
mod bound;
mod duration;
mod instant;
mod local;
mod moment;
mod nominal;
mod zone;
mod zone_data;

#[cfg(test)]
mod tests;

use super::excerpt::elided_after_characters;

pub use arithmetic::{add, length, subtract};
pub use bound::{Bound, NEVER};
pub use duration::{CalendarDuration, DurationProblem, InvalidDuration};
pub use instant::{
    Instant, InvalidInstant, TimeProblem, format_exact_instant, format_instant, parse_exact_instant, parse_instant,
};
pub use local::{format_local, format_until};
pub use moment::{InvalidMoment, Moment};
pub use nominal::Nominal;
pub use zone::{Tz, resolve};
pub use zone_data::{
    InUse, ReadZone, TimeZoneData, TzRelease, UnknownRelease, UnknownTimeZone, UnusableZone, compiled_in_release,
    is_compiled_in, is_zone_name, parse_zone, tz_release, use_time_zones,
};

/// How many characters of a text a message shows: enough to find it, and no more than fits a line.
const LONGEST_EXCERPT: usize = 40;

/// What an error message quotes of a text that could not be read. Show it with `{:?}`, which also makes control characters
/// harmless.
fn excerpt(text: &str) -> String {
    elided_after_characters(text, LONGEST_EXCERPT)
}
