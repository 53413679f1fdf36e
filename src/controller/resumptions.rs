//! The grant with which the next evaluation of an organization begins, if the one before was too much work to finish.

use crate::core::grant::GrantId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How soon what had to wait is gone on with: not at once, so that one organization that is too much does not keep a processor.
pub const PAUSE: Duration = Duration::from_secs(10);

/// The grant to begin with, by organization.
#[derive(Default)]
pub struct Resumptions(Mutex<HashMap<Arc<str>, GrantId>>);

impl Resumptions {
    fn all(&self) -> MutexGuard<'_, HashMap<Arc<str>, GrantId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an organization's next evaluation begins.
    pub fn of(&self, organization: &Arc<str>) -> Option<GrantId> {
        self.all().get(organization).cloned()
    }

    /// Notes where the one after that begins, if it has to.
    pub fn set(&self, organization: &Arc<str>, resume: Option<GrantId>) {
        let mut all = self.all();
        match resume {
            Some(grant) => drop(all.insert(Arc::clone(organization), grant)),
            None => drop(all.remove(organization)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Resumptions;
    use crate::core::grant::GrantId;
    use std::sync::Arc;

    #[test]
    fn each_organization_has_its_own_until_it_is_through() {
        let resumptions = Resumptions::default();
        let (acme, globex): (Arc<str>, Arc<str>) = ("acme".into(), "globex".into());
        resumptions.set(&acme, Some(GrantId::of_instance("entitlements", "b", "seats")));
        assert_eq!(resumptions.of(&acme), Some(GrantId::of_instance("entitlements", "b", "seats")));
        assert_eq!(resumptions.of(&globex), None);
        resumptions.set(&acme, None);
        assert_eq!(resumptions.of(&acme), None);
    }
}
