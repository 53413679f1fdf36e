//! Writes that failed, and when to try them again.
//!
//! If the API server refuses an object as it is, it would refuse it again and again: the write waits until the object differs,
//! or for a long time. If something else stands in the way, such as a quota, the write is tried again soon, a few at a time,
//! the one that was tried longest ago first. So where many are refused, none holds up another, and no request is wasted. As
//! soon as one of them works, all are tried.

use super::{backoff::Backoff, failure::RequestRefusal};
use crate::{
    core::source::{SourceId, SourceKind},
    evaluation::{object::ObjectKey, plan::Fingerprint},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// The most that is done in one go, so that no organization holds up a worker for long, and what was done is said.
const BATCH: usize = 1000;
/// The most of it that was refused before.
const RETRIES: usize = 50;
/// When the others of those are tried.
const PAUSE: Duration = Duration::from_mins(1);
/// For writes that something else stands in the way of.
const DENIED: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
/// For objects that are refused as they are. There may have been a policy in their way after all.
const INVALID: Backoff = Backoff::new(Duration::from_mins(10), Duration::from_hours(2));

/// What was tried in vain for one organization.
#[derive(Debug, Default)]
pub struct OfOrganization {
    /// To make objects, and put them right.
    pub writes: Attempts<ObjectKey>,
    /// To withdraw objects.
    pub withdrawals: Attempts<ObjectKey>,
    /// To write the statuses of sources of grants, by kind.
    statuses: BTreeMap<SourceKind, Attempts<SourceId>>,
}

impl OfOrganization {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        let mut statuses = self.statuses.values();
        self.writes.is_empty() && self.withdrawals.is_empty() && statuses.all(Attempts::is_empty)
    }

    /// To write the statuses of sources of a kind.
    pub fn statuses(&mut self, kind: SourceKind) -> &mut Attempts<SourceId> {
        self.statuses.entry(kind).or_default()
    }
}

/// What was tried in vain of one kind of work, by what it is about.
#[derive(Debug)]
pub struct Attempts<K> {
    failed: BTreeMap<K, FailedAttempt>,
    /// Something that was refused before has worked since the last choice.
    is_hopeful: bool,
}

#[derive(Debug)]
struct FailedAttempt {
    /// What was to be done.
    what: Fingerprint,
    tried: Instant,
    failures: u32,
    /// Why it was refused, and when it is tried again; None where it is tried whenever the work is.
    refused: Option<(String, Instant)>,
}

/// What is done now, and what is not.
#[derive(Debug)]
pub struct DueWork<T> {
    /// What is done.
    pub now: Vec<T>,
    /// What waits, as it was refused before, and why.
    pub waiting: Vec<(T, String)>,
    /// There is more, which should follow at once.
    pub has_more: bool,
    /// When to choose again.
    pub next: Option<Instant>,
}

impl<K> Default for Attempts<K> {
    fn default() -> Self {
        Self { failed: BTreeMap::new(), is_hopeful: false }
    }
}

impl<K: Ord + Clone> Attempts<K> {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// Chooses from all that is to be done, each with what it is about and a fingerprint of what is to be done with it.
    pub fn choose<T>(&mut self, work: Vec<(K, Fingerprint, T)>, now: Instant) -> DueWork<T> {
        let wanted: BTreeSet<&K> = work.iter().map(|(key, ..)| key).collect();
        self.failed.retain(|key, _| wanted.contains(key));
        let retries = if std::mem::take(&mut self.is_hopeful) { BATCH } else { RETRIES };
        let mut choice = DueWork { now: Vec::new(), waiting: Vec::new(), has_more: false, next: None };
        let (mut fresh, mut refused) = (Vec::new(), Vec::new());
        for (key, what, item) in work {
            let attempt = self.failed.get(&key);
            let tried = attempt.map(|attempt| attempt.tried);
            match attempt.filter(|attempt| attempt.what == what).and_then(|attempt| attempt.refused.as_ref()) {
                None => fresh.push((tried, item)),
                Some((_, due)) if *due <= now => refused.push((tried, key, item)),
                Some((why, due)) => choice.wait(item, why, *due),
            }
        }
        // Stable: those that were never tried stay in their order.
        fresh.sort_by_key(|(tried, _)| *tried);
        refused.sort_by_key(|(tried, ..)| *tried);
        choice.has_more = fresh.len() > BATCH;
        choice.now.extend(fresh.into_iter().take(BATCH).map(|(_, item)| item));
        for (index, (_, key, item)) in refused.into_iter().enumerate() {
            if index < retries && choice.now.len() < BATCH {
                choice.now.push(item);
            } else if let Some((why, _)) = self.failed.get(&key).and_then(|attempt| attempt.refused.as_ref()) {
                choice.wait(item, why, now + PAUSE);
            }
        }
        choice
    }

    /// It was tried in vain. When it is worth another try, if it has to wait for that.
    pub fn failed(&mut self, key: K, what: Fingerprint, refusal: &RequestRefusal, now: Instant) -> Option<Instant> {
        let before = self.failed.get(&key).filter(|attempt| attempt.what == what && attempt.refused.is_some());
        let failures = before.map_or(0, |attempt| attempt.failures).saturating_add(1);
        let backoff = match refusal {
            RequestRefusal::Invalid(_) => Some(INVALID),
            RequestRefusal::Denied(_) => Some(DENIED),
            _ => None,
        };
        let refused = backoff.map(|backoff| (refusal.to_string(), now + backoff.delay(failures)));
        let due = refused.as_ref().map(|(_, due)| *due);
        self.failed.insert(key, FailedAttempt { what, tried: now, failures, refused });
        due
    }

    /// It is done. True if others that were refused before are tried at once for that.
    pub fn done(&mut self, key: &K, what: Fingerprint, now: Instant) -> bool {
        let attempt = self.failed.remove(key).filter(|attempt| attempt.what == what);
        if attempt.and_then(|attempt| attempt.refused).is_none() {
            return false;
        }
        let others = self.failed.values_mut().filter_map(|attempt| attempt.refused.as_mut());
        others.for_each(|(_, due)| *due = now);
        self.is_hopeful = !self.failed.is_empty();
        self.is_hopeful
    }
}

impl<T> DueWork<T> {
    fn wait(&mut self, item: T, why: &str, due: Instant) {
        self.waiting.push((item, why.to_owned()));
        self.next = [self.next, Some(due)].into_iter().flatten().min();
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempts, BATCH, DueWork, RETRIES};
    use crate::{controller::failure::RequestRefusal, evaluation::plan::Fingerprint};
    use std::time::Duration;
    use tokio::time::Instant;

    fn what(text: &str) -> Fingerprint {
        Fingerprint::of_pairs([("", text.as_bytes())])
    }

    fn quota() -> RequestRefusal {
        RequestRefusal::Denied("exceeded quota".to_owned())
    }

    fn invalid() -> RequestRefusal {
        RequestRefusal::Invalid("no such name".to_owned())
    }

    fn choose(attempts: &mut Attempts<usize>, work: impl Iterator<Item = usize>, now: Instant) -> DueWork<usize> {
        attempts.choose(work.map(|key| (key, what(""), key)).collect(), now)
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn what_is_refused_as_it_is_waits_for_long_or_for_a_change() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        attempts.failed(1, what(""), &invalid(), start);
        let mut tried = Vec::new();
        for minute in 0..=300 {
            let now = start + seconds(60 * minute);
            let choice = choose(&mut attempts, 1..=1, now);
            if choice.now.is_empty() {
                assert_eq!(choice.waiting, [(1, "no such name".to_owned())]);
                assert!(choice.next.unwrap() > now && !choice.has_more);
            } else {
                tried.push(minute);
                attempts.failed(1, what(""), &invalid(), now);
            }
        }
        assert_eq!(tried, [10, 30, 70, 150, 270]);
        let changed = attempts.choose(vec![(1, what("changed"), ())], start);
        assert_eq!((changed.now.len(), changed.waiting.len()), (1, 0));
    }

    #[test]
    fn what_something_stands_in_the_way_of_is_tried_again_soon() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        attempts.failed(1, what(""), &quota(), start);
        let mut tried = Vec::new();
        for second in 0..=200 {
            if !choose(&mut attempts, 1..=1, start + seconds(second)).now.is_empty() {
                tried.push(second);
                attempts.failed(1, what(""), &quota(), start + seconds(second));
            }
        }
        assert_eq!(tried, [1, 3, 7, 15, 31, 63, 123, 183]);
    }

    #[test]
    fn all_get_their_turn_whatever_fails_before_them() {
        for refusal in [quota(), invalid(), RequestRefusal::Changed, RequestRefusal::Unavailable(String::new())] {
            let (mut attempts, mut now) = (Attempts::default(), Instant::now());
            let mut never_tried: Vec<usize> = (0..3 * BATCH).collect();
            for _ in 0..3 {
                let choice = choose(&mut attempts, 0..3 * BATCH, now);
                never_tried.retain(|key| !choice.now.contains(key));
                for key in choice.now {
                    attempts.failed(key, what(""), &refusal, now);
                }
                now += seconds(1);
            }
            assert_eq!(never_tried, Vec::<usize>::new(), "{refusal:?}");
        }
    }

    #[test]
    fn of_many_refused_ones_a_few_are_tried_until_one_works() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for key in 0..200 {
            attempts.failed(key, what(""), &quota(), start);
        }
        let mut tried = Vec::new();
        for minute in 1..=4 {
            let now = start + seconds(60 * minute);
            let choice = choose(&mut attempts, 0..200, now);
            assert_eq!((choice.now.len(), choice.waiting.len()), (RETRIES, 200 - RETRIES));
            assert_eq!((choice.has_more, choice.next), (false, Some(now + seconds(60))));
            for key in &choice.now {
                attempts.failed(*key, what(""), &quota(), now);
            }
            tried.extend(choice.now);
        }
        assert_eq!(tried, (0..200).collect::<Vec<_>>());
        let now = start + seconds(301);
        assert!(attempts.done(&0, what(""), now));
        assert_eq!(choose(&mut attempts, 1..200, now).now.len(), 199);
        assert_eq!(choose(&mut attempts, 1..200, now).now.len(), RETRIES);
    }

    #[test]
    fn what_is_new_goes_before_what_was_tried_and_nobody_hopes_for_nothing() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        attempts.failed(1, what(""), &RequestRefusal::Changed, start + seconds(1));
        attempts.failed(2, what(""), &RequestRefusal::Changed, start);
        assert_eq!(choose(&mut attempts, 1..=3, start).now, [3, 2, 1]);
        assert!(!attempts.done(&1, what(""), start) && !attempts.done(&2, what(""), start));
        attempts.failed(3, what(""), &quota(), start);
        assert!(!attempts.done(&3, what("changed"), start));
        assert!(attempts.is_empty());
    }

    #[test]
    fn what_is_not_wanted_any_more_is_forgotten() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        attempts.failed(1, what(""), &invalid(), start);
        assert_eq!(choose(&mut attempts, 2..=2, start).now, [2]);
        assert!(attempts.is_empty());
        assert_eq!(choose(&mut attempts, 1..=1, start).now, [1]);
    }
}
