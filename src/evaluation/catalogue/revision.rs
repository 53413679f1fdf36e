//! The revisions that keep what was valid, each a ControllerRevision in the operator's namespace.

use super::{
    entry::Guard,
    kind::{CatalogueId, Catalogued},
};
use crate::{
    core::{age::created, calendar::Instant, problem::Problem, schema::canonical_hash},
    evaluation::object::{BESIDE, FOR_EVERYONE, MANAGED_BY, MANAGER},
};
use k8s_openapi::{
    api::apps::v1::ControllerRevision,
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

/// How many digits of the hash the name of a revision has.
const HASH_DIGITS: usize = 10;

/// How many revisions are kept beside the one that serves.
pub const OLDER_REVISIONS: usize = 10;

/// Hash (hexadecimal SHA-256) of a state; equal for equal ones.
#[must_use]
pub fn state_hash(state: &impl Serialize) -> Arc<str> {
    // A state is plain data, which always has JSON.
    hex::encode(canonical_hash(&serde_json::to_value(state).unwrap_or_default())).into()
}

/// A kept revision of an object of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its name.
    pub name: Arc<str>,
    /// Of which object it is.
    pub of: CatalogueId,
    /// The highest is the newest.
    pub number: i64,
    /// What the object was made of.
    pub data: Value,
    /// When it was kept.
    pub made: Option<Instant>,
    /// What of the object is no part of it, as it was when it served last.
    pub beside: Option<Arc<str>>,
    /// The number that it had when it served last for all who had taken an earlier one.
    pub for_everyone: Option<i64>,
}

impl AsRef<Self> for Revision {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Revision {
    /// The name of the revision that keeps an object's state with that hash.
    #[must_use]
    pub fn name_of(object: &CatalogueId, hash: &str) -> String {
        format!("{}{}-{}", object.kind.prefix(), object.name, hash.get(..HASH_DIGITS).unwrap_or(hash))
    }

    /// Reads an object; None if it is not one of the operator's.
    #[must_use]
    pub fn read(object: ControllerRevision) -> Option<Self> {
        let name = object.metadata.name.as_deref().unwrap_or_default().into();
        let made = created(&object.metadata);
        let annotations = object.metadata.annotations.unwrap_or_default();
        let labels = object.metadata.labels?;
        if labels.get(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
            return None;
        }
        let of = CatalogueId::labelled(&labels)?;
        let data = object.data.map(|data| data.0).unwrap_or_default();
        let beside = annotations.get(BESIDE).map(|text| text.as_str().into());
        let for_everyone = annotations.get(FOR_EVERYONE).and_then(|number| number.parse().ok());
        Some(Self { name, of, number: object.revision, data, made, beside, for_everyone })
    }

    /// The state that it keeps, where it can be read.
    #[must_use]
    pub fn state<C: Catalogued>(&self) -> Option<C::State> {
        let state: C::State = serde_json::from_value(self.data.clone()).ok()?;
        Some(C::with_beside(state, self.beside.as_deref()))
    }

    /// What its annotations tell; none of what nobody keeps beside it.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let beside = self.beside.iter().map(|text| (BESIDE.to_owned(), text.to_string()));
        let mark = self.for_everyone.iter().map(|number| (FOR_EVERYONE.to_owned(), number.to_string()));
        beside.chain(mark).collect()
    }

    /// The object that is made to keep it.
    #[must_use]
    pub fn to_object(&self) -> ControllerRevision {
        let annotations = self.annotations();
        let labels = [(MANAGED_BY, MANAGER), (self.of.kind.label(), &self.of.name)];
        ControllerRevision {
            metadata: ObjectMeta {
                name: Some(self.name.to_string()),
                labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
                annotations: (!annotations.is_empty()).then_some(annotations),
                ..ObjectMeta::default()
            },
            data: Some(RawExtension(self.data.clone())),
            revision: self.number,
        }
    }
}

/// What has to be done so that an object's newest revision is of a state.
#[derive(Clone, Debug, PartialEq)]
pub enum KeepAction {
    /// Nothing: it is.
    Kept,
    /// It has no revision yet: this one.
    Create(Revision),
    /// That state was valid before: its revision becomes the newest, like this.
    Promote(Arc<Revision>, Revision),
    /// It is, but what is kept beside it has changed: like this.
    Annotate(Arc<Revision>, Revision),
    /// The revision of that name does not hold what its name says. Its data can't be changed, so it has to go before this one can
    /// be made.
    Replace(Arc<Revision>, Revision),
}

impl KeepAction {
    /// What has to be done with an object whose revisions are these, from the oldest to the newest.
    #[must_use]
    pub fn of(object: &CatalogueId, revisions: &[Arc<Revision>], form: KeptForm) -> Self {
        let name = Revision::name_of(object, &form.hash);
        let newest = revisions.last();
        let known = revisions.iter().find(|revision| *revision.name == *name);
        let is_newest = |known: &Arc<Revision>| newest == Some(known) && known.data == form.data;
        let number = match known.filter(|known| is_newest(known)) {
            Some(known) => known.number,
            None => newest.map_or(0, |revision| revision.number).saturating_add(1),
        };
        let before = known.and_then(|known| known.for_everyone);
        let for_everyone = if form.is_for_everyone { Some(number) } else { before };
        let KeptForm { data, beside, .. } = form;
        let wanted = Revision { name: name.into(), of: object.clone(), number, data, made: None, beside, for_everyone };
        match known {
            None => Self::Create(wanted),
            Some(known) if known.data != wanted.data => Self::Replace(Arc::clone(known), wanted),
            Some(known) if newest != Some(known) => Self::Promote(Arc::clone(known), wanted),
            Some(known) if known.annotations() != wanted.annotations() => Self::Annotate(Arc::clone(known), wanted),
            Some(_) => Self::Kept,
        }
    }
}

/// A valid state in the form in which it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptForm {
    /// Its hash.
    pub hash: Arc<str>,
    /// What a revision of it holds.
    pub data: Value,
    /// What is kept beside that.
    pub beside: Option<Arc<str>>,
    /// Whether it reaches all who have taken an earlier one.
    pub is_for_everyone: bool,
}

impl KeptForm {
    /// Of a state.
    #[must_use]
    pub fn of<C: Catalogued>(state: &C::State) -> Self {
        Self {
            hash: state_hash(state),
            // A state is plain data, which always has JSON.
            data: serde_json::to_value(state).unwrap_or_default(),
            beside: C::beside(state),
            is_for_everyone: C::is_for_everyone(state),
        }
    }
}

/// The revisions of an object that are forgotten, the newest first: all but those that are pinned and the newest others. They
/// stand from the oldest to the newest.
#[must_use]
pub fn outdated(revisions: &[Arc<Revision>], is_pinned: impl Fn(&str) -> bool) -> Vec<Arc<Revision>> {
    let others = revisions.iter().rev().filter(|revision| !is_pinned(&revision.name));
    others.skip(OLDER_REVISIONS).cloned().collect()
}

/// A state of an object that was kept and can serve.
#[derive(Clone, Debug)]
pub struct KeptState<C> {
    /// What serves.
    pub serving: Arc<C>,
    /// The hash of its state.
    pub hash: Arc<str>,
    /// What is kept beside that.
    pub beside: Option<Arc<str>>,
    /// The revision's name.
    pub revision: String,
}

/// The newest revision that can be read, of some of an object that stand from the oldest to the newest.
pub fn newest_valid<C: Catalogued>(revisions: &[Arc<Revision>], guard: Guard<C>) -> Option<KeptState<C>> {
    let read = |revision: &Arc<Revision>| {
        let state = revision.state::<C>()?;
        let serving: Result<C, Problem> = guard(&|| C::compile_kept(&revision.of.name, &state));
        let serving = Arc::new(serving.ok()?);
        let (hash, beside) = (state_hash(&state), C::beside(&state));
        Some(KeptState { serving, hash, beside, revision: revision.name.to_string() })
    };
    revisions.iter().rev().find_map(read)
}

/// The revisions of one object, by number and name.
type RevisionsOfObject = BTreeMap<(i64, Arc<str>), Arc<Revision>>;

/// Kept revisions by the objects that they are of.
#[derive(Clone, Debug, Default)]
pub struct Revisions(BTreeMap<CatalogueId, RevisionsOfObject>);

impl Revisions {
    /// Adds one.
    pub fn insert(&mut self, revision: Arc<Revision>) {
        let key = (revision.number, Arc::clone(&revision.name));
        self.0.entry(revision.of.clone()).or_default().insert(key, revision);
    }

    /// Takes one away.
    pub fn remove(&mut self, revision: &Revision) {
        let btree_map::Entry::Occupied(mut of_object) = self.0.entry(revision.of.clone()) else { return };
        of_object.get_mut().remove(&(revision.number, Arc::clone(&revision.name)));
        if of_object.get().is_empty() {
            of_object.remove();
        }
    }

    /// Those of an object, from the oldest to the newest.
    #[must_use]
    pub fn of(&self, object: &CatalogueId) -> Vec<Arc<Revision>> {
        self.0.get(object).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Whether there are any of an object.
    #[must_use]
    pub fn has(&self, object: &CatalogueId) -> bool {
        self.0.contains_key(object)
    }

    /// The objects of which there are some.
    pub fn objects(&self) -> impl Iterator<Item = &CatalogueId> {
        self.0.keys()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Revision>> {
        self.0.values().flat_map(BTreeMap::values)
    }
}
