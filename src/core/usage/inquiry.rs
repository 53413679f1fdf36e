//! How asking Prometheus for one definition stands: when it answered last, what it was asked for, and when it is asked next.

use super::{
    buckets::BucketProgress,
    rules::{PrometheusRule, UsageRules},
};
use crate::core::calendar::{Instant, format_instant, parse_instant};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// How long after the end of a bucket Prometheus is asked for it at most: by then its last values are there.
const LATEST: i64 = 10;
/// Of how long what was heard counts as known, Prometheus is asked in each part of so many.
const PARTS: i64 = 3;
/// The longest pause between two attempts.
const LONGEST_PAUSE: i64 = 300;

/// What is kept of asking for one definition, beside the registers that came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryProgress {
    /// When something was heard last.
    pub heard: Instant,
    /// What was asked for already; of what is Held, nothing.
    pub buckets: Option<BucketProgress>,
}

/// The same as text.
#[derive(Serialize, Deserialize)]
struct ProgressText {
    heard: String,
    buckets: Option<String>,
}

impl InquiryProgress {
    /// Under which name it is kept.
    #[must_use]
    pub fn name(definition: &str) -> String {
        format!("Prometheus {definition}")
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        let buckets = self.buckets.as_ref().map(BucketProgress::text);
        serde_json::to_string(&ProgressText { heard: format_instant(self.heard), buckets }).unwrap_or_default()
    }

    /// Reads what [`InquiryProgress::text`] wrote. None of anything else: then all begins anew, which counts nothing twice.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let ProgressText { heard, buckets } = serde_json::from_str(text).ok()?;
        let buckets = buckets.as_deref().and_then(BucketProgress::read);
        Some(Self { heard: parse_instant(&heard).ok()?, buckets })
    }
}

impl UsageRules {
    /// How long after an answer Prometheus is asked again: once the next bucket has ended, and often enough that what was heard
    /// counts as known all the time.
    #[must_use]
    pub fn pause_after_answer(&self, rule: &PrometheusRule, now: Instant) -> TimeDelta {
        let length = i64::from(rule.bucket.max(1));
        let to_end = length - now.timestamp().rem_euclid(length);
        let late = TimeDelta::seconds(length.min(LATEST * 10)) / 10;
        (TimeDelta::seconds(to_end) + late).min(self.longest_pause())
    }

    /// How long after so many failures in a row Prometheus is asked again.
    #[must_use]
    pub fn pause_after_failures(&self, failures: u32) -> TimeDelta {
        let doubled = 1_i64.checked_shl(failures.saturating_sub(1)).filter(|seconds| *seconds > 0).unwrap_or(i64::MAX);
        TimeDelta::seconds(doubled.min(LONGEST_PAUSE)).min(self.longest_pause())
    }

    fn longest_pause(&self) -> TimeDelta {
        TimeDelta::seconds((self.stale_seconds() / PARTS).clamp(1, LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::{BucketProgress, InquiryProgress};
    use crate::core::{
        calendar::parse_instant,
        usage::{buckets::BucketPlan, rules::UsageRules},
    };
    use rstest::rstest;
    use serde_json::json;

    fn rules(bucket: &str, stale_after: &str) -> UsageRules {
        let spec =
            json!({"mode": "Consumed", "staleAfter": stale_after, "prometheus": {"query": "calls", "bucket": bucket}});
        UsageRules::read(&serde_json::from_value(spec).unwrap()).unwrap()
    }

    #[rstest]
    // Soon after the end of the bucket, where that comes first.
    #[case("PT1H", "PT15M", "2027-01-01T00:58:00Z", 130)]
    #[case("PT1H", "PT15M", "2027-01-01T00:00:00Z", 300)]
    #[case("PT1H", "PT1M", "2027-01-01T00:58:00Z", 20)]
    #[case("PT1M", "PT15M", "2027-01-01T00:00:30Z", 36)]
    #[case("PT2S", "PT15M", "2027-01-01T00:00:01Z", 1)]
    #[case("PT1H", "PT1S", "2027-01-01T00:00:00Z", 1)]
    #[case("PT168H", "P7D", "2027-01-01T00:00:00Z", 300)]
    fn it_is_asked_once_a_bucket_has_ended_and_often_enough(
        #[case] bucket: &str,
        #[case] stale_after: &str,
        #[case] now: &str,
        #[case] seconds: i64,
    ) {
        let rules = rules(bucket, stale_after);
        let pause = rules.pause_after_answer(rules.prometheus.as_ref().unwrap(), parse_instant(now).unwrap());
        assert_eq!(pause.num_seconds(), seconds);
    }

    #[rstest]
    #[case("PT15M", &[1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])]
    #[case("PT1M", &[1, 2, 4, 8, 16, 20, 20])]
    fn after_failures_it_is_asked_less_often(#[case] stale_after: &str, #[case] expected: &[i64]) {
        let rules = rules("PT1H", stale_after);
        let pauses = (1..).take(expected.len()).map(|failures| rules.pause_after_failures(failures).num_seconds());
        assert_eq!(pauses.collect::<Vec<_>>(), expected);
        assert_eq!(rules.pause_after_failures(u32::MAX), rules.pause_after_failures(100));
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let (rules, now) = (rules("PT1H", "PT15M"), parse_instant("2027-01-03T00:00:00Z").unwrap());
        let since = parse_instant("2027-01-01T00:00:00Z").unwrap();
        let plan = BucketPlan::of(None, rules.prometheus.as_ref().unwrap(), 1, since, now);
        for buckets in [None, Some(plan.progress)] {
            let progress = InquiryProgress { heard: now, buckets };
            assert_eq!(InquiryProgress::read(&progress.text()), Some(progress));
        }
        assert_eq!(
            InquiryProgress::read(&BucketProgress::text(
                &BucketPlan::of(None, rules.prometheus.as_ref().unwrap(), 1, since, now).progress
            )),
            None
        );
        assert_eq!(InquiryProgress::read(""), None);
    }
}
