//! What is noted of a store outside of it, in a ConfigMap: so that another store, or an older copy of it, is noticed; pure.

use super::identity::{StoreIdentity, StoreReplacement};
use crate::core::calendar::{Instant, format_instant};
use std::collections::BTreeMap;

const STORE: &str = "store";
const COMMITS: &str = "commits";
const FOUND: &str = "found";
const FOUND_COMMITS: &str = "foundCommits";
const FOUND_SINCE: &str = "foundSince";
const ADOPTED: &str = "adopted";

/// What is noted of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreNote {
    /// The store that is the right one, as it was noted last.
    pub known: StoreIdentity,
    /// What was found in its place.
    pub found: Option<FoundStore>,
    /// What somebody has confirmed.
    pub adopted: Option<String>,
}

/// A store that does not continue the one that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundStore {
    /// As it was when it was opened.
    pub identity: StoreIdentity,
    /// When that was.
    pub since: String,
    /// How it is not what it was.
    pub replacement: StoreReplacement,
}

impl StoreNote {
    /// The note on a store of which nothing was known.
    #[must_use]
    pub fn of(known: StoreIdentity) -> Self {
        Self { known, found: None, adopted: None }
    }

    /// What a ConfigMap says. None where it says nothing that could be compared.
    #[must_use]
    pub fn read(data: &BTreeMap<String, String>) -> Option<Self> {
        let known = identity(data, STORE, COMMITS)?;
        let found = identity(data, FOUND, FOUND_COMMITS).and_then(|identity| {
            let since = data.get(FOUND_SINCE).cloned().unwrap_or_default();
            let replacement = identity.replaces(&known)?;
            Some(FoundStore { identity, since, replacement })
        });
        Some(Self { known, found, adopted: data.get(ADOPTED).cloned() })
    }

    /// What the ConfigMap has to say; None for what is to be taken out.
    #[must_use]
    pub fn data(&self) -> BTreeMap<&'static str, Option<String>> {
        let found = self.found.as_ref();
        BTreeMap::from([
            (STORE, Some(self.known.id.clone())),
            (COMMITS, Some(self.known.commits.to_string())),
            (FOUND, found.map(|found| found.identity.id.clone())),
            (FOUND_COMMITS, found.map(|found| found.identity.commits.to_string())),
            (FOUND_SINCE, found.map(|found| found.since.clone())),
            (ADOPTED, self.adopted.clone()),
        ])
    }

    /// The same, where whoever had the store open knows that it had been written more often: what is noted may be behind.
    #[must_use]
    pub fn reached(mut self, last: Option<StoreIdentity>) -> Self {
        let is_right = |last: &StoreIdentity| last.id == self.known.id && last.commits > self.known.commits;
        if let Some(last) = last.filter(|last| self.found.is_none() && is_right(last)) {
            self.known = last;
        }
        self
    }

    /// What is noted once a store was opened, before anything is written to it. What was found before and is opened again is no
    /// news; where the right one is back, nothing is wrong any more.
    #[must_use]
    pub fn opened(self, opened: &StoreIdentity, now: Instant) -> Self {
        let Some(replacement) = opened.replaces(&self.known) else {
            // A copy that was found too old has been written since, so how often tells nothing of it.
            let is_back = self.found.as_ref().is_none_or(|found| found.identity.id != opened.id);
            return if is_back { Self { found: None, ..self } } else { self };
        };
        if self.found.as_ref().is_some_and(|found| opened.replaces(&found.identity).is_none()) {
            return self;
        }
        let found = FoundStore { identity: opened.clone(), since: format_instant(now), replacement };
        Self { found: Some(found), ..self }
    }

    /// The note with what a replica that writes none sees of the store, once it was read. `before` is what this came to last: what was
    /// found then is found still, however often it was written since, until something else is noted.
    #[must_use]
    pub fn seen(self, current: &StoreIdentity, before: Option<&Self>, now: Instant) -> Self {
        let continues = |found: &FoundStore| current.replaces(&found.identity).is_none();
        let before = before.filter(|before| before.found.as_ref().is_some_and(continues));
        let (noted, opened) = (self.found.clone(), self.clone().opened(current, now));
        if opened.found.is_some() && opened.found == noted {
            return opened;
        }
        let sighted = Self { found: None, ..self }.sighted(before);
        if sighted.found.is_some() { sighted } else { opened }
    }

    /// The same with what was seen against it before, where nothing was noted since.
    #[must_use]
    pub fn sighted(self, sighting: Option<&Self>) -> Self {
        let is_of_this = |sighting: &&Self| self.found.is_none() && sighting.known == self.known;
        match sighting.filter(is_of_this) {
            Some(sighting) => Self { found: sighting.found.clone(), ..self },
            None => self,
        }
    }

    /// What is noted while a store is open that was compared: what was confirmed counts, and how often it was written.
    #[must_use]
    pub fn kept(self, current: &StoreIdentity) -> Self {
        let is_confirmed = self.is_adopted();
        // One that was not compared yet is noted only once it is known to be the right one.
        let is_in_doubt = self.found.is_some() || current.replaces(&self.known).is_some();
        if is_in_doubt && !is_confirmed { self } else { Self::of(current.clone()) }
    }

    /// The change of the ConfigMap by which what was found is confirmed; None where nothing was.
    #[must_use]
    pub fn adoption(&self) -> Option<BTreeMap<&'static str, String>> {
        Some(BTreeMap::from([(ADOPTED, self.found.as_ref()?.token())]))
    }

    /// Whether what was found is confirmed already.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.found.as_ref().is_some_and(|found| self.adopted.as_ref() == Some(&found.token()))
    }

    /// What is wrong, in a sentence without its end; None where nothing is.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let FoundStore { identity, since, replacement } = self.found.as_ref()?;
        let (had, has) = (commits(self.known.commits), commits(identity.commits));
        Some(match replacement {
            StoreReplacement::Another => format!(
                "the store that was opened at {since} is another one, with {has}; the one before had {had}, and what was counted there is not in it"
            ),
            StoreReplacement::Older => format!(
                "the store that was opened at {since} is an older copy, with {has}; it had {had} before, and what was counted after the copy was made is not in it"
            ),
        })
    }
}

impl FoundStore {
    /// What confirms this, and nothing that is found later.
    fn token(&self) -> String {
        format!("{} {}", self.identity.id, self.identity.commits)
    }
}

fn identity(data: &BTreeMap<String, String>, id: &str, commits: &str) -> Option<StoreIdentity> {
    let id = data.get(id).filter(|id| !id.is_empty())?.clone();
    Some(StoreIdentity { id, commits: data.get(commits)?.parse().ok()? })
}

fn commits(number: u64) -> String {
    if number == 1 { "1 commit".to_owned() } else { format!("{number} commits") }
}
