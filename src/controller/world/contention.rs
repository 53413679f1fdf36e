//! Objects that others change again and again, so that each side puts right what the other has done.

use crate::evaluation::{object::ObjectKey, plan::Observed};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// How often an object is put right ...
const MOST_CORRECTIONS: usize = 10;
/// ... within this time, before it is let go.
const WINDOW: Duration = Duration::from_mins(1);
/// How long it is let go.
const PAUSE: Duration = Duration::from_mins(5);
/// How long it is not told again that an object is put back.
const SILENCE: Duration = Duration::from_mins(5);
/// Fewer changes than this are not worth looking for outdated ones among them.
const FEW: usize = 1024;

/// What others have changed, and how often that was put right.
#[derive(Default)]
pub struct Contention {
    changed: HashMap<ObjectKey, Changes>,
    /// The number of changes from which on outdated ones are looked for.
    full: usize,
    corrected: HashMap<ObjectKey, VecDeque<Instant>>,
    let_go: HashMap<Arc<str>, BTreeMap<ObjectKey, Instant>>,
    told: HashMap<ObjectKey, Instant>,
    /// The same for what was told.
    told_full: usize,
}

/// What the watch has shown of an object since the operator's last write.
struct Changes {
    last: Instant,
    /// The versions of it; one of them may be that write's, of which the watch can tell before the answer does.
    versions: Vec<u64>,
    was_removed: bool,
    /// What it was before.
    before: Option<Arc<Observed>>,
}

impl Contention {
    /// The watch shows an object otherwise than before, with that version, or (None) that it is gone.
    pub fn saw(&mut self, key: &ObjectKey, version: Option<u64>, before: Option<&Arc<Observed>>, now: Instant) {
        let new = || Changes { last: now, versions: Vec::new(), was_removed: false, before: before.cloned() };
        let changes = self.changed.entry(key.clone()).or_insert_with(new);
        changes.last = now;
        match version {
            Some(version) if changes.versions.len() < MOST_CORRECTIONS => changes.versions.push(version),
            Some(_) => {}
            None => changes.was_removed = true,
        }
        if self.changed.len() < self.full.max(FEW) {
            return;
        }
        self.changed.retain(|_, changes| changes.last + WINDOW > now);
        self.corrected.retain(|_, times| times.back().is_some_and(|last| *last + WINDOW > now));
        self.full = self.changed.len() * 2;
    }

    /// The operator has written an object of the organization, which has that version now, or (None) has deleted it. What it
    /// was before others changed it, if they did.
    pub fn wrote(
        &mut self,
        organization: &Arc<str>,
        key: &ObjectKey,
        version: Option<u64>,
        now: Instant,
    ) -> Option<Arc<Observed>> {
        let changes = self.changed.remove(key)?;
        let by_others = changes.versions.iter().any(|seen| Some(*seen) != version);
        // That it is gone may be the operator's doing, if it has deleted it.
        let is_made_anew = changes.was_removed && version.is_some();
        if !by_others && !is_made_anew {
            return None;
        }
        self.correct(organization, key, now);
        changes.before
    }

    fn correct(&mut self, organization: &Arc<str>, key: &ObjectKey, now: Instant) {
        let times = self.corrected.entry(key.clone()).or_default();
        times.retain(|at| *at + WINDOW > now);
        times.push_back(now);
        if times.len() <= MOST_CORRECTIONS {
            return;
        }
        self.corrected.remove(key);
        let let_go = self.let_go.entry(Arc::clone(organization)).or_default();
        let_go.retain(|_, until| *until > now);
        let_go.insert(key.clone(), now + PAUSE);
    }

    /// Whether it is to be told that the object is put back, as it was not told lately.
    pub fn tells(&mut self, key: &ObjectKey, now: Instant) -> bool {
        if self.told.get(key).is_some_and(|last| *last + SILENCE > now) {
            return false;
        }
        if self.told.len() >= self.told_full.max(FEW) {
            self.told.retain(|_, last| *last + SILENCE > now);
            self.told_full = self.told.len() * 2;
        }
        self.told.insert(key.clone(), now);
        true
    }

    /// The objects of an organization that are let go.
    pub fn let_go(&self, organization: &str, now: Instant) -> BTreeSet<ObjectKey> {
        let all = self.let_go.get(organization).into_iter().flatten();
        all.filter(|(_, until)| **until > now).map(|(key, _)| key.clone()).collect()
    }

    /// When the next of them is taken up again.
    pub fn next(&self, organization: &str, now: Instant) -> Option<Instant> {
        self.let_go.get(organization)?.values().copied().filter(|until| *until > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::{Contention, FEW, PAUSE, SILENCE, WINDOW};
    use crate::{api::entitlement_definition::OutputKind, evaluation::object::ObjectKey};
    use std::{sync::Arc, time::Duration};
    use tokio::time::Instant;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { kind: OutputKind::ConfigMap, namespace: "one".into(), name: name.into() }
    }

    /// The object is changed by others and put right so often, with a pause in between.
    fn fight(contention: &mut Contention, times: u32, pause: Duration, start: Instant) -> Instant {
        let organization: Arc<str> = "acme".into();
        for number in 0..times {
            contention.saw(&key("a"), Some(1), None, start + pause * number);
            contention.wrote(&organization, &key("a"), Some(2), start + pause * number);
        }
        start + pause * times
    }

    #[test]
    fn an_object_that_is_put_right_for_the_eleventh_time_within_a_minute_is_let_go() {
        let mut contention = Contention::default();
        let now = fight(&mut contention, 10, Duration::from_secs(1), Instant::now());
        assert!(contention.let_go("acme", now).is_empty() && contention.next("acme", now).is_none());
        let now = fight(&mut contention, 1, Duration::ZERO, now);
        assert_eq!(contention.let_go("acme", now), [key("a")].into());
        assert!(contention.let_go("globex", now).is_empty());
        assert_eq!(contention.next("acme", now), Some(now + PAUSE));
        // And is taken up again after a while.
        assert!(contention.let_go("acme", now + PAUSE).is_empty());
        assert_eq!(contention.next("acme", now + PAUSE), None);
        fight(&mut contention, 10, Duration::from_secs(1), now + PAUSE);
        assert!(contention.let_go("acme", now + PAUSE + WINDOW).is_empty());
    }

    #[test]
    fn rare_changes_and_own_ones_are_none() {
        let mut contention = Contention::default();
        let now = fight(&mut contention, 100, Duration::from_secs(7), Instant::now());
        for version in 0..100 {
            contention.wrote(&"acme".into(), &key("a"), Some(version), now);
            contention.saw(&key("a"), None, None, now);
            contention.wrote(&"acme".into(), &key("a"), None, now);
            // The watch may tell of a write before its answer does.
            contention.saw(&key("a"), Some(version), None, now);
            contention.wrote(&"acme".into(), &key("a"), Some(version), now);
        }
        assert!(contention.let_go("acme", now).is_empty());
    }

    #[test]
    fn what_others_delete_again_and_again_is_let_go_too() {
        let (mut contention, now) = (Contention::default(), Instant::now());
        for version in 0..11 {
            contention.saw(&key("a"), None, None, now);
            contention.saw(&key("a"), Some(version), None, now);
            contention.wrote(&"acme".into(), &key("a"), Some(version), now);
        }
        assert_eq!(contention.let_go("acme", now), [key("a")].into());
    }

    #[test]
    fn what_is_put_back_is_told_once_in_five_minutes_for_each_object() {
        let (mut contention, start) = (Contention::default(), Instant::now());
        let told: Vec<u64> =
            (0..1200).filter(|second| contention.tells(&key("a"), start + Duration::from_secs(*second))).collect();
        assert_eq!(told, [0, 300, 600, 900]);
        assert!(contention.tells(&key("b"), start));
        for number in 0..FEW * 4 {
            let now = start + SILENCE * u32::try_from(number / FEW).unwrap();
            assert!(contention.tells(&key(&number.to_string()), now));
        }
        assert!(contention.told.len() <= FEW * 2, "{}", contention.told.len());
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let (mut contention, start) = (Contention::default(), Instant::now());
        for number in 0..FEW * 2 {
            contention.saw(&key(&number.to_string()), Some(1), None, start);
        }
        for number in 0..FEW * 2 {
            contention.saw(&key(&format!("later-{number}")), Some(1), None, start + WINDOW);
        }
        assert!(contention.changed.len() <= FEW * 2, "{}", contention.changed.len());
    }
}
