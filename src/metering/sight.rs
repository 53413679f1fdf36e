//! What this process has seen of the store, whoever has it open here: the one who writes what is wanted, who reads for the API, and who
//! counts for it. What one of them finds, the others know.

use crate::store::StoreIdentity;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which store that is of those that were found one in the place of the other.
pub(super) type StoreNumber = u64;

/// What is known of the store before it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownStore {
    /// Which one it is.
    pub number: StoreNumber,
    /// What it said of itself, or how often it was written since; none where it was never asked.
    pub identity: Option<StoreIdentity>,
}

/// A store that does not continue the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedStore {
    /// Which it was, and how often it had been written.
    pub before: StoreIdentity,
    /// The one in its place, as it was when it was found.
    pub first: StoreIdentity,
}

/// What was seen of the store.
#[derive(Debug, Default)]
pub struct StoreSight {
    state: Mutex<SightState>,
}

#[derive(Debug, Default)]
struct SightState {
    number: StoreNumber,
    identity: Option<StoreIdentity>,
    replaced: Option<ReplacedStore>,
}

impl StoreSight {
    fn state(&self) -> MutexGuard<'_, SightState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known by now: for whoever is about to ask the store.
    pub(super) fn known(&self) -> KnownStore {
        let state = self.state();
        KnownStore { number: state.number, identity: state.identity.clone() }
    }

    /// Which store it is.
    pub(super) fn number(&self) -> StoreNumber {
        self.state().number
    }

    /// Takes in what the store has said of itself to whoever knew that before it was asked: an answer may come after a later one.
    pub(super) fn saw(&self, known: &KnownStore, identity: &StoreIdentity) {
        let mut state = self.state();
        if state.number != known.number {
            // It may still be the answer of the one before.
            return;
        }
        if known.identity.as_ref().is_some_and(|known| identity.replaces(known).is_some()) {
            let before = state.replaced.take().map(|replaced| replaced.before).or_else(|| state.identity.take());
            state.replaced = before.map(|before| ReplacedStore { before, first: identity.clone() });
            state.number += 1;
            state.identity = Some(identity.clone());
            return;
        }
        if state.identity.as_ref().is_none_or(|last| identity.id == last.id && identity.commits > last.commits) {
            state.identity = Some(identity.clone());
        }
    }

    /// What was found in the place of the store, until that is compared with what is noted of it.
    #[must_use]
    pub fn replaced(&self) -> Option<ReplacedStore> {
        self.state().replaced.clone()
    }

    /// What was found in the place of the store is compared.
    pub(super) fn compared(&self, opened: &StoreIdentity) {
        self.state().replaced.take_if(|replaced| replaced.first == *opened);
    }
}

#[cfg(test)]
mod tests {
    use super::{ReplacedStore, StoreSight};
    use crate::store::StoreIdentity;

    fn store(id: &str, commits: u64) -> StoreIdentity {
        StoreIdentity { id: id.to_owned(), commits }
    }

    fn replaced(before: StoreIdentity, first: StoreIdentity) -> ReplacedStore {
        ReplacedStore { before, first }
    }

    #[test]
    fn an_older_copy_is_found_by_whoever_sees_it_first_and_is_no_news_to_the_others() {
        let sight = StoreSight::default();
        sight.saw(&sight.known(), &store("a", 90));
        let (one, other) = (sight.known(), sight.known());
        sight.saw(&sight.known(), &store("a", 100));
        sight.saw(&one, &store("a", 80));
        assert_eq!((sight.number(), sight.replaced()), (1, Some(replaced(store("a", 100), store("a", 80)))));
        sight.saw(&other, &store("a", 81));
        sight.saw(&sight.known(), &store("a", 130));
        assert_eq!((sight.number(), sight.replaced()), (1, Some(replaced(store("a", 100), store("a", 80)))));
        assert_eq!(sight.known().identity, Some(store("a", 130)));
    }

    #[test]
    fn an_answer_that_comes_after_a_later_one_is_no_older_copy() {
        let sight = StoreSight::default();
        sight.saw(&sight.known(), &store("a", 90));
        let before = sight.known();
        sight.saw(&sight.known(), &store("a", 100));
        sight.saw(&before, &store("a", 95));
        assert_eq!((sight.number(), sight.replaced(), sight.known().identity), (0, None, Some(store("a", 100))));
    }

    #[test]
    fn what_the_one_before_said_last_is_not_taken_for_the_one_in_its_place() {
        let sight = StoreSight::default();
        sight.saw(&sight.known(), &store("a", 100));
        let before = sight.known();
        sight.saw(&sight.known(), &store("b", 3));
        sight.saw(&before, &store("a", 101));
        assert_eq!((sight.number(), sight.known().identity), (1, Some(store("b", 3))));
        assert_eq!(sight.replaced(), Some(replaced(store("a", 100), store("b", 3))));
    }

    #[test]
    fn what_is_found_stays_until_just_that_is_compared() {
        let sight = StoreSight::default();
        sight.saw(&sight.known(), &store("a", 100));
        sight.saw(&sight.known(), &store("a", 80));
        sight.saw(&sight.known(), &store("a", 70));
        assert_eq!(sight.replaced(), Some(replaced(store("a", 100), store("a", 70))));
        sight.compared(&store("a", 80));
        assert_eq!(sight.replaced(), Some(replaced(store("a", 100), store("a", 70))));
        sight.compared(&store("a", 70));
        assert_eq!((sight.number(), sight.replaced()), (2, None));
    }
}
