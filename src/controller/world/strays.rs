//! Objects that the operator made and that no longer say so, because somebody has taken off their marks.
//!
//! The watch, which goes by a label, does not show them any more. The operator knows them by their UIDs: it looks them up by
//! name, marks them anew, and then puts them right or withdraws them like any other.

use crate::{
    core::source::SourceId,
    evaluation::{
        object::ObjectKey,
        plan::{Fate, Naming, Observed},
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What was known of an object while it had its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerMarks {
    /// Its UID.
    pub uid: Arc<str>,
    /// The UID of the organization that it was made for.
    pub controller: Arc<str>,
    /// The source that it was made for.
    pub source: Option<SourceId>,
    /// What is to become, or has become, of it.
    pub fate: Fate,
}

impl FormerMarks {
    /// The origin of an object that has its marks, with the organization that it was made for.
    fn of(observed: &Observed) -> Option<(&Arc<str>, Self)> {
        if observed.naming == Naming::Another {
            return None;
        }
        let origin = Self {
            uid: Arc::clone(&observed.uid),
            controller: observed.controller.clone()?,
            source: observed.source().cloned(),
            fate: observed.fate,
        };
        Some((observed.organization.as_ref()?, origin))
    }
}

/// Objects whose marks others have changed, by the organization that they were made for.
#[derive(Default)]
pub struct Strays(HashMap<Arc<str>, BTreeMap<ObjectKey, FormerMarks>>);

impl Strays {
    /// The watch shows an object otherwise than it was, or no longer.
    pub fn saw(&mut self, key: &ObjectKey, before: Option<&Observed>, after: Option<&Observed>) {
        let Some((organization, origin)) = before.and_then(FormerMarks::of) else { return };
        let known = self.0.get(organization).and_then(|strays| strays.get(key));
        let origin = known.filter(|known| known.uid == origin.uid).cloned().unwrap_or(origin);
        match after.and_then(FormerMarks::of) {
            Some((now, same)) if now == organization && same == origin => self.settle(organization, key),
            _ => self.add(organization, key.clone(), origin),
        }
    }

    /// An object of an organization is not marked as such.
    pub fn add(&mut self, organization: &Arc<str>, key: ObjectKey, origin: FormerMarks) {
        self.0.entry(Arc::clone(organization)).or_default().insert(key, origin);
    }

    /// It is marked again, or gone.
    pub fn settle(&mut self, organization: &str, key: &ObjectKey) {
        let Some(strays) = self.0.get_mut(organization) else { return };
        strays.remove(key);
        if strays.is_empty() {
            self.0.remove(organization);
        }
    }

    /// The organization is gone, and what it had is the garbage collector's.
    pub fn forget(&mut self, organization: &str) {
        self.0.remove(organization);
    }

    /// Those of an organization.
    pub fn of(&self, organization: &str) -> impl Iterator<Item = (&ObjectKey, &FormerMarks)> {
        self.0.get(organization).into_iter().flatten()
    }
}
