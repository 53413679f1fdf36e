//! A request to ask Prometheus anew for a span of time, as it stands on a definition.
//!
//! It is an annotation: `FROM TO`, and behind it, if anything, what makes it another request than one of the same span. What became
//! of it is kept in the store together with what was counted.

use super::rules::UsageRules;
use crate::{
    api::usage::UsageMode,
    core::{
        calendar::{Instant, format_instant, parse_instant},
        usage::buckets::OLDEST,
    },
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// The annotation of a definition that asks for a recount.
pub const RECOUNT: &str = "entitlements.dev/recount";
/// Longer ones nobody writes.
const LONGEST: usize = 256;

/// A span of time to be counted anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecountSpan {
    /// Its first moment.
    pub from: Instant,
    /// The first moment after it.
    pub to: Instant,
}

/// Why nothing is counted anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecountRefusal {
    /// It is no request.
    #[error("it is no request: write FROM TO, two moments such as 2027-07-01T00:00:00Z 2027-07-02T00:00:00Z")]
    Unreadable,
    /// It ends before it begins.
    #[error("{} is not after {}: give an earlier --from or a later --to", format_instant(.0.to), format_instant(.0.from))]
    Reversed(RecountSpan),
    /// It lies ahead.
    #[error("{} lies ahead, and what is not over is not counted anew: give an earlier --to", format_instant(*.0))]
    Ahead(Instant),
    /// It is too long ago.
    #[error(
        "{} is too long ago: what was used is kept for 13 months: give a --from that is not before {}",
        format_instant(*.from),
        format_instant(*.oldest)
    )]
    TooOld {
        /// Its first moment.
        from: Instant,
        /// The earliest that there may be.
        oldest: Instant,
    },
    /// Nothing is counted of the definition.
    #[error(
        "the definition is not metered, so there is nothing to recount: give it the field usage, with usage.prometheus"
    )]
    NotMetered,
    /// Prometheus is not asked for the definition.
    #[error(
        "the definition is measured by what is reported (EntitlementUsage objects, and uses by the API), and not by Prometheus: correct the amounts there under the same keys, which counts at once"
    )]
    NotFromPrometheus,
    /// What is Held has no past.
    #[error("what is Held has its present value alone, which is asked for all the time: there is nothing to recount")]
    Held,
}

impl RecountSpan {
    /// Reads the annotation.
    ///
    /// # Errors
    /// [`RecountRefusal::Unreadable`]
    pub fn read(text: &str) -> Result<Self, RecountRefusal> {
        let mut words = text.split_whitespace();
        let mut moment = || words.next().and_then(|word| parse_instant(word).ok());
        let (Some(from), Some(to), true) = (moment(), moment(), text.len() <= LONGEST) else {
            return Err(RecountRefusal::Unreadable);
        };
        Ok(Self { from, to })
    }

    /// The annotation; `asked` is when it is asked for.
    #[must_use]
    pub fn text(self, asked: Instant) -> String {
        [self.from, self.to, asked].map(format_instant).join(" ")
    }

    /// Whether it can be counted anew.
    ///
    /// # Errors
    /// Why not.
    pub fn check(self, rules: Option<&UsageRules>, now: Instant) -> Result<(), RecountRefusal> {
        let rules = rules.ok_or(RecountRefusal::NotMetered)?;
        if rules.prometheus.is_none() {
            return Err(RecountRefusal::NotFromPrometheus);
        }
        if rules.mode == UsageMode::Held {
            return Err(RecountRefusal::Held);
        }
        if self.from >= self.to {
            return Err(RecountRefusal::Reversed(self));
        }
        if self.to > now {
            return Err(RecountRefusal::Ahead(self.to));
        }
        let oldest = now - TimeDelta::seconds(OLDEST);
        if self.from < oldest {
            return Err(RecountRefusal::TooOld { from: self.from, oldest });
        }
        Ok(())
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecountRecord {
    /// The request, as it was written.
    pub request: String,
    /// Whether Prometheus has begun to answer it: what is left of it is asked for as anything is that is missing.
    pub begun: bool,
    /// Whether nothing more is to be done about it.
    pub done: bool,
    /// What Prometheus said against it; empty where all of it was counted anew.
    pub problems: String,
}

impl RecountRecord {
    /// One of which nothing is done yet.
    #[must_use]
    pub fn new(request: String) -> Self {
        Self { request, begun: false, done: false, problems: String::new() }
    }

    /// Under which name it is kept.
    #[must_use]
    pub fn name(definition: &str) -> String {
        format!("recount {definition}")
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`RecountRecord::text`] wrote.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{RecountRecord, RecountSpan};
    use crate::core::{calendar::parse_instant, usage::rules::UsageRules};
    use rstest::rstest;
    use serde_json::{Value, json};

    fn rules(spec: &Value) -> UsageRules {
        UsageRules::read(&serde_json::from_value(spec.clone()).unwrap()).unwrap()
    }

    #[rstest]
    #[case("2027-07-01T00:00:00Z 2027-07-02T00:00:00Z 2027-07-03T00:00:00Z", "")]
    #[case("  2027-07-01T00:00:00Z\n2027-07-02T00:00:00Z again", "")]
    #[case(
        "2027-07-01T00:00:00Z",
        "it is no request: write FROM TO, two moments such as 2027-07-01T00:00:00Z 2027-07-02T00:00:00Z"
    )]
    #[case(
        "now then",
        "it is no request: write FROM TO, two moments such as 2027-07-01T00:00:00Z 2027-07-02T00:00:00Z"
    )]
    #[case(
        "2027-07-02T00:00:00Z 2027-07-02T00:00:00Z",
        "2027-07-02T00:00:00Z is not after 2027-07-02T00:00:00Z: give an earlier --from or a later --to"
    )]
    #[case(
        "2027-07-02T00:00:00Z 2027-07-04T00:00:01Z",
        "2027-07-04T00:00:01Z lies ahead, and what is not over is not counted anew: give an earlier --to"
    )]
    #[case(
        "1970-01-01T00:00:00Z 2027-07-02T00:00:00Z",
        "1970-01-01T00:00:00Z is too long ago: what was used is kept for 13 months: give a --from that is not before 2026-06-04T00:00:00Z"
    )]
    fn what_can_be_counted_anew_is_and_for_the_rest_it_is_said_why_not(#[case] text: &str, #[case] refusal: &str) {
        let rules = rules(&json!({"mode": "Consumed", "prometheus": {"query": "calls"}}));
        let now = parse_instant("2027-07-04T00:00:00Z").unwrap();
        let checked = RecountSpan::read(text).and_then(|span| span.check(Some(&rules), now));
        assert_eq!(checked.map_or_else(|refusal| refusal.to_string(), |()| String::new()), refusal);
    }

    #[test]
    fn only_what_prometheus_tells_of_the_past_is_counted_anew() {
        let now = parse_instant("2027-07-04T00:00:00Z").unwrap();
        let span = RecountSpan::read("2027-07-01T00:00:00Z 2027-07-02T00:00:00Z").unwrap();
        let said = |rules: Option<&UsageRules>| span.check(rules, now).unwrap_err().to_string();
        let unmetered = "the definition is not metered, so there is nothing to recount: give it the field usage, with usage.prometheus";
        assert_eq!(said(None), unmetered);
        let reported = "the definition is measured by what is reported (EntitlementUsage objects, and uses by the API), and not by Prometheus: correct the amounts there under the same keys, which counts at once";
        assert_eq!(said(Some(&rules(&json!({"mode": "Consumed"})))), reported);
        let held = rules(&json!({"mode": "Held", "prometheus": {"query": "seats"}}));
        assert!(said(Some(&held)).starts_with("what is Held has its present value alone"));
    }

    #[test]
    fn what_became_of_it_is_read_as_it_was_written() {
        let span = RecountSpan::read("2027-07-01T00:00:00Z 2027-07-02T00:00:00Z").unwrap();
        let request = span.text(parse_instant("2027-07-03T00:00:00Z").unwrap());
        assert_eq!(RecountSpan::read(&request), Ok(span));
        let record = RecountRecord { done: true, problems: "\"".to_owned(), ..RecountRecord::new(request) };
        assert_eq!(RecountRecord::read(&record.text()), Some(record));
        assert_eq!(RecountRecord::read("{}"), None);
    }
}
