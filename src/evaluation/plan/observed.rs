//! What is kept in memory of an existing object: enough to tell whether it is as it should be, and no byte of its values.

use super::{Fingerprint, Owner};
use crate::{
    core::source::SourceId,
    evaluation::object::{
        Attribution, IN_FORCE, MANAGED_BY, MANAGER, OBJECT, ON_END, ORGANIZATION, OVER, OWN_PREFIX, ObjectContent,
        ObjectData, ObjectKey, RETAIN,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The labels or annotations of an object, as fingerprints of the single pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Sorted.
    pairs: Box<[Fingerprint]>,
    /// Those keys that the operator set, where the object says so, and all that have its prefix.
    operators: Arc<[Box<str>]>,
}

impl Marks {
    /// The marks from the pairs on an object, and the keys that the operator has set.
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        set_by_operator: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut operators: BTreeSet<Box<str>> = set_by_operator.into_iter().map(String::into_boxed_str).collect();
        let mut marks = Vec::new();
        for (key, value) in pairs {
            marks.push(Self::mark(key, value));
            if key.starts_with(OWN_PREFIX) {
                operators.insert(key.into());
            }
        }
        marks.sort_unstable();
        Self { pairs: marks.into(), operators: operators.into_iter().collect() }
    }

    fn mark(key: &str, value: &str) -> Fingerprint {
        Fingerprint::of_pairs([(key, value.as_bytes())])
    }

    /// Whether every desired pair is there.
    #[must_use]
    pub fn have(&self, desired: &BTreeMap<String, String>) -> bool {
        desired.iter().all(|(key, value)| self.pairs.binary_search(&Self::mark(key, value)).is_ok())
    }

    /// The keys that are the operator's and that it does not want. Those of others stay.
    #[must_use]
    pub fn outdated(&self, desired: &BTreeMap<String, String>) -> Vec<String> {
        let is_wanted = |key: &str| desired.contains_key(key) || key == OBJECT;
        self.operators.iter().filter(|key| !is_wanted(key)).map(ToString::to_string).collect()
    }
}

/// What becomes, or has become, of an object that nothing asks for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is deleted.
    Delete,
    /// It is kept.
    Retain,
    /// It was kept, and says that it is no longer in force.
    Retained,
}

impl Fate {
    /// What labels and annotations say, as far as they may be believed: whoever may edit the object could else keep it.
    #[must_use]
    pub fn of(
        labels: Option<&BTreeMap<String, String>>,
        annotations: Option<&BTreeMap<String, String>>,
        is_believed: impl Fn(&str) -> bool,
    ) -> Self {
        let has = |pairs: Option<&BTreeMap<String, String>>, key: &str, value: &str| {
            pairs.and_then(|pairs| pairs.get(key)).is_some_and(|found| found == value)
        };
        let is_to_last = has(annotations, ON_END, RETAIN) && is_believed(ON_END);
        let is_over = has(labels, IN_FORCE, OVER) && (is_to_last || is_believed(IN_FORCE));
        match (is_over, is_to_last) {
            (true, _) => Self::Retained,
            (false, true) => Self::Retain,
            (false, false) => Self::Delete,
        }
    }
}

/// Which object an object says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Itself.
    Itself,
    /// Another object, of which it is a copy.
    Another,
    /// Nothing is said: it was written by a version that did not say so, or somebody took that off.
    Nothing,
}

impl Naming {
    /// What the annotations of the object of that name say.
    #[must_use]
    pub fn of(annotations: Option<&BTreeMap<String, String>>, key: &ObjectKey) -> Self {
        match annotations.and_then(|annotations| annotations.get(OBJECT)) {
            None => Self::Nothing,
            Some(place) if place.split_once('/') == Some((&key.namespace, &key.name)) => Self::Itself,
            Some(_) => Self::Another,
        }
    }
}

/// How much of an object the operator has written, as the API server recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorship {
    /// Nothing, as far as is known.
    Unknown,
    /// Something.
    Part,
    /// All of its data.
    Whole,
}

/// An object that carries the operator's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its UID.
    pub uid: Arc<str>,
    /// Its resourceVersion.
    pub version: u64,
    /// The organization that its label names.
    pub organization: Option<Arc<str>>,
    /// The UID of its controlling owner, where that is an organization.
    pub controller: Option<Arc<str>>,
    /// What it says that it was made for.
    pub made_for: Option<Attribution>,
    /// What becomes of it when nothing asks for it any more.
    pub fate: Fate,
    /// Which object it says that it is.
    pub naming: Naming,
    /// How much of it the operator has written.
    pub authorship: Authorship,
    /// Its labels.
    pub labels: Marks,
    /// Its annotations.
    pub annotations: Marks,
    /// The fingerprint of its data.
    pub data: Fingerprint,
    /// The keys of its data.
    pub keys: Arc<[Box<str>]>,
    /// It has `binaryData`, which the operator never writes.
    pub has_binary_data: bool,
    /// The type of a Secret; a ConfigMap has none.
    pub secret_type: Option<Arc<str>>,
    /// It can't be put right in place, as it is immutable.
    pub is_fixed: bool,
    /// It is being deleted, and something holds it.
    pub is_terminating: bool,
    /// The first finalizer that holds it then.
    pub finalizer: Option<Box<str>>,
}

impl Observed {
    /// The lists of keys that it has, which are those of most objects.
    pub fn key_lists(&mut self) -> [&mut Arc<[Box<str>]>; 3] {
        [&mut self.labels.operators, &mut self.annotations.operators, &mut self.keys]
    }

    /// An object of an organization as it is once the operator has written it and nobody else anything.
    #[must_use]
    pub fn written(owner: &Owner, content: &ObjectContent) -> Self {
        Self::with_labels(owner, &content.labels, content)
    }

    /// The same once it is no longer in force and was kept.
    #[must_use]
    pub fn retained(owner: &Owner, content: &ObjectContent) -> Self {
        let mut labels = content.labels.clone();
        labels.insert(IN_FORCE.to_owned(), OVER.to_owned());
        Self::with_labels(owner, &labels, content)
    }

    /// An object of an organization that the operator has written at some time. What it holds is not known, so that it is never
    /// as it should be.
    #[must_use]
    pub fn untold(owner: &Owner, made_for: Option<Attribution>, fate: Fate) -> Self {
        Self {
            uid: Arc::default(),
            version: 0,
            organization: Some(Arc::clone(owner.name())),
            controller: Some(Arc::clone(owner.uid())),
            made_for,
            fate,
            naming: Naming::Nothing,
            authorship: Authorship::Whole,
            labels: Marks::default(),
            annotations: Marks::default(),
            data: Fingerprint::of_pairs([]),
            keys: Arc::default(),
            has_binary_data: false,
            secret_type: None,
            is_fixed: false,
            is_terminating: false,
            finalizer: None,
        }
    }

    fn with_labels(owner: &Owner, labels: &BTreeMap<String, String>, content: &ObjectContent) -> Self {
        let marks = |pairs: &BTreeMap<String, String>| {
            Marks::new(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())), pairs.keys().cloned())
        };
        let keys: Vec<Box<str>> = match &content.data {
            ObjectData::ConfigMap(data) => data.keys().map(|key| key.as_str().into()).collect(),
            ObjectData::Secret(data) => data.values.keys().map(|key| key.as_str().into()).collect(),
        };
        Self {
            uid: Arc::default(),
            version: 0,
            organization: Self::organization_in(labels).map(Arc::from),
            controller: Some(Arc::clone(owner.uid())),
            made_for: Attribution::of(Some(labels), Some(&content.annotations), |_| true),
            fate: Fate::of(Some(labels), Some(&content.annotations), |_| true),
            naming: Naming::Itself,
            authorship: Authorship::Whole,
            labels: marks(labels),
            annotations: marks(&content.annotations),
            data: fingerprint(&content.data),
            keys: keys.into(),
            has_binary_data: false,
            secret_type: content.data.secret_type().map(Arc::from),
            is_fixed: false,
            is_terminating: false,
            finalizer: None,
        }
    }

    /// Whether nothing in it is otherwise that the operator would put right.
    #[must_use]
    pub fn has_same_content(&self, other: &Self) -> bool {
        let content = |observed: &Self| (observed.data, observed.has_binary_data, observed.is_fixed);
        content(self) == content(other)
            && self.secret_type == other.secret_type
            && (&self.organization, &self.controller) == (&other.organization, &other.controller)
            && (&self.labels, &self.annotations) == (&other.labels, &other.annotations)
    }

    /// Whether the operator made it for that organization, and nobody took it over since. A copy is somebody else's.
    #[must_use]
    pub fn is_of(&self, owner: &Owner) -> bool {
        self.is_marked_for(owner) && self.naming != Naming::Another
    }

    /// Whether label and owner are those of an object of the organization.
    #[must_use]
    pub fn is_marked_for(&self, owner: &Owner) -> bool {
        self.organization.as_ref() == Some(owner.name()) && self.controller.as_ref() == Some(owner.uid())
    }

    /// The source that it says that it was made for.
    #[must_use]
    pub fn source(&self) -> Option<&SourceId> {
        self.made_for.as_ref().map(|made_for| &made_for.source)
    }

    /// Whether it is surely no copy: it names itself or, where a former version made it, the operator wrote it.
    #[must_use]
    pub fn is_original(&self) -> bool {
        match self.naming {
            Naming::Itself => true,
            Naming::Nothing => self.authorship != Authorship::Unknown,
            Naming::Another => false,
        }
    }

    /// Whether the operator made it for the organization, even if it says of itself that it is a copy.
    #[must_use]
    pub fn was_made_for(&self, owner: &Owner) -> bool {
        self.is_marked_for(owner) && (self.is_original() || self.authorship == Authorship::Whole)
    }

    /// Whether it is one that an organization has kept, and that yields to any grant which asks for its name, also one of the
    /// organization that has the namespace now.
    #[must_use]
    pub fn yields(&self) -> bool {
        let is_kept = self.fate == Fate::Retained && self.naming != Naming::Another;
        is_kept && self.organization.is_some() && self.controller.is_some()
    }

    /// Why it is not gone yet.
    #[must_use]
    pub fn held_back(&self) -> String {
        let finalizer = self.finalizer.as_deref().unwrap_or("of somebody else");
        format!(
            "it is being deleted, and the finalizer {finalizer}, which is not the operator's, holds it: remove that"
        )
    }

    /// Whether it is a Secret of the type that it should be, or no Secret: the type of one never changes.
    #[must_use]
    pub fn has_type_of(&self, data: &ObjectData) -> bool {
        self.secret_type.as_deref() == data.secret_type()
    }

    /// Whether it is just as it should be.
    #[must_use]
    pub fn is_as(&self, content: &ObjectContent) -> bool {
        !self.is_fixed
            && self.has_type_of(&content.data)
            && !self.has_binary_data
            && self.naming == Naming::Itself
            && self.labels.have(&content.labels)
            && self.annotations.have(&content.annotations)
            && self.labels.outdated(&content.labels).is_empty()
            && self.annotations.outdated(&content.annotations).is_empty()
            && self.data == fingerprint(&content.data)
    }

    /// The organization that labels name, if they are those of an object of the operator.
    #[must_use]
    pub fn organization_in(labels: &BTreeMap<String, String>) -> Option<&str> {
        if labels.get(MANAGED_BY).is_none_or(|manager| manager != MANAGER) {
            return None;
        }
        labels.get(ORGANIZATION).map(String::as_str)
    }
}

/// The fingerprint of the data that an object should have, comparable with that of an observed one.
#[must_use]
pub fn fingerprint(data: &ObjectData) -> Fingerprint {
    match data {
        ObjectData::ConfigMap(data) => {
            Fingerprint::of_pairs(data.iter().map(|(key, text)| (key.as_str(), text.as_bytes())))
        }
        ObjectData::Secret(data) => Fingerprint::of_pairs(
            data.values.iter().map(|(key, value)| (key.as_str(), value.expose_secret().as_slice())),
        ),
    }
}
