//! From what should be and what is to what is to be written, and from what came of that to the final statuses.
//!
//! | file | what it knows |
//! |---|---|
//! | `fingerprint` | whether two contents are the same, without keeping them |
//! | `observed` | what is kept in memory of an object that is there |
//! | `writes` | which objects are made and put right |
//! | `withdrawals` | which objects go, or are kept as no longer in force, once the writes are through |
//! | `statuses` | what the statuses say of the delivery |
//!
//! An object is the organization's own if it has the operator's label, the organization's label, and the organization as
//! its controlling owner. Any other is never changed: the name is a conflict until that object goes. But for one that an
//! organization of the operator has, and that is no longer in force: it yields to whoever asks for its name now.

mod fingerprint;
mod observed;
mod statuses;
mod withdrawals;
mod writes;

#[cfg(test)]
mod tests;

pub use fingerprint::Fingerprint;
pub use observed::{Fate, Marks, Observed};
pub use statuses::{Statuses, statuses};
pub use withdrawals::{Withdrawal, withdrawals};
pub(super) use writes::is_storable;
pub use writes::{Change, Edit, MAX_DATA_BYTES, Writes, data_bytes, writes};

use super::object::ObjectKey;
use crate::core::grant::GrantId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Whose objects are planned.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The organization's name.
    pub name: Arc<str>,
    /// The organization's UID.
    pub uid: Arc<str>,
    /// The namespaces that are the organization's: it lists them, and no older one does.
    pub namespaces: BTreeSet<Arc<str>>,
}

/// What is there, as far as one organization is concerned.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The objects that have the operator's label and the organization's, and those that have the operator's label and a
    /// name that the organization wants.
    pub observed: BTreeMap<ObjectKey, Arc<Observed>>,
    /// Names at which something stands that the operator did not make and therefore does not watch.
    pub foreign: BTreeSet<ObjectKey>,
    /// Grants whose source is there but can't be read, so that nothing is known of them but their name.
    pub unreadable: BTreeSet<GrantId>,
}

/// What came of an object that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is there as it should be.
    Done,
    /// It was left as it is, because what it should be can't be told.
    Kept,
    /// An object that the operator did not make, or that was taken from it, has the name.
    Conflict,
    /// The namespace is terminating or gone.
    NamespaceMissing,
    /// Its data has that many bytes, more than the API server takes.
    TooLarge(usize),
    /// It could not be written; the reason names no secret value.
    Failed(String),
}

/// What came of all of them. An object that is missing here was not tried to the end: nothing is said of its grant.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// By object.
    pub deliveries: BTreeMap<ObjectKey, Delivery>,
    /// Grants with an object that could not be withdrawn, and why not.
    pub stuck: BTreeMap<GrantId, String>,
}
