//! From what should be and what is to what is to be written and withdrawn.
//!
//! | file | what it knows |
//! |---|---|
//! | `fingerprint` | whether two contents are the same, without keeping them |
//! | `observed` | what is kept in memory of an object that is there |
//! | `owner` | whose objects are planned, and where they may lie |
//! | `writes` | which objects are made and put right |
//! | `meddling` | what somebody else has done to an object that is put right |
//! | `withdrawals` | which objects go, or are kept as no longer in force, once the writes are through |
//!
//! An object is the organization's own if it has the operator's label, the organization's label, and the organization as
//! its controlling owner, and does not say that it is another object: then it is a copy. Any other is never changed: the name
//! is a conflict until that object goes. But for one that an organization of the operator has, and that is no longer in force:
//! it yields to whoever asks for its name now. An object whose marks were taken off is marked anew before anything is planned.

mod fingerprint;
mod meddling;
mod observed;
mod owner;
mod withdrawals;
mod writes;

#[cfg(test)]
pub(crate) mod tests;

pub use fingerprint::Fingerprint;
pub use meddling::Meddling;
pub use observed::{Authorship, Fate, Marks, Naming, Observed};
pub use owner::{Ground, Owner};
pub use withdrawals::{Withdrawal, pending, withdrawals};
pub use writes::{Edit, MAX_DATA_BYTES, ObjectWrite, Writes, data_bytes, writes};

use super::{
    delivery::Desired,
    object::{Attribution, ObjectKey},
};
use crate::core::{grant::GrantId, problem::Problem, reason::ReasonCode, source::SourceId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The grants that are spoken of.
pub(super) fn known(desired: &Desired) -> BTreeSet<&GrantId> {
    desired.grants.keys().chain(&desired.kept).collect()
}

/// What is there, as far as one organization is concerned.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The objects that have the operator's label and the organization's, and those that have the operator's label and a
    /// name that the organization wants.
    pub observed: BTreeMap<ObjectKey, Arc<Observed>>,
    /// Names at which something stands that the operator did not make and therefore does not watch.
    pub foreign: BTreeSet<ObjectKey>,
    /// Sources that are there but can't be read, so that nothing is known of them but their name.
    pub unreadable: Arc<BTreeSet<SourceId>>,
    /// Objects that others change again and again, and that are let go for a while.
    pub contested: BTreeSet<ObjectKey>,
}

/// What came of an object that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is there as it should be.
    Done,
    /// It was left as it is, because what it should be can't be told.
    Kept,
    /// An object that the operator did not make has the name.
    Conflict,
    /// Others change it again and again: it is let go for a while.
    Contested,
    /// The namespace is terminating or gone.
    NamespaceMissing,
    /// Its data has that many bytes, more than the API server takes.
    TooLarge(usize),
    /// It could not be written; the reason names no secret value.
    Failed(String),
}

/// An object that could not be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// What it says that it was made for.
    pub made_for: Option<Attribution>,
    /// Which object, why, and what to do.
    pub problem: Problem,
}

impl Stuck {
    /// It is not withdrawn yet, and why.
    #[must_use]
    pub fn new(made_for: Option<Attribution>, message: String) -> Self {
        Self { made_for, problem: Problem::new(ReasonCode::NotWithdrawn, message) }
    }

    /// Something holds it.
    #[must_use]
    pub fn held(made_for: Option<Attribution>, key: &ObjectKey, held: &Observed) -> Self {
        Self::new(made_for, format!("{key}: {}", held.held_back()))
    }

    /// It is let go for a while.
    #[must_use]
    pub fn contested(made_for: Option<Attribution>, key: &ObjectKey) -> Self {
        let message = format!(
            "{key} should go, but others change it again and again, and it is let go for some minutes: find out who writes it (kubectl get --show-managed-fields)"
        );
        Self { made_for, problem: Problem::new(ReasonCode::Contested, message) }
    }
}

/// What came of all of them. An object that is missing here was not tried to the end: nothing is said of its grant.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// What came of each write, by object.
    pub deliveries: BTreeMap<ObjectKey, Delivery>,
    /// What could not be withdrawn.
    pub stuck: Vec<Stuck>,
    /// Namespaces in which the organization has objects still.
    pub left: BTreeSet<Arc<str>>,
}
