//! The kinds of the catalogue whose last valid states are kept, and what is particular to each.

use super::revision::Revision;
use crate::{
    core::problem::Problem,
    evaluation::object::{DEFINITION, PLAN},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

/// A kind of the catalogue whose last valid states are kept as ControllerRevisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CatalogueKind {
    /// `EntitlementDefinition`.
    Definition,
    /// `EntitlementPlan`.
    Plan,
    /// One that tests have beside it.
    #[cfg(test)]
    Dummy,
}

impl CatalogueKind {
    pub(super) const ALL: &[Self] = &[
        Self::Definition,
        Self::Plan,
        #[cfg(test)]
        Self::Dummy,
    ];

    /// The label on its revisions, whose value is the name of the object that they are of.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Definition => DEFINITION,
            Self::Plan => PLAN,
            #[cfg(test)]
            Self::Dummy => "entitlements.dev/dummy",
        }
    }

    /// What the names of its revisions begin with. Those of definitions have nothing there, and are DNS labels: a kind with a
    /// dot in its own never has a revision of the same name as another's.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Definition => "",
            Self::Plan => "plan.",
            #[cfg(test)]
            Self::Dummy => "dummy.",
        }
    }

    /// One of it, in a message.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Plan => "plan",
            #[cfg(test)]
            Self::Dummy => "dummy",
        }
    }

    /// An object of it.
    #[must_use]
    pub fn named(self, name: &str) -> CatalogueId {
        CatalogueId { kind: self, name: name.into() }
    }
}

/// An object of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogueId {
    /// Its kind.
    pub kind: CatalogueKind,
    /// Its name.
    pub name: Arc<str>,
}

impl CatalogueId {
    /// Of which object a revision with these labels is.
    #[must_use]
    pub fn labelled(labels: &BTreeMap<String, String>) -> Option<Self> {
        CatalogueKind::ALL.iter().find_map(|kind| Some(kind.named(labels.get(kind.label())?)))
    }
}

/// What serves of a kind of the catalogue: an object of it that is valid, compiled.
pub trait Catalogued: Clone + Debug + Send + Sync + 'static {
    /// The kind.
    const KIND: CatalogueKind;

    /// Whether what serves has the name of its revision also where that is not kept: who takes something from it records the name.
    const IS_RECORDED: bool = false;

    /// All that an object is made of. What a revision of it holds is this as JSON.
    type State: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;

    /// What an object has given to those who have taken it.
    type History: Clone + Debug + Default + Send + Sync;

    /// What of a state is no part of its revision, and is kept current beside it, as a text.
    fn beside(_state: &Self::State) -> Option<Arc<str>> {
        None
    }

    /// A state that was kept, with what was kept beside it.
    #[must_use]
    fn with_beside(state: Self::State, _beside: Option<&str>) -> Self::State {
        state
    }

    /// Whether a state reaches all who have taken an earlier one.
    fn is_for_everyone(_state: &Self::State) -> bool {
        false
    }

    /// Reads and checks an object.
    ///
    /// # Errors
    /// What is wrong.
    fn compile(name: &str, state: &Self::State) -> Result<Self, Problem>;

    /// Reads an object that was valid once, and serves for as long as nothing newer does.
    ///
    /// # Errors
    /// What is wrong.
    fn compile_kept(name: &str, state: &Self::State) -> Result<Self, Problem>;

    /// What an object has given, by its metadata where it exists, what serves of it with the name of its revision, and its kept
    /// revisions, which stand from the oldest to the newest.
    fn history(
        metadata: Option<&ObjectMeta>,
        serving: Option<(&Arc<Self>, Option<&str>)>,
        revisions: &[impl AsRef<Revision>],
    ) -> Self::History;
}
