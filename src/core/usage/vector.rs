//! The form of Prometheus' answers: JSON with a vector, or a matrix, of numbers as texts.

use super::answer::PrometheusProblem;
use crate::core::excerpt::elided_after_characters;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// How many characters of what Prometheus says are shown.
const SHOWN: usize = 300;
/// What a note begins with by which nothing is missing: some versions have it among the warnings.
const NOTE: &str = "PromQL info:";

/// The series of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricVector {
    /// In the order of the answer.
    pub series: Vec<MetricSeries>,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricSeries {
    /// The label `organization`.
    pub organization: Option<String>,
    /// The label `channel`.
    pub channel: Option<String>,
    /// The moment, in milliseconds since the epoch, and the number as it is printed.
    pub points: Vec<(i64, String)>,
    /// Whether it is made of histograms, which are no numbers.
    pub has_histograms: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAnswer<'a> {
    status: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<WireData<'a>>,
    error_type: Option<Cow<'a, str>>,
    error: Option<String>,
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireData<'a> {
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct WireSeries {
    metric: WireLabels,
    value: Option<WirePoint>,
    values: Option<Vec<WirePoint>>,
    #[serde(default, deserialize_with = "is_there")]
    histogram: bool,
    #[serde(default, deserialize_with = "is_there")]
    histograms: bool,
}

#[derive(Deserialize)]
struct WireLabels {
    organization: Option<String>,
    channel: Option<String>,
}

#[derive(Deserialize)]
struct WirePoint(f64, String);

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl MetricVector {
    /// Reads an answer.
    ///
    /// # Errors
    /// Where it is none, or is not complete, or says why there is none.
    pub fn read(body: &[u8]) -> Result<Self, PrometheusProblem> {
        let answer: WireAnswer = serde_json::from_slice(body).map_err(|_| PrometheusProblem::Unreadable)?;
        if answer.status != "success" {
            return Err(refusal(&answer));
        }
        let mut warnings = answer.warnings.into_iter().flatten();
        if let Some(warning) = warnings.find(|warning| !warning.starts_with(NOTE)) {
            return Err(PrometheusProblem::Incomplete(line(&warning)));
        }
        let data = answer.data.ok_or(PrometheusProblem::Unreadable)?;
        if !["vector", "matrix"].contains(&data.result_type.as_ref()) {
            return Err(PrometheusProblem::NoVector(line(&data.result_type)));
        }
        let series: Vec<WireSeries> =
            serde_json::from_str(data.result.get()).map_err(|_| PrometheusProblem::Unreadable)?;
        Ok(Self { series: series.into_iter().map(MetricSeries::from).collect() })
    }
}

impl From<WireSeries> for MetricSeries {
    fn from(series: WireSeries) -> Self {
        let points = series.value.into_iter().chain(series.values.into_iter().flatten());
        let given = |label: Option<String>| label.filter(|label| !label.is_empty());
        Self {
            organization: given(series.metric.organization),
            channel: given(series.metric.channel),
            points: points.filter_map(|WirePoint(at, value)| Some((milliseconds(at)?, value))).collect(),
            has_histograms: series.histogram || series.histograms,
        }
    }
}

fn milliseconds(at: f64) -> Option<i64> {
    let milliseconds = (at * 1000.0).round();
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and no larger than that")]
    (milliseconds.abs() < 1e17).then_some(milliseconds as i64)
}

fn refusal(answer: &WireAnswer) -> PrometheusProblem {
    let said = line(answer.error.as_deref().unwrap_or("it does not say why"));
    match answer.error_type.as_deref() {
        Some("bad_data") => PrometheusProblem::Refused(said),
        _ => PrometheusProblem::Failed(said),
    }
}

/// One line, not too long.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    elided_after_characters(words.join(" ").replace(char::is_control, ""), SHOWN)
}
