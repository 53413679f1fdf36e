//! What an answer of Prometheus means: which of it counts, and what is wrong with the rest.
//!
//! An answer counts as a whole or not at all where it says itself that it is not complete. Of one that counts, each series that
//! is wrong is left out and named, and the others count.

use super::{
    buckets::{BucketProgress, BucketRequest},
    register::{Register, RegisterId},
    rules::PrometheusRule,
    vector::{MetricSeries, MetricVector},
};
use crate::core::{
    calendar::{Instant, format_instant},
    excerpt::elided_after_characters,
    name::dns_label,
};
use chrono::TimeDelta;
use rust_decimal::Decimal;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// The origin of registers that Prometheus gave.
pub const ORIGIN: &str = "Prometheus";
/// What stands in a query for the length of a bucket.
const BUCKET: &str = "$bucket";
/// How far the clocks may be apart.
const APART: TimeDelta = TimeDelta::seconds(5);
/// How many names a problem lists.
const MOST_NAMED: usize = 5;
/// How many characters of a name are shown.
const SHOWN: usize = 70;
/// So many digits may stand before the point of an amount, and so many behind it.
const WHOLE_DIGITS: u32 = 15;
const FRACTION_DIGITS: u32 = 9;
/// What is less comes to nothing in so many digits.
const NOTHING: f64 = 0.5e-9;

/// What is wrong with an answer, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum PrometheusProblem {
    /// It cannot be asked.
    #[error("Prometheus cannot be asked: {0}")]
    Unreached(String),
    /// It does not do what is asked.
    #[error("Prometheus refuses the query: {0}: mend usage.prometheus.query")]
    Refused(String),
    /// It could not do what is asked.
    #[error("Prometheus could not answer the query: {0}")]
    Failed(String),
    /// It says something else than Prometheus does.
    #[error("the answer cannot be read: is it a Prometheus?")]
    Unreadable,
    /// More than is read.
    #[error(
        "the answer for a single moment is larger than 16 MiB: aggregate in usage.prometheus.query, as with sum by (organization)"
    )]
    TooLarge,
    /// It lacks something.
    #[error("the answer is not complete, so nothing of it counts: {0}")]
    Incomplete(String),
    /// It is no vector.
    #[error(
        "the query yields a {0} and no vector: write one with the label organization, such as sum by (organization) (increase(calls_total[$bucket]))"
    )]
    NoVector(String),
    /// It has nothing for anybody.
    #[error(
        "the answer has no organization in it, so nothing of it counts: look whether what it is about is scraped, and at usage.prometheus.query"
    )]
    NoOrganization,
    /// Some of it is for nobody.
    #[error(
        "{0} of the series have no label organization, and are left out: keep it in usage.prometheus.query, as with sum by (organization)"
    )]
    Unlabelled(usize),
    /// Some of it is for somebody unknown.
    #[error("no organization has the name {0}: that is left out")]
    Unknown(NameList),
    /// Some of it is said twice.
    #[error(
        "there is more than one series for {0}: that is left out: aggregate in usage.prometheus.query, as with sum by (organization, channel)"
    )]
    Ambiguous(NameList),
    /// Some of it is no amount.
    #[error(
        "there are values that are no amounts (a number from 0, of at most 15 digits before the point) for {0}: those are left out"
    )]
    NoAmounts(NameList),
    /// Some of it names what can be no channel.
    #[error(
        "there are values of the label channel that can be no channel (at most 63 lower-case letters, digits and '-') for {0}: those are left out"
    )]
    NoChannels(NameList),
    /// The clocks differ.
    #[error(
        "the clock of Prometheus is {0} s {1} the operator's: set both by NTP; a bucket is asked for once it has ended by both"
    )]
    ClocksApart(i64, &'static str),
    /// Nothing of a span of time can be asked for.
    #[error("no bucket of that time has ended yet: give an earlier one")]
    NothingEnded,
    /// Only what has periods of time can be asked for anew.
    #[error("what is Held has its present value alone, which is asked for all the time: there is nothing to recount")]
    NothingToRecount,
}

impl PrometheusProblem {
    /// Whether Prometheus is to be looked at, and not the query.
    #[must_use]
    pub fn is_of_prometheus(&self) -> bool {
        matches!(
            self,
            Self::Unreached(_) | Self::Failed(_) | Self::Unreadable | Self::Incomplete(_) | Self::ClocksApart(..)
        )
    }

    /// Whether less would be answered.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        match self {
            Self::TooLarge => true,
            Self::Failed(said) => said.contains("too many samples"),
            _ => false,
        }
    }
}

/// The first of some names, and how many there are beside.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameList {
    first: Vec<String>,
    more: usize,
}

impl FromIterator<String> for NameList {
    fn from_iter<Names: IntoIterator<Item = String>>(names: Names) -> Self {
        let all: BTreeSet<String> = names.into_iter().collect();
        let more = all.len().saturating_sub(MOST_NAMED);
        Self { first: all.into_iter().take(MOST_NAMED).collect(), more }
    }
}

impl fmt::Display for NameList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first.join(", "))?;
        if self.more > 0 { write!(formatter, " and {} more", self.more) } else { Ok(()) }
    }
}

/// What is read of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrometheusReading {
    /// What counts, by organization.
    pub registers: BTreeMap<Arc<str>, Vec<(RegisterId, Register)>>,
    /// What is wrong with the rest, or with all.
    pub problems: Vec<PrometheusProblem>,
    /// Whether it is an answer at all: something in it is for an organization.
    pub is_answer: bool,
}

impl PrometheusReading {
    /// One that comes to nothing.
    #[must_use]
    pub fn none(problem: PrometheusProblem) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    /// How many registers it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.registers.values().map(Vec::len).sum()
    }

    /// Both together. Where one of them has nothing for anybody, that is not said any more.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        for (organization, registers) in other.registers {
            self.registers.entry(organization).or_default().extend(registers);
        }
        self.is_answer |= other.is_answer;
        self.problems.extend(other.problems);
        self.problems.sort_unstable();
        // Of two answers the clocks are told once.
        let is_same = |one: &PrometheusProblem, other: &PrometheusProblem| {
            one == other
                || matches!((one, other), (PrometheusProblem::ClocksApart(..), PrometheusProblem::ClocksApart(..)))
        };
        self.problems.dedup_by(|one, other| is_same(one, other));
        if self.is_answer {
            self.problems.retain(|problem| *problem != PrometheusProblem::NoOrganization);
        }
        self
    }
}

impl PrometheusRule {
    /// The query for buckets of so many seconds.
    #[must_use]
    pub fn query_of(&self, length: u32) -> String {
        self.query.replace(BUCKET, &duration(length))
    }
}

/// So many seconds, as Prometheus writes them.
fn duration(seconds: u32) -> String {
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("{}h", seconds / 3600),
        (_, 0) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// How far the clock of Prometheus is from the operator's, where that is too far.
#[must_use]
pub fn clocks_apart(theirs: Instant, ours: Instant) -> Option<PrometheusProblem> {
    let difference = theirs - ours;
    let side = if difference < TimeDelta::zero() { "behind" } else { "ahead of" };
    (difference.abs() > APART).then(|| PrometheusProblem::ClocksApart(difference.num_seconds().abs(), side))
}

/// What the answer to a request for buckets means. Buckets count that have ended by `closed_by`, and none before the first one of
/// what is remembered.
#[must_use]
pub fn read_buckets(
    vector: &MetricVector,
    request: BucketRequest,
    progress: &BucketProgress,
    organizations: &BTreeSet<Arc<str>>,
    closed_by: Instant,
) -> PrometheusReading {
    let mut sorting = Sorting::of(vector, organizations);
    for ((organization, channel), series) in std::mem::take(&mut sorting.series) {
        for (end, value) in &series.points {
            // A moment that is no whole second was not asked for.
            let end = (end % 1000 == 0).then_some(end / 1000).filter(|end| *end <= closed_by.timestamp());
            let start = end.and_then(|end| request.start_of(end));
            let (Some(start), Some(amount)) = (start, sorting.amount(&organization, value)) else { continue };
            sorting.reading.is_answer = true;
            if !progress.counts(start) {
                continue;
            }
            let key = format!("{}/{}", request.length(), format_instant(start));
            // As of the moment at which it is evaluated: whoever asks again later is told what counts then.
            let as_of = start + TimeDelta::seconds(request.length().into());
            let register = Register { at: start, channel: channel.clone(), amount, as_of, deleted: false };
            sorting.keep(&organization, &key, register);
        }
    }
    sorting.end()
}

/// What an answer with present values means, of what is Held: each channel of an organization is a key.
#[must_use]
pub fn read_present(vector: &MetricVector, organizations: &BTreeSet<Arc<str>>, now: Instant) -> PrometheusReading {
    let mut sorting = Sorting::of(vector, organizations);
    for ((organization, channel), series) in std::mem::take(&mut sorting.series) {
        let value = series.points.last().map(|(_, value)| value);
        let Some(amount) = value.and_then(|value| sorting.amount(&organization, value)) else { continue };
        sorting.reading.is_answer = true;
        let register = Register { at: now, channel: channel.clone(), amount, as_of: now, deleted: false };
        sorting.keep(&organization, "present", register);
    }
    sorting.end()
}

/// What a series is of: an organization, and a channel.
type MeteredName = (Arc<str>, Option<Arc<str>>);

/// The series of an answer, by whom they are for, and what is wrong with them.
struct Sorting<'a> {
    series: Vec<(MeteredName, &'a MetricSeries)>,
    not_amounts: BTreeSet<String>,
    reading: PrometheusReading,
}

impl<'a> Sorting<'a> {
    fn of(vector: &'a MetricVector, organizations: &BTreeSet<Arc<str>>) -> Self {
        let mut by_name: BTreeMap<MeteredName, Vec<&MetricSeries>> = BTreeMap::new();
        let (mut unlabelled, mut unknown) = (0, BTreeSet::new());
        let (mut not_channels, mut not_amounts) = (BTreeSet::new(), BTreeSet::new());
        for series in &vector.series {
            let Some(name) = series.organization.as_deref() else {
                unlabelled += 1;
                continue;
            };
            let Some(organization) = organizations.get(name) else {
                unknown.insert(shown(name));
                continue;
            };
            if series.channel.as_deref().is_some_and(|channel| dns_label(channel).is_err()) {
                not_channels.insert(organization.to_string());
                continue;
            }
            if series.has_histograms {
                not_amounts.insert(format!("{organization} (a histogram)"));
                continue;
            }
            let channel = series.channel.as_deref().map(Arc::from);
            by_name.entry((organization.clone(), channel)).or_default().push(series);
        }
        let (mut series, mut ambiguous) = (Vec::new(), BTreeSet::new());
        for (name, all) in by_name {
            match all.as_slice() {
                [one] => series.push((name, *one)),
                _ => _ = ambiguous.insert(told(&name)),
            }
        }
        let listed = |names: BTreeSet<String>, problem: fn(NameList) -> PrometheusProblem| {
            (!names.is_empty()).then(|| problem(names.into_iter().collect()))
        };
        let problems = [
            (unlabelled > 0).then_some(PrometheusProblem::Unlabelled(unlabelled)),
            listed(unknown, PrometheusProblem::Unknown),
            listed(ambiguous, PrometheusProblem::Ambiguous),
            listed(not_channels, PrometheusProblem::NoChannels),
        ];
        let problems = problems.into_iter().flatten().collect();
        let reading = PrometheusReading { problems, ..PrometheusReading::default() };
        Self { series, not_amounts, reading }
    }

    fn amount(&mut self, organization: &str, value: &str) -> Option<Decimal> {
        let amount = amount(value);
        if amount.is_none() {
            self.not_amounts.insert(format!("{organization} ({})", shown(value)));
        }
        amount
    }

    fn keep(&mut self, organization: &Arc<str>, key: &str, register: Register) {
        let key = match &register.channel {
            Some(channel) => format!("{key}/{channel}"),
            None => key.to_owned(),
        };
        let id = RegisterId { origin: ORIGIN.into(), key: key.into() };
        self.reading.registers.entry(organization.clone()).or_default().push((id, register));
    }

    fn end(self) -> PrometheusReading {
        let mut reading = self.reading;
        if !self.not_amounts.is_empty() {
            reading.problems.push(PrometheusProblem::NoAmounts(self.not_amounts.into_iter().collect()));
        }
        if !reading.is_answer {
            reading.problems.push(PrometheusProblem::NoOrganization);
        }
        reading
    }
}

/// The amount that a number of Prometheus is, to the nearest of 9 digits behind the point: its floats are not exact where they
/// come from arithmetic.
fn amount(value: &str) -> Option<Decimal> {
    if value.parse::<f64>().ok()?.abs() < NOTHING {
        return Some(Decimal::ZERO);
    }
    let read = match value.contains('e') {
        true => Decimal::from_scientific(value),
        false => value.parse(),
    };
    let amount = read.ok()?.round_dp(FRACTION_DIGITS).normalize();
    let beyond = Decimal::from(10_u64.pow(WHOLE_DIGITS));
    (amount > Decimal::ZERO && amount < beyond).then_some(amount)
}

fn shown(name: &str) -> String {
    format!("{:?}", elided_after_characters(name, SHOWN))
}

fn told((organization, channel): &MeteredName) -> String {
    channel.as_ref().map_or_else(|| organization.to_string(), |channel| format!("{organization} ({channel})"))
}
