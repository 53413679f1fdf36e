//! Namespaces that were made anew. Whoever made one again gets what is delivered to an organization that lists its name, and need
//! not be the one who made it before. So it is reported.

use crate::api::Organization;
use std::{collections::HashMap, sync::Arc};

/// A namespace of an organization that is another one than before.
#[derive(Clone, Debug)]
pub struct MadeAnew {
    /// The namespace.
    pub namespace: Arc<str>,
    /// Whose it is.
    pub organization: Arc<Organization>,
}

/// The UIDs of the namespaces that were seen last, even of those that are gone.
#[derive(Debug, Default)]
pub struct Lives(HashMap<Arc<str>, Arc<str>>);

impl Lives {
    /// A namespace is there. True if another one of its name was there before.
    pub fn see(&mut self, namespace: &Arc<str>, uid: &str) -> bool {
        match self.0.get_mut(namespace) {
            Some(known) if **known == *uid => false,
            Some(known) => {
                *known = uid.into();
                true
            }
            None => {
                self.0.insert(Arc::clone(namespace), uid.into());
                false
            }
        }
    }

    /// A namespace that is of no concern to anybody is gone.
    pub fn forget(&mut self, namespace: &str) {
        self.0.remove(namespace);
    }
}
