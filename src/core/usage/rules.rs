//! What a definition says of how it is metered.

use super::share::UsageShare;
use crate::{
    api::usage::{DEFAULT_THRESHOLDS, OnUnknown, OtherChannels, UsageAnchor, UsageLimit, UsageMode, UsageSpec},
    core::{amount::Amount, calendar::CalendarDuration, problem::Problem, reason::ReasonCode},
};
use std::{collections::BTreeMap, sync::Arc};

/// A definition's `usage`, read.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageRules {
    /// What is metered.
    pub mode: UsageMode,
    /// How long a period is; absent where each allotment is for the whole time of what gives it.
    pub period: Option<CalendarDuration>,
    /// From when periods count.
    pub anchor: UsageAnchor,
    /// What becomes of uses beyond the allotment.
    pub limit: UsageLimit,
    /// How far beyond a Hard limit is allowed still.
    pub buffer: UsageShare,
    /// The percentages at which something is said, in order.
    pub thresholds: Vec<u32>,
    /// How much of a period's unused own allotment is usable in the next one too.
    pub carry_over: UsageShare,
    /// The channels that it knows, with how much of the total each is of where no grant says it.
    pub channels: BTreeMap<Arc<str>, Option<Amount>>,
    /// What becomes of uses that name none of them.
    pub other_channels: OtherChannels,
    /// How long after the end of a period uses of it are taken.
    pub lateness: CalendarDuration,
    /// What is answered where nothing has been heard for long.
    pub on_unknown: OnUnknown,
    /// How long what was heard counts as known.
    pub stale_after: CalendarDuration,
    /// What Prometheus is asked, where it knows what is used.
    pub prometheus: Option<PrometheusRule>,
}

/// What Prometheus is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusRule {
    /// The query, with `$bucket` in it.
    pub query: Arc<str>,
    /// How many seconds a bucket is long.
    pub bucket: u32,
}

/// The longest bucket: a week.
const LONGEST_BUCKET: i64 = 7 * 86_400;

impl UsageRules {
    /// Reads a definition's `usage`.
    ///
    /// # Errors
    /// `InvalidUsage` with the first problem. What the CRD's rules refuse is refused here too: manifests that are read from files
    /// have not passed them.
    pub fn read(spec: &UsageSpec) -> Result<Self, Problem> {
        let period = spec.period.as_deref().map(|text| read_duration("period", text)).transpose()?;
        let anchor = spec.anchor.unwrap_or_default();
        check_period(spec, period, anchor)?;
        let lateness = read_duration("lateness", spec.lateness.as_deref().unwrap_or("P1D"))?;
        if period.is_some_and(|period| !is_at_most(lateness, period)) {
            return Err(invalid("lateness: it is at most one period: give a shorter one"));
        }
        Ok(Self {
            mode: spec.mode,
            period,
            anchor,
            limit: spec.limit,
            buffer: read_share("buffer", spec.buffer.as_ref())?,
            thresholds: read_thresholds(spec.thresholds.as_deref().unwrap_or(&DEFAULT_THRESHOLDS))?,
            carry_over: read_share("carryOver", spec.carry_over.as_ref())?,
            channels: read_channels(spec)?,
            other_channels: spec.other_channels,
            lateness,
            on_unknown: spec.on_unknown,
            stale_after: read_duration("staleAfter", spec.stale_after.as_deref().unwrap_or("PT15M"))?,
            prometheus: read_prometheus(spec)?,
        })
    }

    /// How long what was heard counts as known at least, in seconds.
    #[must_use]
    pub fn stale_seconds(&self) -> i64 {
        shortest_seconds(self.stale_after)
    }

    /// Whether uses by a channel are covered at all.
    #[must_use]
    pub fn covers(&self, channel: Option<&str>) -> bool {
        self.other_channels == OtherChannels::Allow
            || channel.is_some_and(|channel| self.channels.contains_key(channel))
    }
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(ReasonCode::InvalidUsage, format!("usage.{}", message.into()))
}

fn read_duration(field: &str, text: &str) -> Result<CalendarDuration, Problem> {
    text.parse().map_err(|error| invalid(format!("{field}: {error}")))
}

fn read_share(field: &str, share: Option<&crate::api::usage::ShareField>) -> Result<UsageShare, Problem> {
    let read = share.map(UsageShare::read).transpose().map_err(|error| invalid(format!("{field}: {error}")))?;
    Ok(read.unwrap_or_default())
}

fn read_thresholds(thresholds: &[u32]) -> Result<Vec<u32>, Problem> {
    if thresholds.len() > 8 || thresholds.iter().any(|percent| !(1..=1000).contains(percent)) {
        return Err(invalid("thresholds: at most 8 whole percentages from 1 to 1000"));
    }
    let mut thresholds = thresholds.to_vec();
    thresholds.sort_unstable();
    thresholds.dedup();
    Ok(thresholds)
}

fn read_channels(spec: &UsageSpec) -> Result<BTreeMap<Arc<str>, Option<Amount>>, Problem> {
    let mut channels = BTreeMap::new();
    for channel in &spec.channels {
        let amount = channel.amount.as_ref().map(Amount::read).transpose();
        let amount = amount.map_err(|error| invalid(format!("channels[{}]: {error}", channel.name)))?;
        if channels.insert(channel.name.as_str().into(), amount).is_some() {
            return Err(invalid(format!("channels[{}]: it is listed twice", channel.name)));
        }
    }
    Ok(channels)
}

fn read_prometheus(spec: &UsageSpec) -> Result<Option<PrometheusRule>, Problem> {
    let Some(prometheus) = &spec.prometheus else { return Ok(None) };
    let bucket = read_duration("prometheus.bucket", prometheus.bucket.as_deref().unwrap_or("PT1H"))?;
    let seconds = bucket.total_seconds();
    if bucket.has_date_part() || !(1..=LONGEST_BUCKET).contains(&seconds) {
        return Err(invalid("prometheus.bucket: it has hours, minutes or seconds alone, from PT1S to PT168H"));
    }
    let seconds = u32::try_from(seconds).map_err(|_| invalid("prometheus.bucket: it is too long"))?;
    Ok(Some(PrometheusRule { query: prometheus.query.as_str().into(), bucket: seconds }))
}

fn check_period(spec: &UsageSpec, period: Option<CalendarDuration>, anchor: UsageAnchor) -> Result<(), Problem> {
    if spec.mode == UsageMode::Held && (period.is_some() || spec.anchor.is_some()) {
        return Err(invalid(
            "period: what is Held starts anew at no time: remove period and anchor, or use mode Consumed",
        ));
    }
    if spec.carry_over.is_some() && period.is_none() {
        return Err(invalid("carryOver: it is from one period to the next: give a period, or remove carryOver"));
    }
    if let Some(period) = period
        && !(period.has_date_part() && period.total_seconds() == 0 && has_one_part(spec.period.as_deref()))
    {
        return Err(invalid("period: it has one part, of years, months, weeks or days, such as P1M"));
    }
    if anchor == UsageAnchor::Calendar {
        let is_possible = period.is_some_and(|period| match (period.total_months(), period.total_days()) {
            (months, 0) => matches!(months, 1 | 2 | 3 | 4 | 6 | 12),
            (0, days) => matches!(days, 1 | 7),
            _ => false,
        });
        if !is_possible {
            return Err(invalid("anchor: with Calendar the period is P1Y, P1M, P2M, P3M, P4M, P6M, P1W or P1D"));
        }
    }
    Ok(())
}

fn has_one_part(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.bytes().filter(u8::is_ascii_alphabetic).count() == 2)
}

/// Whether a duration is never longer than a period. Months are as long as the same months, though some are shorter than others.
fn is_at_most(duration: CalendarDuration, period: CalendarDuration) -> bool {
    let is_part_of = duration.total_months() <= period.total_months()
        && duration.total_days() <= period.total_days()
        && duration.total_seconds() <= period.total_seconds();
    is_part_of || longest_seconds(duration) <= shortest_seconds(period)
}

const DAY: i64 = 86_400;

/// How long a duration is at most: months of 31 days, days of 25 hours.
fn longest_seconds(duration: CalendarDuration) -> i64 {
    (duration.total_months() * 31 + duration.total_days()) * DAY + duration.total_seconds()
}

/// How long a duration is at least, but for what a change of clocks takes away: months of 28 days.
fn shortest_seconds(duration: CalendarDuration) -> i64 {
    let days = match duration.total_months() {
        0 => 0,
        1 => 28,
        months => months * 30 + months / 2 - 3,
    };
    (days + duration.total_days()) * DAY + duration.total_seconds()
}
