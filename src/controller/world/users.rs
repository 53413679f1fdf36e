//! Which objects of the catalogue name which others.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// The objects of one kind that name objects of another, by the names of these.
#[derive(Default)]
pub struct Users(HashMap<Arc<str>, BTreeSet<Arc<str>>>);

impl Users {
    /// An object names others than before.
    pub fn relink<'a>(
        &mut self,
        user: &Arc<str>,
        before: impl Iterator<Item = &'a str>,
        after: impl Iterator<Item = &'a str>,
    ) {
        for name in before {
            let Some(users) = self.0.get_mut(name) else { continue };
            users.remove(user);
            if users.is_empty() {
                self.0.remove(name);
            }
        }
        for name in after {
            self.0.entry(name.into()).or_default().insert(Arc::clone(user));
        }
    }

    /// Those that name an object.
    pub fn of(&self, name: &str) -> impl Iterator<Item = &Arc<str>> {
        self.0.get(name).into_iter().flatten()
    }
}
