//! The moments of a grant that its status tells, and which of them newer time zone data has moved.

use super::decided::DecidedSource;
use crate::{
    api::lifecycle::LifecycleStatus,
    core::calendar::{Instant, format_instant, parse_instant},
};

/// The moments that a status tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    start: Option<Instant>,
    end: Option<Instant>,
    next: Option<Instant>,
}

impl Moments {
    /// Those of an accepted source whose spec, which has that generation, is that of its status.
    #[must_use]
    pub fn read(generation: Option<i64>, status: LifecycleStatus) -> Option<Self> {
        let is_of_spec = generation == Some(status.observed_generation);
        (is_of_spec && status.is_accepted).then(|| Self::told_by(status))
    }

    /// Those that are decided.
    #[must_use]
    pub fn of(decided: &DecidedSource) -> Self {
        let DecidedSource { verdict, change, .. } = decided;
        let end = verdict.term.and_then(|_| verdict.end.instant().at());
        let start = verdict.term.map(|term| term.start.instant());
        Self { start, end, next: change.map(|change| change.at) }
    }

    /// Those of a status.
    pub fn told_by(status: LifecycleStatus) -> Self {
        let moment = |text: Option<&str>| parse_instant(text?).ok();
        Self {
            start: moment(status.start),
            end: moment(status.end),
            next: moment(status.next_transition.map(|next| next.at.as_str())),
        }
    }

    /// Which of them lie elsewhere `after`, in words. A change that was missed may have moved the end and what comes next by
    /// itself, so that where one was, only the start is compared.
    #[must_use]
    pub fn moved(&self, after: &Self, now: Instant) -> Vec<String> {
        let is_missed = self.next.is_some_and(|next| next <= now);
        let pairs = [
            ("start", self.start, after.start, true),
            ("end", self.end, after.end, !is_missed),
            ("next change", self.next, after.next, !is_missed),
        ];
        let moved = pairs.into_iter().filter_map(|(name, before, after, is_compared)| {
            let (before, after) = before.zip(after).filter(|(before, after)| is_compared && before != after)?;
            Some(format!("{name} from {} to {}", format_instant(before), format_instant(after)))
        });
        moved.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{EntitlementInstance, lifecycle::SourceStatus};
    use rstest::rstest;
    use serde_json::{Value, json};

    fn moments(start: &str, end: &str, next: &str) -> Moments {
        let moment = |text: &str| parse_instant(text).ok();
        Moments { start: moment(start), end: moment(end), next: moment(next) }
    }

    #[rstest]
    #[case::nothing("2026-11-02T08:00:00Z", "2027-01-01T08:00:00Z", "2026-11-02T08:00:00Z", &[])]
    #[case::all(
        "2026-11-02T07:00:00Z", "2027-01-01T07:00:00Z", "2026-11-02T07:00:00Z",
        &[
            "start from 2026-11-02T08:00:00Z to 2026-11-02T07:00:00Z",
            "end from 2027-01-01T08:00:00Z to 2027-01-01T07:00:00Z",
            "next change from 2026-11-02T08:00:00Z to 2026-11-02T07:00:00Z",
        ]
    )]
    #[case::none_any_more("", "", "", &[])]
    fn what_lies_elsewhere_is_told(#[case] start: &str, #[case] end: &str, #[case] next: &str, #[case] told: &[&str]) {
        let before = moments("2026-11-02T08:00:00Z", "2027-01-01T08:00:00Z", "2026-11-02T08:00:00Z");
        let now = parse_instant("2026-10-01T00:00:00Z").unwrap();
        assert_eq!(before.moved(&moments(start, end, next), now), told);
    }

    #[test]
    fn what_a_missed_change_moved_is_not_told() {
        let before = moments("2026-11-02T08:00:00Z", "2027-01-01T08:00:00Z", "2026-12-01T08:00:00Z");
        let after = moments("2026-11-02T08:00:00Z", "2027-06-01T07:00:00Z", "2027-06-01T07:00:00Z");
        let moved = |now: &str| before.moved(&after, parse_instant(now).unwrap());
        assert_eq!(moved("2026-12-01T08:00:00Z"), Vec::<String>::new());
        assert_eq!(moved("2026-12-01T07:59:59Z").len(), 2);
    }

    #[rstest]
    #[case::as_it_is(json!(3), json!(3), json!({}), true)]
    #[case::of_an_earlier_spec(json!(3), json!(2), json!({}), false)]
    #[case::not_accepted(json!(3), json!(3), Value::Null, false)]
    fn they_are_those_of_an_accepted_grant_as_it_is(
        #[case] generation: Value,
        #[case] observed: Value,
        #[case] accepted: Value,
        #[case] expected: bool,
    ) {
        let instance: EntitlementInstance = serde_json::from_value(json!({
            "apiVersion": "entitlements.dev/v1alpha1", "kind": "EntitlementInstance",
            "metadata": {"name": "a", "namespace": "entitlements", "generation": generation},
            "spec": {"organization": "acme", "definition": "seats"},
            "status": {"observedGeneration": observed, "accepted": accepted, "start": "2026-11-02T08:00:00Z"},
        }))
        .unwrap();
        let expected = expected.then(|| moments("2026-11-02T08:00:00Z", "", ""));
        let status = instance.status.unwrap();
        assert_eq!(Moments::read(instance.metadata.generation, status.lifecycle()), expected);
    }
}
