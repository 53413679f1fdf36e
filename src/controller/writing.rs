//! Whose statuses the operator is writing right now. What the watch reports about these meanwhile is its own doing.

use super::world::WorkItem;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The objects whose statuses are being written.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    under_way: Arc<Mutex<HashSet<WorkItem>>>,
}

/// A write that is under way, until this is dropped.
#[must_use]
pub struct StatusWrite<'a> {
    all: &'a Writing,
    item: WorkItem,
}

impl Writing {
    fn under_way(&self) -> MutexGuard<'_, HashSet<WorkItem>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One begins.
    pub fn begin(&self, item: WorkItem) -> StatusWrite<'_> {
        self.under_way().insert(item.clone());
        StatusWrite { all: self, item }
    }

    /// Whether the status of an object is being written.
    pub fn has(&self, item: &WorkItem) -> bool {
        self.under_way().contains(item)
    }
}

impl Drop for StatusWrite<'_> {
    fn drop(&mut self) {
        self.all.under_way().remove(&self.item);
    }
}
