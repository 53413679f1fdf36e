//! The mark of the operator that works on the cluster, and what follows from it.
//!
//! It is an annotation on the namespace of grants. Namespaces have no namespace, so neither a tenant nor a grant author can
//! write there, whatever they may do within it. Only administrators can, and the operator, whose role has that one right.
//!
//! A mark is no lease: nobody renews it while nobody asks, so a cluster at rest sees no writes. Another operator asks in the
//! mark, and the one that works answers. If no answer comes for long, that one is gone, and the other takes over.

use crate::core::name::dns_label;
use kube::api::ObjectMeta;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// The annotation.
pub const MARK: &str = "entitlements.dev/operator";

/// How long an answer may take. The watch of one that works may have gone silent, which shows within this time.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How long after an answer it is asked again.
const INTERVAL: Duration = Duration::from_mins(1);
/// How long the operator that worked on the cluster has to put its mark back, where somebody has taken it off.
const COURTESY: Duration = Duration::from_secs(5);

/// Which operator works on the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its own namespace.
    pub namespace: String,
    /// What another one has asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// What it has answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
}

impl Mark {
    /// The mark on the namespace of grants. What cannot be read is none.
    #[must_use]
    pub fn read(metadata: &ObjectMeta) -> Option<Self> {
        let mark: Self = serde_json::from_str(metadata.annotations.as_ref()?.get(MARK)?).ok()?;
        dns_label(&mark.namespace).is_ok().then_some(mark)
    }

    fn of(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), asked: None, answered: None }
    }

    fn is_asked(&self) -> bool {
        self.asked.is_some() && self.asked != self.answered
    }
}

/// What an operator knows of the mark.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The mark, as it was seen last.
    pub mark: Option<Mark>,
    /// Since when it has been like that, by this machine's own clock that never jumps.
    pub since: Instant,
    /// Whether another operator was seen at work since this one started.
    pub is_second: bool,
    /// Whether this one has asked yet.
    pub has_asked: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadershipStep {
    /// This operator works on the cluster.
    Lead,
    /// This mark is to be written first.
    Write(Mark),
    /// Another one does. It is time to look again then.
    Follow(Instant),
}

/// What is to be done by the operator of that namespace; `question` is one that was never asked before.
#[must_use]
pub fn step(sight: &Sight, own: &str, question: &str, patience: Duration, now: Instant) -> LeadershipStep {
    let Some(mark) = &sight.mark else {
        let due = sight.since + if sight.is_second { COURTESY.min(patience) } else { Duration::ZERO };
        return if due <= now { LeadershipStep::Write(Mark::of(own)) } else { LeadershipStep::Follow(due) };
    };
    if mark.namespace == own {
        let answered = Mark { answered: mark.asked.clone(), ..mark.clone() };
        return if mark.is_asked() { LeadershipStep::Write(answered) } else { LeadershipStep::Lead };
    }
    if mark.is_asked() {
        let due = sight.since + patience;
        return if due <= now { LeadershipStep::Write(Mark::of(own)) } else { LeadershipStep::Follow(due) };
    }
    let due = sight.since + INTERVAL.min(patience);
    if sight.has_asked && due > now {
        return LeadershipStep::Follow(due);
    }
    LeadershipStep::Write(Mark { asked: Some(question.to_owned()), ..mark.clone() })
}

#[cfg(test)]
mod tests {
    use super::{COURTESY, INTERVAL, LeadershipStep, MARK, Mark, PATIENCE, Sight, step};
    use kube::api::ObjectMeta;
    use std::{collections::BTreeMap, time::Duration};
    use tokio::time::Instant;

    fn mark(namespace: &str, asked: Option<&str>, answered: Option<&str>) -> Mark {
        Mark { namespace: namespace.to_owned(), asked: asked.map(str::to_owned), answered: answered.map(str::to_owned) }
    }

    fn sight(mark: Option<Mark>, since: Instant) -> Sight {
        Sight { mark, since, is_second: false, has_asked: false }
    }

    fn next(sight: &Sight, now: Instant) -> LeadershipStep {
        step(sight, "one", "q", PATIENCE, now)
    }

    #[test]
    fn what_names_no_namespace_is_no_mark() {
        let read = |text: &str| {
            let annotations = BTreeMap::from([(MARK.to_owned(), text.to_owned())]);
            Mark::read(&ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() })
        };
        assert_eq!(read(r#"{"namespace":"one"}"#), Some(mark("one", None, None)));
        assert_eq!(read(r#"{"namespace":"one\nFAKE LOG LINE"}"#), None);
        assert_eq!(read(r#"{"namespace":""}"#), None);
        assert_eq!(read("one"), None);
    }

    #[test]
    fn who_finds_no_mark_writes_its_own() {
        let now = Instant::now();
        assert_eq!(next(&sight(None, now), now), LeadershipStep::Write(mark("one", None, None)));
        // Whose mark was taken off goes first.
        let second = Sight { is_second: true, ..sight(None, now) };
        assert_eq!(next(&second, now), LeadershipStep::Follow(now + COURTESY));
        assert_eq!(next(&second, now + COURTESY), LeadershipStep::Write(mark("one", None, None)));
    }

    #[test]
    fn who_is_marked_leads_over_restarts_and_answers() {
        let now = Instant::now();
        for (asked, answered) in [(None, None), (Some("a"), Some("a"))] {
            assert_eq!(next(&sight(Some(mark("one", asked, answered)), now), now), LeadershipStep::Lead);
        }
        let asked = sight(Some(mark("one", Some("b"), Some("a"))), now);
        assert_eq!(next(&asked, now), LeadershipStep::Write(mark("one", Some("b"), Some("b"))));
    }

    #[test]
    fn a_second_asks_and_goes_on_asking_while_it_is_answered() {
        let now = Instant::now();
        let mut seen = sight(Some(mark("two", None, None)), now);
        assert_eq!(next(&seen, now), LeadershipStep::Write(mark("two", Some("q"), None)));
        seen = Sight { mark: Some(mark("two", Some("q"), Some("q"))), is_second: true, has_asked: true, ..seen };
        assert_eq!(next(&seen, now), LeadershipStep::Follow(now + INTERVAL));
        assert_eq!(
            step(&seen, "one", "r", PATIENCE, now + INTERVAL),
            LeadershipStep::Write(mark("two", Some("r"), Some("q")))
        );
    }

    #[test]
    fn who_does_not_answer_is_gone() {
        let now = Instant::now();
        let seen = Sight { has_asked: true, is_second: true, ..sight(Some(mark("two", Some("q"), None)), now) };
        let almost = now + PATIENCE.saturating_sub(Duration::from_millis(1));
        assert_eq!(next(&seen, almost), LeadershipStep::Follow(now + PATIENCE));
        assert_eq!(next(&seen, now + PATIENCE), LeadershipStep::Write(mark("one", None, None)));
        // What a third one has asked is not asked over: else none of them would ever have waited for long enough.
        let fresh = Sight { has_asked: false, ..seen };
        assert_eq!(next(&fresh, now), LeadershipStep::Follow(now + PATIENCE));
    }

    #[test]
    fn a_mark_is_read_back_and_nonsense_is_none() {
        let on = |text: &str| ObjectMeta {
            annotations: Some(BTreeMap::from([(MARK.to_owned(), text.to_owned())])),
            ..ObjectMeta::default()
        };
        let written = mark("one", Some("a"), None);
        assert_eq!(Mark::read(&on(&serde_json::to_string(&written).unwrap())), Some(written));
        assert_eq!(Mark::read(&on("{\"namespace\":\"one\"}")), Some(mark("one", None, None)));
        for nonsense in ["", "one", "{}", "[]", "{\"namespace\":3}"] {
            assert_eq!(Mark::read(&on(nonsense)), None, "{nonsense}");
        }
        assert_eq!(Mark::read(&ObjectMeta::default()), None);
    }
}
