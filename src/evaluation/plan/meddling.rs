//! What somebody else has done to an object that is put right.

use super::{Observed, observed::fingerprint};
use crate::evaluation::object::{CONTENT_HASH, ObjectContent};
use std::collections::BTreeMap;

/// What somebody else has done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meddling {
    /// It was changed.
    Changed,
    /// It was deleted.
    Deleted,
}

impl Meddling {
    /// What was done to an object that is written as `content`, where that puts it back: it was found like this, and had been
    /// like that `before` others changed it, as far as either is known.
    ///
    /// What is to be written may have changed as well, and then nothing is put back. It has not where the object was as it
    /// should be before, or where it still bears the hash of just this content.
    #[must_use]
    pub fn of(content: &ObjectContent, found: Option<&Observed>, before: Option<&Observed>) -> Option<Self> {
        let Some(found) = found else {
            // One that was terminating is one that the operator withdrew, and that something held.
            let is_lost = |before: &&Observed| before.is_as(content) && !before.is_terminating;
            return before.filter(is_lost).map(|_| Self::Deleted);
        };
        let is_put_back = before.is_some_and(|before| before.is_as(content)) || belies_its_hash(content, found);
        is_put_back.then_some(Self::Changed)
    }
}

/// Hash and data are written together, so that one without the other is not the operator's work.
fn belies_its_hash(content: &ObjectContent, found: &Observed) -> bool {
    let Some(hash) = content.annotations.get(CONTENT_HASH) else { return false };
    let mark = BTreeMap::from([(CONTENT_HASH.to_owned(), hash.clone())]);
    let is_as_written = found.data == fingerprint(&content.data) && !found.has_binary_data && !found.is_fixed;
    found.annotations.have(&mark) && !is_as_written
}
